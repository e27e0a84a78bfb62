//! Every operation of a plan fails in turn.

use std::path::Path;

use serde_json::json;

use super::super::testing::{
    as_anyone, busybox_root, fail_at, has_busybox, is_root, request, spec, with_root,
};
use super::super::{Request, build};

/// What must be the same afterwards: what is mounted in the root, as seen by the host, and the children of this thread.
/// Others mount elsewhere meanwhile.
fn state(root: &Path) -> (Vec<String>, usize) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = root.display().to_string();
    let mounts = mounts.lines().filter(|line| line.contains(&root)).map(str::to_owned).collect();
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    (mounts, children.split_whitespace().count())
}

/// Fails each operation; tells how many there are.
fn fail_each(request: &Request<'_>, root: &Path) -> u32 {
    let before = state(root);
    let prepared = build(request).unwrap();
    let operations = prepared.plan.operations().unwrap();
    for operation in 0..operations {
        let error = fail_at(&prepared, operation).map(drop).unwrap_err().to_string();
        assert!(!error.is_empty() && !error.ends_with('.'), "operation {operation}: {error:?}");
        assert_eq!(state(root), before, "after operation {operation}: {error}");
    }
    operations
}

#[test]
fn every_failing_operation_of_a_default_bundle_leaves_nothing() {
    if !has_busybox() {
        return;
    }
    let root = busybox_root();
    let default = spec("true", |value| {
        if is_root() {
            with_root(value, root.path());
        }
        as_anyone(value);
        value["hostname"] = json!("box");
        value["process"]["noNewPrivileges"] = json!(true);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 64, "hard": 64 }]);
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        value["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["swapon"], "action": "SCMP_ACT_ERRNO" }],
        });
    });
    let operations = fail_each(&request(&default), root.path());
    assert!(operations > 40, "{operations}");
    if is_root() {
        // Nothing was made in the root but what is mounted on.
        let mut names: Vec<_> =
            std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["bin", "dev", "proc", "sys"]);
    }
}
