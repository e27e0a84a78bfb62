//! Hosts that do not allow everything, played by an outer container.

mod common;

use cofferdam::{CapabilitySet, Command};
use common::{can_isolate, shell, success};

/// Runs a test of this file in an outer container that was changed by a script.
fn inside(script: &str, test: &str) -> String {
    let own = std::env::current_exe().expect("a path");
    let directory = own.parent().expect("a directory");
    let name = own.file_name().expect("a name").to_string_lossy();
    let mut command =
        shell(&format!("{script}; exec /tmp/tests/{name} --exact {test} --ignored --nocapture"));
    command.bind_read_only(directory, "/tmp/tests").capabilities(CapabilitySet::all()).protect_proc(false);
    success(&command.output().expect("an outer container"))
}

#[test]
#[ignore = "started by the others"]
fn inner() {
    match Command::new("echo").arg("started").output() {
        Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("error: {error}; kind {:?}", error.kind()),
    }
}

#[test]
fn containers_nest() {
    require!(can_isolate(), "namespaces");
    let text = inside("true", "inner");
    assert!(text.contains("started"), "{text}");
}

#[test]
fn the_setting_that_is_in_the_way_is_named() {
    require!(can_isolate(), "namespaces");
    let text = inside("echo 0 > /proc/sys/user/max_user_namespaces", "inner");
    let expected = "the host does not allow these namespaces: its setting user.max_user_namespaces is 0";
    assert!(text.contains(&format!("error: {expected}; kind PermissionDenied")), "{text}");
}

#[test]
fn a_covered_proc_is_named() {
    require!(can_isolate(), "namespaces");
    let text = inside("mount -t tmpfs none /proc/fs", "inner");
    assert!(text.contains("error: parts of the caller's /proc are covered"), "{text}");
}
