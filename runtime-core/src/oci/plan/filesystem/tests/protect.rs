//! Read-only roots and paths, and how mount events spread.

use std::fs;

use serde_json::json;

use super::{add, attempt, boxed, has_busybox, in_user_namespace, is_root};
use crate::oci::plan::testing::{request, run};

#[test]
fn a_read_only_root_has_writable_mounts() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "touch /x /tmp/x; ls -d /tmp/x; touch /dev/x; ls /dev/x", |value| {
        in_user_namespace(value);
        value["root"]["readonly"] = json!(true);
        add(
            value,
            json!([
                { "destination": "/tmp", "type": "tmpfs" },
                { "destination": "/dev", "type": "tmpfs" },
            ]),
        );
    });
    assert_eq!(attempt(&spec).unwrap(), "touch: /x: Read-only file system\n/tmp/x\n/dev/x\n");
}

#[test]
fn read_only_paths_are_read_only_with_all_below_and_may_be_missing() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("data/below")).unwrap();
    fs::write(root.path().join("file"), "content").unwrap();
    let command = "touch /data/x /data/below/x /file; cat /file; touch /writable; ls /writable";
    let spec = boxed(root.path(), command, |value| {
        in_user_namespace(value);
        add(value, json!([{ "destination": "/data/below", "type": "tmpfs" }]));
        value["linux"]["readonlyPaths"] = json!(["/data", "/file", "/data/", "/missing/too"]);
    });
    let expected = "touch: /data/x: Read-only file system\ntouch: /data/below/x: Read-only file system\n\
        touch: /file: Read-only file system\ncontent/writable\n";
    assert_eq!(attempt(&spec).unwrap(), expected);
}

#[test]
fn masked_directories_share_one_empty_file_system() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("secret"), "").unwrap();
    }
    let command = "ls /a /b /c; stat -c %d /a /b /c | sort -u | grep -c .; cut -d' ' -f5 /proc/self/mountinfo | grep -cx /";
    let spec = boxed(root.path(), command, |value| {
        in_user_namespace(value);
        value["linux"]["maskedPaths"] = json!(["/a", "/b", "/c"]);
    });
    // What they were copied from is gone: one root.
    assert_eq!(attempt(&spec).unwrap(), "/a:\n\n/b:\n\n/c:\n1\n1\n");
}

#[test]
fn mount_events_spread_as_the_configuration_says() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let seen = |word: Option<&str>| {
        let command =
            "cut -d' ' -f5,7 /proc/self/mountinfo | grep -E '^(/|/tmp) ' | cut -d' ' -f2 | cut -d: -f1";
        let spec = boxed(root.path(), command, |value| {
            if let Some(word) = word {
                value["linux"]["rootfsPropagation"] = json!(word);
            }
            add(value, json!([{ "destination": "/tmp", "type": "tmpfs" }]));
        });
        attempt(&spec).unwrap().replace("master", "slave")
    };
    // Whether the host's are shared decides what a slave is.
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let shared = host.lines().any(|line| line.contains(" / / ") && line.contains("shared:"));
    let slave = if shared { "slave\n-\n" } else { "-\n-\n" };
    assert_eq!(seen(None), slave);
    assert_eq!(seen(Some("rslave")), slave);
    assert_eq!(seen(Some("rprivate")), "-\n-\n");
    assert_eq!(seen(Some("shared")), "shared\n-\n");
    assert_eq!(seen(Some("rshared")), "shared\nshared\n");
    assert_eq!(seen(Some("unbindable")), "unbindable\n-\n");
}

#[test]
fn a_shared_mount_says_so_and_others_do_not() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = "grep -E ' /(s|p|u|t) ' /proc/self/mountinfo | cut -d' ' -f5,7 | cut -d: -f1";
    let spec = boxed(root.path(), command, |value| {
        let bind = |path: &str, word: &str| json!({ "destination": path, "source": "/etc", "options": ["rbind", word] });
        let tmpfs = json!({ "destination": "/t", "type": "tmpfs", "options": ["shared"] });
        add(value, json!([bind("/s", "rshared"), bind("/p", "rprivate"), bind("/u", "unbindable"), tmpfs]));
    });
    assert_eq!(attempt(&spec).unwrap(), "/s shared\n/p -\n/u unbindable\n/t shared\n");
}

#[test]
fn without_pivot_root_the_root_is_the_same() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "ls /; cat /proc/sys/kernel/x 2>&1 | grep -c .", |value| {
        value["linux"]["maskedPaths"] = json!(["/proc/acpi"]);
    });
    let request = super::super::Request { no_pivot: true, ..request(&spec) };
    let prepared = super::super::super::build(&request).unwrap();
    let (text, _) = run(&prepared).unwrap();
    assert_eq!(text, "bin\ndev\nproc\n1\n");
}
