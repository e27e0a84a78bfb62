//! File systems of the container's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use serde_json::json;

use super::{add, attempt, boxed, has_busybox, in_user_namespace, is_root};
use crate::oci::plan::testing::spec;

/// The options of a mount, as the kernel lists them.
const OPTIONS: &str = "grep ' /x ' /proc/self/mountinfo | cut -d' ' -f6-";

#[test]
fn options_become_attributes_and_parameters() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for (options, expected) in [
        (json!(["ro", "nosuid", "nodev", "noexec"]), "ro,nosuid,nodev,noexec,relatime - tmpfs name rw"),
        (json!(["noatime", "nodiratime"]), "rw,noatime,nodiratime - tmpfs name rw"),
        (json!(["strictatime"]), "rw - tmpfs name rw"),
        (json!(["nosymfollow", "rro"]), "ro,relatime,nosymfollow - tmpfs name rw"),
        (json!(["sync", "dirsync", "size=8k"]), "rw,relatime - tmpfs name rw,sync,dirsync,size=8k"),
        (json!(["noexec", "exec", "ro", "rw", "defaults", "async"]), "rw,relatime - tmpfs name rw"),
    ] {
        let spec = boxed(root.path(), OPTIONS, |value| {
            in_user_namespace(value);
            let entry = json!({ "destination": "/x", "type": "tmpfs", "source": "name", "options": options });
            add(value, json!([entry]));
        });
        let text = attempt(&spec).unwrap();
        assert!(text.starts_with(expected), "{options}: {text}");
    }
}

#[test]
fn what_the_host_has_mounted_there_can_be_mounted_again() {
    if !is_root() {
        return;
    }
    // The root, and the namespaces that these file systems belong to, are those of the host.
    let spec = spec("grep -cE ' /(proc|sys|dev/mqueue) ' /proc/self/mountinfo", |value| {
        value["linux"]["namespaces"] = json!([{ "type": "mount" }]);
        value["mounts"] = json!([
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs" },
            { "destination": "/tmp", "type": "mqueue", "source": "mqueue" },
            { "destination": "/tmp", "type": "mqueue", "source": "mqueue" },
        ]);
    });
    let count: u32 = attempt(&spec).unwrap().trim().parse().unwrap();
    assert!(count >= 4, "{count}");
}

#[test]
fn entries_are_mounted_in_order_and_may_cover_each_other() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "ls /a /a/b; mkdir /a/x; touch /a/b/x", |value| {
        in_user_namespace(value);
        add(
            value,
            json!([
                { "destination": "/a", "type": "tmpfs", "options": ["ro"] },
                { "destination": "a/b/c/../..//b", "type": "tmpfs", "options": ["size=4k"] },
            ]),
        );
    });
    // The first is read-only only after the place for the second was made in it.
    let expected = "/a:\nb\n\n/a/b:\nmkdir: can't create directory '/a/x': Read-only file system\n";
    assert_eq!(attempt(&spec).unwrap(), expected);
}

#[test]
fn a_tmpfs_has_the_mode_of_what_it_covers() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("covered")).unwrap();
    fs::set_permissions(root.path().join("covered"), fs::Permissions::from_mode(0o2710)).unwrap();
    symlink("/covered", root.path().join("link")).unwrap();
    let spec = boxed(root.path(), "stat -c %a /covered /link/ /new /own", |value| {
        in_user_namespace(value);
        let tmpfs = |path: &str, options: &[&str]| json!({ "destination": path, "type": "tmpfs", "options": options });
        add(
            value,
            json!([
                tmpfs("/covered", &[]),
                tmpfs("/link", &[]),
                tmpfs("/new", &[]),
                tmpfs("/own", &["mode=700"])
            ]),
        );
    });
    assert_eq!(attempt(&spec).unwrap(), "2710\n2710\n1777\n700\n");
}

#[test]
fn a_tmpfs_may_begin_with_what_it_covers() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join("data").join(path);
    fs::create_dir_all(at("sub/deep")).unwrap();
    fs::write(at("file"), "content").unwrap();
    fs::write(at("sub/deep/empty"), "").unwrap();
    fs::write(at("sub/large"), vec![b'x'; 300_000]).unwrap();
    symlink("/etc/passwd", at("link")).unwrap();
    chown(at("file"), Some(12), Some(34)).unwrap();
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o645)).unwrap();
    fs::set_permissions(at("sub"), fs::Permissions::from_mode(0o1750)).unwrap();
    let command = "cat /data/file; echo; cd /data; stat -c '%n %F %a %u:%g %s' file sub/deep sub/deep/empty sub/large; \
        stat -c '%n %a' sub .; readlink link; touch new; grep -c ' /data .* tmpfs ' /proc/self/mountinfo";
    let spec = boxed(root.path(), command, |value| {
        add(value, json!([{ "destination": "/data", "type": "tmpfs", "options": ["tmpcopyup"] }]));
    });
    let expected = "content\nfile regular file 645 12:34 7\nsub/deep directory 755 0:0 60\n\
        sub/deep/empty regular empty file 644 0:0 0\nsub/large regular file 644 0:0 300000\nsub 1750\n. 755\n\
        /etc/passwd\n1\n";
    assert_eq!(attempt(&spec).unwrap(), expected);
    assert!(!at("new").exists());
}

#[test]
fn a_copy_into_a_tmpfs_is_bounded_and_may_be_of_nothing() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = |path: &str| {
        boxed(root.path(), "ls /x /many", |value| {
            in_user_namespace(value);
            add(value, json!([{ "destination": path, "type": "tmpfs", "options": ["tmpcopyup"] }]));
        })
    };
    fs::create_dir_all(root.path().join("many")).unwrap();
    assert_eq!(attempt(&spec("/x")).unwrap(), "/many:\n\n/x:\n");
    for number in 0..5000 {
        fs::write(root.path().join("many").join(number.to_string()), "").unwrap();
    }
    let expected = "config.json: mounts[1].options: tmpcopyup copies 4096 files at most, and /many has more";
    assert_eq!(attempt(&spec("/many")).unwrap_err(), expected);
}

#[test]
fn what_is_mounted_can_be_changed_by_a_later_entry() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), OPTIONS, |value| {
        in_user_namespace(value);
        add(
            value,
            json!([
                { "destination": "/x", "type": "tmpfs", "source": "name" },
                { "destination": "/x", "options": ["remount", "bind", "nosuid"] },
                { "destination": "/x", "options": ["remount", "size=12k", "noexec"] },
            ]),
        );
    });
    let text = attempt(&spec).unwrap();
    assert!(text.starts_with("rw,nosuid,noexec,relatime - tmpfs name rw,size=12k"), "{text}");
}

#[test]
fn long_parameters_reach_the_file_system() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("l".repeat(200));
    let root = tempfile::tempdir().unwrap();
    let layers: Vec<String> = (0..3)
        .map(|number| {
            let layer = long.join(number.to_string());
            fs::create_dir_all(&layer).unwrap();
            fs::write(layer.join(format!("from-{number}")), "").unwrap();
            layer.display().to_string()
        })
        .collect();
    let spec = boxed(
        root.path(),
        "ls /x; touch /x/new; grep ' /x ' /proc/self/mountinfo | cut -d' ' -f6-8",
        |value| {
            let lower = format!("lowerdir={}", layers.join(":"));
            let options = json!([lower, "ro", "nodev", "shared"]);
            add(
                value,
                json!([{ "destination": "/x", "type": "overlay", "source": "overlay", "options": options }]),
            );
        },
    );
    let text = attempt(&spec).unwrap();
    assert!(
        text.starts_with(
            "from-0\nfrom-1\nfrom-2\ntouch: /x/new: Read-only file system\nro,nodev,relatime shared:"
        ),
        "{text}"
    );
}

#[test]
fn a_sysfs_without_a_network_namespace_is_the_hosts() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "ls -d /sys/class; touch /sys/kernel/x", |value| {
        in_user_namespace(value);
        let list = value["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|namespace| namespace["type"] != "network");
        add(value, json!([{ "destination": "/sys", "type": "sysfs", "options": ["nosuid", "ro"] }]));
    });
    let text = attempt(&spec).unwrap();
    assert_eq!(text, "/sys/class\ntouch: /sys/kernel/x: Read-only file system\n");
}

#[test]
fn many_mounts_are_one_plan() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "grep -c ' /many/' /proc/self/mountinfo", |value| {
        in_user_namespace(value);
        let entry = |number: u32| json!({ "destination": format!("/many/{number}"), "source": "/etc", "options": ["bind"] });
        add(value, (0..900).map(entry).collect());
    });
    assert_eq!(attempt(&spec).unwrap(), "900\n");
}
