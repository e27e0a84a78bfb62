//! Device nodes.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{add, attempt, boxed, has_busybox, in_user_namespace, is_root};

fn dev() -> serde_json::Value {
    json!([{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] }])
}

const LIST: &str = "stat -c '%n %F %t:%T %a %u:%g'";

#[test]
fn devices_have_their_numbers_modes_and_owners() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = format!("{LIST} /dev/fuse /dev/net/tun /dev/loop /dev/pipe /dev/null /dev/zero /x");
    let spec = boxed(root.path(), &command, |value| {
        add(value, dev());
        value["linux"]["devices"] = json!([
            { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 5, "gid": 6 },
            { "path": "/dev/net/tun", "type": "u", "major": 10, "minor": 200, "fileMode": 0o20640 },
            { "path": "/dev/loop", "type": "b", "major": 7, "minor": 300 },
            { "path": "/dev/pipe", "type": "p", "fileMode": 0o622, "gid": 7 },
            { "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600 },
            { "path": "/dev/zero", "type": "c", "major": 1, "minor": 7 },
            { "path": "/dev/../dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644 },
            { "path": "/x", "type": "c", "major": 1, "minor": 3 },
        ]);
    });
    let expected = "/dev/fuse character special file a:e5 600 5:6\n\
        /dev/net/tun character special file a:c8 640 0:0\n\
        /dev/loop block special file 7:12c 666 0:0\n\
        /dev/pipe fifo 0:0 622 0:7\n\
        /dev/null character special file 1:3 600 0:0\n\
        /dev/zero character special file 1:5 644 0:0\n\
        /x character special file 1:3 666 0:0\n";
    assert_eq!(attempt(&spec).unwrap(), expected);
}

#[test]
fn another_file_in_the_place_of_a_device_is_an_error() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x"), "content").unwrap();
    let spec = boxed(root.path(), "true", |value| {
        value["linux"]["devices"] = json!([{ "path": "/x", "type": "c", "major": 1, "minor": 3, "uid": 4 }]);
    });
    assert_eq!(attempt(&spec).unwrap_err(), "verify /x: EINVAL (Invalid argument)");
    assert_eq!(fs::read_to_string(root.path().join("x")).unwrap(), "content");
}

#[test]
fn devices_of_the_host_are_shown_where_none_can_be_made() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command =
        "echo x > /dev/null; stat -c '%n %F %t:%T' /dev/null /dev/urandom /dev/x /dev/pipe; readlink /dev/fd";
    let spec = boxed(root.path(), command, |value| {
        in_user_namespace(value);
        add(value, dev());
        value["linux"]["devices"] = json!([
            { "path": "/dev/x", "type": "c", "major": 1, "minor": 5 },
            { "path": "/dev/pipe", "type": "p" },
        ]);
    });
    let expected = "/dev/null character special file 1:3\n/dev/urandom character special file 1:9\n\
        /dev/x character special file 1:5\n/dev/pipe fifo 0:0\n/proc/self/fd\n";
    // The node of another path is found by its number.
    if Path::new("/dev/char/1:5").exists() {
        assert_eq!(attempt(&spec).unwrap(), expected);
    } else {
        let reason = "1:5 cannot be made in a user namespace, and the host has no node of it";
        assert_eq!(attempt(&spec).unwrap_err(), format!("config.json: linux.devices[0]: {reason}"));
    }
}

#[test]
fn a_dev_of_the_host_stays_as_it_is() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("ptmx"), "keep").unwrap();
    let spec = boxed(root.path(), "ls /dev", |value| {
        add(value, json!([{ "destination": "/dev", "source": host.path(), "options": ["rbind"] }]));
    });
    assert_eq!(attempt(&spec).unwrap(), "ptmx\n");
    assert_eq!(fs::read_to_string(host.path().join("ptmx")).unwrap(), "keep");
}
