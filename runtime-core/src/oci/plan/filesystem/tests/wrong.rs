//! Values that cannot be applied.

use serde_json::{Value, json};

use super::{add, attempt, boxed, has_busybox, in_user_namespace};

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let root = tempfile::tempdir().unwrap();
    attempt(&boxed(root.path(), "true", change)).unwrap_err()
}

#[test]
fn each_wrong_entry_of_mounts_names_its_place() {
    if !has_busybox() {
        return;
    }
    for (entry, expected) in [
        (json!({ "destination": "/", "type": "tmpfs" }), "destination: / is the root itself"),
        (json!({ "destination": "a/../..", "type": "tmpfs" }), "destination: a/../.. is the root itself"),
        (json!({ "destination": "/x" }), "type: is missing, and the options have neither bind nor rbind"),
        (
            json!({ "destination": "/x", "options": ["rbind"] }),
            "source: is missing, which a bind mount needs",
        ),
        (
            json!({ "destination": "/x", "source": "/nowhere/x", "options": ["rbind"] }),
            "source: /nowhere/x: ENOENT (No such file or directory)",
        ),
        (json!({ "destination": "/x", "type": "tmpfs", "options": ["ro", ""] }), "options[1]: \"\" is empty"),
        (
            json!({ "destination": "/x", "source": "/etc", "options": ["bind", "size=1"] }),
            "options[1]: is no option of a bind mount",
        ),
        (
            json!({ "destination": "/x", "source": "/etc", "options": ["bind", "sync"] }),
            "options: sync is nothing that a bind mount can have",
        ),
        (
            json!({ "destination": "/x", "type": "tmpfs", "options": ["idmap"] }),
            "options: ids are to be mapped, but there is neither a mapping nor a user namespace",
        ),
        (
            json!({ "destination": "/x", "source": "/etc", "options": ["bind", "tmpcopyup"] }),
            "options: tmpcopyup is for a tmpfs only",
        ),
        (
            json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro", "cpu"] }),
            "options[1]: is no option of a cgroup mount",
        ),
        (
            json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["rshared"] }),
            "options: a cgroup mount cannot be shared",
        ),
    ] {
        let error = refusal(|value| add(value, json!([entry])));
        assert_eq!(error, format!("config.json: mounts[1].{expected}"));
    }
}

#[test]
fn an_unknown_parameter_of_a_file_system_is_an_error_of_the_kernel() {
    if !has_busybox() {
        return;
    }
    let error = refusal(|value| {
        in_user_namespace(value);
        add(value, json!([{ "destination": "/x", "type": "tmpfs", "options": ["nosuchoption=1"] }]));
    });
    assert!(error.contains("nosuchoption") && error.contains("EINVAL"), "{error}");
}

#[test]
fn a_group_of_terminals_that_nobody_has_is_refused() {
    if !has_busybox() {
        return;
    }
    let error = refusal(|value| {
        in_user_namespace(value);
        let options = ["newinstance", "gid=5"];
        add(value, json!([{ "destination": "/dev/pts", "type": "devpts", "options": options }]));
    });
    assert_eq!(error, "config.json: mounts[1].options[1]: the group 5 is not in linux.gidMappings");
}

#[test]
fn an_mqueue_of_the_host_cannot_be_mounted_in_a_user_namespace() {
    if !has_busybox() {
        return;
    }
    let error = refusal(|value| {
        in_user_namespace(value);
        let list = value["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|namespace| namespace["type"] != "ipc");
        add(value, json!([{ "destination": "/dev/mqueue", "type": "mqueue" }]));
    });
    let expected = "mounts[1].type: an mqueue in a user namespace needs an ipc namespace of its own";
    assert_eq!(error, format!("config.json: {expected}"));
}

#[test]
fn the_root_is_a_directory_that_is_not_the_hosts_by_accident() {
    if !has_busybox() {
        return;
    }
    let root = |path: Value| refusal(|value| value["root"]["path"] = path);
    let missing = root(json!("/nowhere/root"));
    assert_eq!(missing, "config.json: root.path: /nowhere/root: ENOENT (No such file or directory)");
    assert_eq!(root(json!("/etc/passwd")), "config.json: root.path: /etc/passwd: ENOTDIR (Not a directory)");
    let accident = root(json!("/usr/.."));
    assert_eq!(accident, "config.json: root.path: /usr/.. is the root of the host, and does not say so");
}

#[test]
fn wrong_devices_and_paths_name_their_place() {
    if !has_busybox() {
        return;
    }
    let device = |device: Value| refusal(|value| value["linux"]["devices"] = json!([device]));
    for (given, expected) in [
        (json!({ "path": "/", "type": "p" }), "path: / is no name of a file"),
        (json!({ "path": "/x", "type": "a" }), "type: a is for rules, not for devices"),
        (json!({ "path": "/x", "type": "c", "major": -1, "minor": 0 }), "major: -1 is no number of a device"),
        (
            json!({ "path": "/x", "type": "b", "major": 1, "minor": 1_048_576 }),
            "minor: 1048576 is no number of a device",
        ),
        (
            json!({ "path": "/x", "type": "p", "fileMode": 0o20666 }),
            "fileMode: 8630 is no mode of this type of file",
        ),
    ] {
        assert_eq!(device(given), format!("config.json: linux.devices[0].{expected}"));
    }
    let masked = refusal(|value| value["linux"]["maskedPaths"] = json!(["/ok", "/"]));
    assert_eq!(masked, "config.json: linux.maskedPaths[1]: \"/\" is the root itself");
    let read_only = refusal(|value| value["linux"]["readonlyPaths"] = json!(["/x/.."]));
    assert_eq!(read_only, "config.json: linux.readonlyPaths[0]: \"/x/..\" is the root itself");
    let spread = refusal(|value| value["linux"]["rootfsPropagation"] = json!("sharedd"));
    assert_eq!(
        spread,
        "config.json: linux.rootfsPropagation: \"sharedd\" is not one of private, slave, shared, unbindable, or these with r"
    );
}

#[test]
fn a_label_without_selinux_is_refused() {
    if !has_busybox() {
        return;
    }
    if std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return;
    }
    let error = refusal(|value| value["linux"]["mountLabel"] = json!("system_u:object_r:x:s0"));
    let expected =
        "linux.mountLabel: \"system_u:object_r:x:s0\" cannot be set: there is no SELinux on this host";
    assert_eq!(error, format!("config.json: {expected}"));
}
