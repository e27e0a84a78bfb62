//! Files and directories of the host.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use serde_json::json;

use super::{add, attempt, boxed, has_busybox, in_user_namespace, is_root};
use crate::oci::plan::testing::{request, run};

#[test]
fn files_and_directories_are_shown_and_made_where_they_are_missing() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "content").unwrap();
    symlink("file", host.path().join("link")).unwrap();
    let spec = boxed(
        root.path(),
        "cat /deep/er/file /linked; ls /directory; touch /directory/new /deep/er/file",
        |value| {
            in_user_namespace(value);
            let bind = |destination: &str, name: &str, options: &[&str]| json!({ "destination": destination, "type": "none", "source": host.path().join(name), "options": options });
            add(
                value,
                json!([
                    bind("/deep/er/file", "file", &["bind", "ro"]),
                    bind("/directory", "", &["rbind"]),
                    bind("/linked", "link", &["bind"]),
                ]),
            );
        },
    );
    let text = attempt(&spec).unwrap();
    assert_eq!(text, "contentcontentfile\nlink\ntouch: /deep/er/file: Read-only file system\n");
    assert!(host.path().join("new").exists());
    assert!(root.path().join("deep/er/file").is_file() && root.path().join("linked").is_file());
}

#[test]
fn a_relative_source_is_of_the_bundle_and_bind_may_be_the_type() {
    if !has_busybox() {
        return;
    }
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("volume")).unwrap();
    fs::write(bundle.path().join("volume/file"), "content").unwrap();
    let root = bundle.path().join("rootfs");
    let spec = boxed(&root, "cat /x/file", |value| {
        in_user_namespace(value);
        value["root"]["path"] = json!("./rootfs");
        add(value, json!([{ "destination": "x", "type": "bind", "source": "volume" }]));
    });
    let prepared =
        super::super::super::build(&super::super::Request { bundle: bundle.path(), ..request(&spec) });
    assert_eq!(run(&prepared.unwrap()).unwrap().0, "content");
}

#[test]
fn recursive_options_reach_what_is_mounted_below() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for (options, flag, all) in [
        (["rbind", "ro"], "ro", false),
        (["rbind", "rro"], "ro", true),
        (["rbind", "rnodiratime"], "nodiratime", true),
        (["rbind", "rnoatime"], "noatime", true),
        (["rbind", "nodiratime"], "nodiratime", false),
        (["rbind", "rnosymfollow"], "nosymfollow", true),
    ] {
        // This one has mounts below it on every host.
        let spec = boxed(root.path(), "grep ' /x' /proc/self/mountinfo | cut -d' ' -f6", |value| {
            add(value, json!([{ "destination": "/x", "source": "/dev", "options": options }]));
        });
        let text = attempt(&spec).unwrap();
        let has: Vec<bool> = text.lines().map(|line| line.split(',').any(|word| word == flag)).collect();
        assert!(has.len() > 1 && has[0], "{options:?}: {text}");
        assert_eq!(has[1..].iter().all(|has| *has), all, "{options:?}: {text}");
    }
    let spec = boxed(root.path(), "grep -c ' /x' /proc/self/mountinfo", |value| {
        add(value, json!([{ "destination": "/x", "source": "/dev", "options": ["bind", "rro"] }]));
    });
    assert_eq!(attempt(&spec).unwrap(), "1\n");
}

#[test]
fn a_source_that_is_exchanged_after_the_look_is_not_mounted() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    let source = host.path().join("source");
    fs::create_dir(&source).unwrap();
    let spec = boxed(root.path(), "echo started", |value| {
        in_user_namespace(value);
        add(value, json!([{ "destination": "/x", "source": source, "options": ["bind"] }]));
    });
    let request = request(&spec);
    let prepared = super::super::super::build(&request).unwrap();
    fs::rename(&source, host.path().join("other")).unwrap();
    symlink("/etc", &source).unwrap();
    let error = run(&prepared).unwrap_err().to_string();
    assert_eq!(error, format!("verify {}: EXDEV (Invalid cross-device link)", source.display()));
}

#[test]
fn a_root_that_is_exchanged_after_the_look_is_not_entered() {
    if !has_busybox() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("rootfs");
    let spec = boxed(&root, "echo started", in_user_namespace);
    let request = request(&spec);
    let prepared = super::super::super::build(&request).unwrap();
    fs::rename(&root, parent.path().join("other")).unwrap();
    symlink("/", &root).unwrap();
    let error = run(&prepared).unwrap_err().to_string();
    assert_eq!(error, format!("verify {}: EXDEV (Invalid cross-device link)", root.display()));
}

#[test]
fn ids_appear_as_others_through_a_mapped_mount() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "").unwrap();
    let map = |inside: u32, outside: u32| json!([{ "containerID": inside, "hostID": outside, "size": 10 }]);
    let entry = json!({
        "destination": "/x", "source": host.path(), "options": ["bind", "idmap"],
        "uidMappings": map(0, 1000), "gidMappings": map(0, 2000),
    });
    let spec = boxed(root.path(), "stat -c %u:%g /x/file", |value| add(value, json!([entry.clone()])));
    assert_eq!(attempt(&spec).unwrap(), "1000:2000\n");
    // What is the container's root's is the container's root's, too.
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "stat -c %u:%g /x/file; touch /x/new", |value| {
        value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
        value["linux"]["uidMappings"] = map(0, 100_000);
        value["linux"]["gidMappings"] = map(0, 100_000);
        let entry = json!({ "destination": "/x", "source": host.path(), "options": ["rbind", "ridmap"] });
        add(value, json!([entry]));
    });
    fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(attempt(&spec).unwrap(), "0:0\n");
    assert_eq!(fs::metadata(host.path().join("new")).unwrap().uid(), 0);
}

#[test]
fn a_directory_that_only_the_host_may_enter_can_be_shown_in_a_user_namespace() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("rootfs");
    fs::create_dir(parent.path().join("volume")).unwrap();
    fs::write(parent.path().join("volume/file"), "content").unwrap();
    let spec = boxed(&root, "cat /x/file", |value| {
        value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }]);
        value["linux"]["uidMappings"] = map.clone();
        value["linux"]["gidMappings"] = map;
        add(
            value,
            json!([{ "destination": "/x", "source": parent.path().join("volume"), "options": ["bind"] }]),
        );
    });
    for place in ["x", "proc", "dev"] {
        fs::create_dir(root.join(place)).unwrap();
        std::os::unix::fs::chown(root.join(place), Some(100_000), Some(100_000)).unwrap();
    }
    fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(attempt(&spec).unwrap(), "content");
}

#[test]
fn the_directory_of_the_notify_socket_is_mounted() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let notify = tempfile::tempdir().unwrap();
    fs::write(notify.path().join("notify"), "").unwrap();
    let spec = boxed(root.path(), "ls /run/notify", in_user_namespace);
    let request = super::super::Request { notify: Some(notify.path().to_owned()), ..request(&spec) };
    let prepared = super::super::super::build(&request).unwrap();
    assert_eq!(run(&prepared).unwrap().0, "notify\n");
}
