//! Every operation of a plan fails in turn.

use serde_json::json;

use super::super::testing::{as_anyone, busybox_root, fail_at, is_root, request, spec, with_root};
use super::super::{Request, build};

/// What must be the same afterwards: the descriptors of this thread's process are shared with other tests, so those that
/// tests do not open by themselves are counted by what they are.
fn state() -> (String, usize) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    (mounts, children.split_whitespace().count())
}

/// Fails each operation; tells how many there are.
fn fail_each(request: &Request<'_>) -> u32 {
    let before = state();
    let prepared = build(request).unwrap();
    let operations = prepared.plan.operations().unwrap();
    for operation in 0..operations {
        let error = fail_at(&prepared, operation).map(drop).unwrap_err().to_string();
        assert!(!error.is_empty() && !error.ends_with('.'), "operation {operation}: {error:?}");
        assert_eq!(state(), before, "after operation {operation}: {error}");
    }
    operations
}

#[test]
fn every_failing_operation_of_a_default_bundle_leaves_nothing() {
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
    let operations = fail_each(&request(&default));
    assert!(operations > 40, "{operations}");
    if is_root() {
        // Nothing was made in the root but what is mounted on.
        let mut names: Vec<_> =
            std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["bin", "dev", "proc", "sys"]);
    }
}
