//! Ids, groups, capabilities.

mod common;

use std::os::unix::fs::MetadataExt;

use cofferdam::{Capabilities, CapabilitySet, Command, DEFAULT_CAPABILITIES, Error, IdMap, Namespaces};
use common::{Box, can_isolate, is_root, shell, text};

fn map(text: &str) -> IdMap {
    IdMap::parse(text.as_bytes()).expect("a map")
}

fn sets(command: &mut Command) -> Vec<String> {
    command.arg("-c").arg("grep Cap /proc/self/status | cut -f2");
    text(command).lines().map(str::to_owned).collect()
}

#[test]
fn root_inside_has_the_default_capabilities_and_cannot_gain_more() {
    require!(can_isolate(), "namespaces");
    let set = format!("{:016x}", DEFAULT_CAPABILITIES.bits());
    let none = "0".repeat(16);
    let expected = [&none, &set, &set, &set, &none].map(String::as_str);
    assert_eq!(sets(&mut Command::new("sh")), expected);
    let status = text(&mut shell("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"));
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(text(shell("grep NoNewPrivs /proc/self/status").no_new_privs(false)).ends_with('0'));
}

#[test]
fn capabilities_are_exactly_those_given() {
    require!(can_isolate(), "namespaces");
    let one = CapabilitySet::empty().with(cofferdam::Capability::new(10).expect("a capability"));
    let (text_of_one, none) = ("0000000000000400".to_owned(), "0".repeat(16));
    let expected = [&none, &text_of_one, &text_of_one, &text_of_one, &none].map(String::clone);
    assert_eq!(sets(Command::new("sh").capabilities(one)), expected);
    assert_eq!(sets(Command::new("sh").capability_sets(Capabilities::NONE)), vec![none.clone(); 5]);
    let all = Capabilities { bounding: one, permitted: one, effective: one, inheritable: one, ambient: one };
    assert_eq!(sets(Command::new("sh").capability_sets(all)), vec![text_of_one; 5]);
    assert!(shell("true").capabilities(CapabilitySet::all()).status().expect("status").success());
}

#[test]
fn root_mapped_to_another_id_owns_what_it_makes() {
    require!(is_root(), "root");
    let root = Box::new();
    let mut command = root.shell("id -u; id -g; id -G; touch /made /tmp/made; stat -c %u:%g /made /tmp/made /dev /tmp; cat /proc/self/oom_score_adj");
    command.uid_map(map("0 100000 65536")).gid_map(map("0 100000 65536")).oom_score_adjust(5);
    assert_eq!(text(&mut command), "0\n0\n0\n0:0\n0:0\n0:0\n0:0\n5");
    let made = std::fs::metadata(root.path().join("made")).expect("made");
    assert_eq!((made.uid(), made.gid()), (100_000, 100_000));
    let proc = std::fs::metadata(root.path().join("proc")).expect("a mount point");
    assert_eq!(proc.uid(), 100_000, "mount points belong to root inside");
}

#[test]
fn map_without_id_0() {
    require!(is_root(), "root");
    let mut command =
        shell("id -u; id -g; touch /tmp/x && stat -c %u /tmp/x /dev; grep CapEff /proc/self/status");
    command.uid_map(map("1000 200000 10")).gid_map(map("1000 200000 10")).oom_score_adjust(5).env("A", "b");
    assert_eq!(text(&mut command), format!("1000\n1000\n1000\n1000\nCapEff:\t{}", "0".repeat(16)));
}

#[test]
fn own_id_as_another_than_0() {
    require!(can_isolate(), "namespaces");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut command =
        shell("id -u; id -g; touch /tmp/x && stat -c %u /tmp/x /dev; cat /proc/self/oom_score_adj");
    command.uid_map(map(&format!("1234 {uid} 1"))).gid_map(map(&format!("4321 {gid} 1"))).oom_score_adjust(7);
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{error} {error:?}"));
    assert_eq!(common::success(&output), "1234\n4321\n1234\n1234\n7");
}

#[test]
fn user_group_and_groups_are_set() {
    require!(is_root(), "root");
    let mut command = shell(
        "id -u; id -g; id -G; grep Cap /proc/self/status | cut -f2; touch /root/x 2>/dev/null || echo refused",
    );
    command.user(1000).group(1001).groups([1002, 1003]);
    let (none, bound) = ("0".repeat(16), format!("{:016x}", DEFAULT_CAPABILITIES.bits()));
    assert_eq!(
        text(&mut command),
        format!("1000\n1001\n1001 1002 1003\n{none}\n{none}\n{none}\n{bound}\n{none}\nrefused")
    );
    assert_eq!(text(command.share(Namespaces::USER)).lines().next(), Some("1000"));
}

#[test]
fn ids_without_a_number_inside_are_refused() {
    let single = map(&format!("0 {} 1", rustix::process::geteuid().as_raw()));
    let group = map(&format!("0 {} 1", rustix::process::getegid().as_raw()));
    let mut command = shell("true");
    command.uid_map(single).gid_map(group).user(1);
    let error = command.plan().expect_err("unmapped");
    assert_eq!(error.to_string(), "user \"1\" is not mapped in the user namespace");
    require!(!is_root() || std::env::var_os("REQUIRE_ALL").is_some(), "an ordinary user");
    if !is_root() {
        let error = shell("true").groups([0]).plan().expect_err("denied");
        assert!(matches!(error, Error::Invalid { what: "groups", .. }), "{error}");
    }
}

#[test]
fn maps_that_the_caller_may_not_write_name_what_is_missing() {
    require!(!is_root() || std::env::var_os("REQUIRE_ALL").is_some(), "an ordinary user");
    if is_root() {
        return;
    }
    let mut command = shell("true");
    command.uid_map(map("0 4000000000 65536")).gid_map(map("0 4000000000 65536"));
    let error = command.spawn().expect_err("not ours");
    assert!(matches!(&error, Error::Namespace(cofferdam::namespaces::Error::NotPermitted { .. })), "{error}");
    assert!(error.to_string().starts_with("uid_map: /etc/subuid"), "{error}");
}
