//! Each operation fails in turn.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cofferdam_process::{Rendezvous, Spawner};
use serde_json::json;

use super::{add, boxed, default_files, has_busybox, is_root, snapshot};
use crate::oci::plan::build;
use crate::oci::plan::testing::request;

/// Has nothing to do.
struct Nobody;

impl Rendezvous for Nobody {}

#[test]
fn whatever_fails_the_host_is_as_before() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "content").unwrap();
    let spec = boxed(root.path(), "true", |value| {
        default_files(value);
        value["root"]["readonly"] = json!(true);
        value["process"]["terminal"] = json!(true);
        value["process"]["args"] = json!(["/no-program"]);
        value["linux"]["devices"] =
            json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 3, "uid": 1 }]);
        add(
            value,
            json!([
                { "destination": "/shared", "source": host.path(), "options": ["rbind", "rshared", "ro"] },
                { "destination": "/copied", "type": "tmpfs", "options": ["tmpcopyup", "ro"] },
            ]),
        );
    });
    // What no operation fails ends here: not every one of them is needed on every host.
    fs::write(root.path().join("no-program"), "no program").unwrap();
    fs::set_permissions(root.path().join("no-program"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(root.path().join("copied")).unwrap();
    fs::write(root.path().join("copied/file"), "content").unwrap();
    let request = request(&spec);
    let plan = build(&request).unwrap().plan;
    // Not what the file systems say of themselves: others may change that meanwhile.
    let mounts = || -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.lines().map(|line| line.split(" - ").next().unwrap_or_default().to_owned()).collect()
    };
    let (mounts_before, files_before) = (mounts(), snapshot(host.path()));
    let operations = plan.operations().unwrap();
    assert!(operations > 200, "{operations}");
    let mut needed = 0;
    for operation in 0..operations {
        let (mut before, mut after) = (Nobody, Nobody);
        let held = Spawner::new(&plan, &[]).rendezvous(&mut before).fail_at(operation).hold();
        let started = held.and_then(|held| held.start(&mut after));
        let error = started.unwrap_err();
        needed += usize::from(error.errno().is_some_and(|errno| errno.number() == libc::ENOSYS));
    }
    assert!(needed > 150, "{needed} of {operations}");
    assert_eq!(mounts(), mounts_before);
    assert_eq!(snapshot(host.path()), files_before);
    assert_eq!(fs::read_to_string(root.path().join("copied/file")).unwrap(), "content");
}
