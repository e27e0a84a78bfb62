//! Plans become the operations they should.

use super::*;
use crate::plan::{
    Argument, Attributes, Credentials, Location, Mount, MountFlags, Namespaces, RawCall, TargetKind,
};
use crate::{Capabilities, CapabilitySet};

const CONTEXT: Context = Context { last_capability: 40, raised: None };

fn calls(plan: &Plan) -> Vec<&'static str> {
    let program = encode(plan, CONTEXT).unwrap();
    program
        .labels
        .iter()
        .filter(|label| matches!(label.part, Part::Step(_)))
        .filter_map(|label| label.call)
        .collect()
}

#[test]
fn a_mount_is_made_configured_and_attached_by_descriptor() {
    let mut plan = Plan::new("/bin/true");
    let root = plan.slot("root");
    plan.steps.push(Step::Mount(Mount::new("tmpfs").option("size", "1M").target(
        Some(root),
        "/tmp",
        Some(TargetKind::Directory),
    )));
    let expected = ["fsopen", "fsconfig", "fsconfig", "fsmount", "make target", "move_mount", "close"];
    assert_eq!(calls(&plan), expected);
    // Nobody wants the descriptor, and the working directory is set anyhow: one call attaches it.
    plan.steps.push(Step::WorkingDirectory("/".into()));
    assert_eq!(calls(&plan), ["make target", "fchdir", "mount", "chdir", "getcwd"]);
    plan.steps.insert(1, Step::Directory { location: Location::path("relative"), mode: 0 });
    assert!(calls(&plan).contains(&"fsmount"));
    plan.steps = vec![Step::Mount(Mount::bind(Location::path("/usr"), true).into_slot(root))];
    assert_eq!(calls(&plan), ["open_tree"]);
}

#[test]
fn calls_that_take_their_paths_from_descriptors_do_not_mind_the_working_directory() {
    let mut plan = Plan::new("/bin/true");
    let root = plan.slot("root");
    let node = |number: libc::c_long, dir| RawCall {
        name: "call".into(),
        number: u32::try_from(number).unwrap(),
        arguments: vec![dir, Argument::Text("relative".into()), Argument::Number(0), Argument::Number(0)],
        into: None,
        tolerate: None,
    };
    let by_mount = |mount: &Mount, between: Vec<Step>| {
        let mut plan = plan.clone();
        plan.steps = vec![Step::Mount(mount.clone())];
        plan.steps.extend(between);
        plan.steps.push(Step::WorkingDirectory("/".into()));
        calls(&plan).contains(&"mount")
    };
    let mount = Mount::new("tmpfs").target(Some(root), "", None);
    let here = Argument::Number(libc::AT_FDCWD.cast_unsigned().into());
    assert!(by_mount(&mount, vec![Step::Call(node(libc::SYS_mknodat, Argument::Descriptor(root)))]));
    assert!(!by_mount(&mount, vec![Step::Call(node(libc::SYS_mknodat, here))]));
    assert!(!by_mount(&mount, vec![Step::Call(node(libc::SYS_fsconfig, Argument::Descriptor(root)))]));
    // What mount(2) refuses where the same file system is mounted already.
    let of = |filesystem: &str| Mount::new(filesystem).target(Some(root), "", None);
    assert!(!by_mount(&of("proc"), Vec::new()) && !by_mount(&of("cgroup2"), Vec::new()));
    // What mount(2) cannot say, or would cut off.
    let with = |flags| mount.clone().attributes(Attributes::set(flags));
    assert!(by_mount(&with(MountFlags::STRICTATIME | MountFlags::NOSYMFOLLOW), Vec::new()));
    assert!(!by_mount(&with(MountFlags::RDONLY), Vec::new()));
    let long = (0..20).fold(mount.clone(), |mount, n| mount.option(format!("key{n}"), "v".repeat(250)));
    assert!(!by_mount(&long, Vec::new()));
}

#[test]
fn a_directory_that_is_tried_has_to_be_entered_in_the_end() {
    let mut plan = Plan::new("/bin/true");
    plan.steps.push(Step::TryWorkingDirectory("/own".into()));
    let error = encode(&plan, CONTEXT).map(drop).unwrap_err().to_string();
    assert!(error.contains("is tried, and no step follows that has to enter it"), "{error}");
    plan.steps.push(Step::WorkingDirectory("/own".into()));
    assert_eq!(calls(&plan), ["chdir", "getcwd", "openat", "close", "close", "chdir", "getcwd"]);
}

#[test]
fn the_bounding_set_goes_first_and_the_user_id_before_the_rest() {
    let mut plan = Plan::new("/bin/true");
    plan.steps.push(Step::Credentials(Credentials {
        groups: Some(vec![1, 2]),
        gid: Some(3),
        uid: Some(4),
        capabilities: Some(Capabilities::for_root(CapabilitySet::from_bits(0b11))),
    }));
    let calls = calls(&plan);
    assert_eq!(calls, ["prctl", "prctl", "setgroups", "setresgid", "setresuid", "capset", "prctl"]);
}

#[test]
fn slots_are_given_inputs_then_streams_then_the_rest() {
    let mut plan = Plan::new("/bin/true");
    let made = plan.slot("made");
    let input = plan.input("input");
    plan.steps = vec![Step::Close(made), Step::Close(input)];
    let program = encode(&plan, CONTEXT).unwrap();
    let closed: Vec<_> = program.operations.iter().flat_map(|operation| operation.values.clone()).collect();
    assert!(closed.contains(&Value::Slot(4)) && closed.contains(&Value::Slot(0)), "{closed:?}");
    assert_eq!(program.slots, 5);
}

#[test]
fn sysctl_names_are_paths() {
    let path = files::sysctl_path;
    assert_eq!(path("net.ipv4.ip_forward"), "sys/net/ipv4/ip_forward");
    assert_eq!(path("net/ipv4/conf/eth0.1/forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
    assert_eq!(path("net.ipv4.conf.eth0/1.forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
}

#[test]
fn a_slot_of_another_plan_is_refused() {
    let mut other = Plan::new("/bin/true");
    let foreign = other.slot("foreign");
    let mut plan = Plan::new("/bin/true");
    plan.steps.push(Step::Close(foreign));
    assert!(encode(&plan, CONTEXT).is_err());
    plan.namespaces = Namespaces::TIME;
    assert!(encode(&plan, CONTEXT).is_err());
}

/// The codes of the operations after the steps.
fn ending(plan: &Plan) -> Vec<u16> {
    let codes: Vec<u16> = encode(plan, CONTEXT).unwrap().operations.iter().map(|left| left.code).collect();
    let start = codes.iter().position(|code| *code == code::SIGNALS).unwrap();
    codes[start..].to_vec()
}

#[test]
fn a_plan_is_held_when_everything_is_in_place_and_before_its_last_steps() {
    use crate::init::format::code::{CALL, EXEC, FIND, HOLD, PLACE, SIGNALS, STAY, SYNC, TAKE};
    let mut plan = Plan::new("/bin/true");
    // Who is not held pays nothing for it.
    assert_eq!(ending(&plan), [SIGNALS, CALL, PLACE, EXEC]);
    plan.stay_as_init = true;
    assert_eq!(ending(&plan), [SIGNALS, STAY, CALL, PLACE, EXEC]);
    plan.find_program = true;
    plan.hold = Some(crate::Hold::Caller);
    // Process 1 waits, and its child does the rest.
    assert_eq!(ending(&plan), [SIGNALS, PLACE, FIND, HOLD, STAY, CALL, EXEC]);
    plan.stay_as_init = false;
    plan.last = vec![Step::NoNewPrivileges];
    assert_eq!(ending(&plan), [SIGNALS, CALL, PLACE, FIND, HOLD, CALL, EXEC]);
    // The last word is taken before a filter, but not before a meeting.
    let filter = crate::RawCall {
        name: "seccomp".into(),
        number: u32::try_from(libc::SYS_seccomp).unwrap(),
        arguments: Vec::new(),
        into: None,
        tolerate: None,
    };
    plan.last.push(Step::Call(filter));
    assert_eq!(ending(&plan)[5..], [CALL, TAKE, CALL, EXEC]);
    plan.last.push(Step::Sync { point: 1, send: Vec::new(), receive: Vec::new() });
    assert_eq!(ending(&plan)[5..], [CALL, CALL, SYNC, EXEC]);
}

#[test]
fn what_the_last_steps_need_is_kept_and_what_they_make_is_not() {
    let mut plan = Plan::new("/bin/true");
    let [start, used, made] = ["start", "used", "made"].map(|name| plan.input(name));
    plan.hold = Some(crate::Hold::Listener(start));
    plan.last = vec![
        Step::Sync { point: 1, send: vec![used], receive: vec![made] },
        Step::Close(made),
        Step::Close(used),
    ];
    assert_eq!(plan.kept(), [start, used]);
    let program = encode(&plan, CONTEXT).unwrap();
    let place = program.operations.iter().find(|operation| operation.code == code::PLACE).unwrap();
    let kept = [0_u32, 1].iter().flat_map(|slot| slot.to_ne_bytes()).collect();
    assert_eq!(place.values[1], Value::Bytes(kept));
}

#[test]
fn what_is_closed_makes_room() {
    let mut plan = Plan::new("/bin/true");
    let kept = plan.slot("kept");
    let open = |path: &str, into| Step::Open { location: Location::path(path), how: crate::Open::PATH, into };
    plan.steps.push(open("/", kept));
    let before = encode(&plan, CONTEXT).unwrap().slots;
    for _ in 0..5000 {
        let slot = plan.slot("for a moment");
        plan.steps.extend([open("/", slot), Step::Close(slot)]);
    }
    let program = encode(&plan, CONTEXT).unwrap();
    assert_eq!(program.slots, before + 1);
    // What is not closed, or needed afterwards, keeps its number.
    let stream = plan.slot("stream");
    plan.stdin = crate::Stdio::Descriptor(stream);
    plan.steps.extend([open("/", stream), Step::Close(kept)]);
    let other = plan.slot("other");
    plan.steps.push(open("/", other));
    assert_eq!(encode(&plan, CONTEXT).unwrap().slots, before + 1);
}
