//! Roots that want to reach the host.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{Outside, add, attempt, boxed, default_files, has_busybox, in_user_namespace, is_root};

/// Makes something in the place of `/dev/null`, with a file of the host.
type Make = fn(&std::path::Path, &std::path::Path);

#[test]
fn cve_2019_16884_nothing_but_a_procfs_is_mounted_over_procfs() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let refused = |entry: serde_json::Value| {
        attempt(&boxed(root.path(), "true", |value| add(value, json!([entry])))).unwrap_err()
    };
    let only = "config.json: mounts[1].destination: /proc is for a procfs only";
    assert_eq!(refused(json!({ "destination": "/proc", "type": "tmpfs" })), only);
    assert_eq!(refused(json!({ "destination": "proc/", "source": "/tmp", "options": ["bind"] })), only);
    let inside = refused(json!({ "destination": "/x/../proc/self/attr", "type": "tmpfs" }));
    assert_eq!(inside, "config.json: mounts[1].destination: /proc/self/attr is inside of procfs");
}

#[test]
fn cve_2019_16884_no_link_leads_a_mount_into_procfs() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    symlink("/proc/self/attr", root.path().join("volume")).unwrap();
    let spec = boxed(root.path(), "echo started", |value| {
        add(value, json!([{ "destination": "/volume", "type": "tmpfs", "source": "tmpfs" }]));
    });
    assert_eq!(attempt(&spec).unwrap_err(), "verify /volume: EXDEV (Invalid cross-device link)");
}

#[test]
fn cve_2019_19921_procfs_is_mounted_on_a_real_directory() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    for (link, name) in [("/elsewhere", "proc"), ("elsewhere", "proc"), ("/elsewhere", "sys")] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        symlink(link, root.path().join(name)).unwrap();
        let error = attempt(&boxed(root.path(), "echo started", default_files)).unwrap_err();
        let expected = format!("open {name} in {}: ELOOP", root.path().display());
        assert!(error.starts_with(&expected), "{error}");
    }
    // Neither on a file.
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("proc"), "").unwrap();
    let error = attempt(&boxed(root.path(), "echo started", default_files)).unwrap_err();
    assert!(error.contains("ENOTDIR"), "{error}");
}

#[test]
fn cve_2023_27561_a_volume_does_not_bring_a_link_in_place_of_proc() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let volume = tempfile::tempdir().unwrap();
    fs::create_dir_all(volume.path().join("proc")).unwrap();
    symlink("/volume/proc", root.path().join("proc")).unwrap();
    let spec = boxed(root.path(), "echo started", |value| {
        let first = json!({ "destination": "/volume", "source": volume.path(), "options": ["bind"] });
        value["mounts"].as_array_mut().unwrap().insert(0, first);
        value["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    });
    let error = attempt(&spec).unwrap_err();
    assert!(error.contains("ELOOP"), "{error}");
    assert_eq!(fs::read_dir(volume.path().join("proc")).unwrap().count(), 0);
}

#[test]
fn cve_2019_18837_links_do_not_lead_mount_points_out_of_the_root() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let outside = Outside::new();
    let root = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "ours").unwrap();
    symlink(outside.path(), root.path().join("etc")).unwrap();
    symlink("../../../../../../..", root.path().join("up")).unwrap();
    let up = format!("/up{}/new", outside.path().display());
    let spec = boxed(root.path(), &format!("cat /etc/hosts; ls -d {up}"), |value| {
        add(
            value,
            json!([
                { "destination": "/etc/hosts", "source": file.path(), "options": ["bind"] },
                { "destination": up, "type": "tmpfs", "source": "tmpfs" },
            ]),
        );
    });
    // The same path exists in the root then, and the links lead there.
    assert_eq!(attempt(&spec), Ok(format!("ours{up}\n")));
    outside.assert_untouched();
}

#[test]
fn cve_2026_41579_no_node_and_no_link_is_made_through_a_link() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    for (read_only, with_links) in [(false, true), (true, true), (false, false)] {
        let outside = Outside::new();
        let root = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("dev")).unwrap();
        let spec = boxed(root.path(), "ls /dev/null /dev/fuse /dev/sub/x", |value| {
            value["root"]["readonly"] = json!(read_only);
            if with_links {
                value["linux"]["devices"] = json!([
                    { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 },
                    { "path": "/dev/sub/x", "type": "p" },
                ]);
            }
        });
        let text = attempt(&spec).unwrap();
        assert!(text.contains("/dev/null\n"), "{text}");
        outside.assert_untouched();
    }
}

#[test]
fn cve_2025_31133_what_masks_is_the_null_device() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let make: [(&str, Make); 5] = [
        ("link", |null, victim| symlink(victim, null).unwrap()),
        ("file", |null, _| fs::write(null, "content").unwrap()),
        ("directory", |null, _| fs::create_dir(null).unwrap()),
        ("fifo", |null, _| {
            rustix::fs::mkfifoat(rustix::fs::CWD, null, rustix::fs::Mode::RUSR).unwrap();
        }),
        ("zero", |null, _| {
            let device = rustix::fs::makedev(1, 5);
            let kind = rustix::fs::FileType::CharacterDevice;
            rustix::fs::mknodat(rustix::fs::CWD, null, kind, rustix::fs::Mode::RUSR, device).unwrap();
        }),
    ];
    for (name, make) in make {
        let outside = Outside::new();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("dev")).unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        make(&root.path().join("dev/null"), &outside.path().join("keep"));
        let spec = boxed(root.path(), "cat /secret", |value| {
            value["linux"]["maskedPaths"] = json!(["/secret"]);
        });
        let error = attempt(&spec).unwrap_err();
        assert!(error.contains("/dev/null") || error.contains("null in /dev"), "{name}: {error}");
        outside.assert_untouched();
    }
}

#[test]
fn cve_2025_31133_a_mask_reads_as_nothing() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("secret"), "secret").unwrap();
    fs::create_dir(root.path().join("secrets")).unwrap();
    fs::write(root.path().join("secrets/one"), "secret").unwrap();
    symlink("/secret", root.path().join("link")).unwrap();
    let spec = boxed(
        root.path(),
        "cat /secret /link; ls /secrets; touch /secrets/x; stat -c %t:%T /secret",
        |value| {
            let masked = ["/link", "/secret", "/secrets", "//secrets/", "/missing", "/missing/too"];
            value["linux"]["maskedPaths"] = json!(masked);
        },
    );
    assert_eq!(attempt(&spec).unwrap(), "touch: /secrets/x: Read-only file system\n1:3\n");
    assert_eq!(fs::read_to_string(root.path().join("secret")).unwrap(), "secret");
}

#[test]
fn cve_2023_25809_the_cgroups_below_a_read_only_sys_are_read_only() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -d $d ] && mkdir $d/cofferdam-test-x && echo made; done; true";
    let spec = boxed(root.path(), command, |value| {
        in_user_namespace(value);
        let options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
        add(value, json!([{ "destination": "/sys", "type": "none", "source": "/sys", "options": options }]));
    });
    let text = attempt(&spec).unwrap();
    assert!(text.contains("Read-only file system"), "{text}");
    assert!(text.lines().all(|line| line.ends_with("Read-only file system")), "{text}");
}

#[test]
fn links_in_circles_are_an_error() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    symlink("b", root.path().join("a")).unwrap();
    symlink("a", root.path().join("b")).unwrap();
    let spec = boxed(root.path(), "true", |value| {
        add(value, json!([{ "destination": "/a/x", "type": "tmpfs", "source": "tmpfs" }]));
    });
    let error = attempt(&spec).unwrap_err();
    assert!(error.starts_with("make mount target /a/x in ") && error.contains("ELOOP"), "{error}");
}

#[test]
fn a_directory_is_not_mounted_on_a_file_nor_a_file_on_a_directory() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("directory")).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    for (destination, source) in [("/directory", "/etc/passwd"), ("/file", "/etc")] {
        let spec = boxed(root.path(), "true", |value| {
            add(value, json!([{ "destination": destination, "source": source, "options": ["bind"] }]));
        });
        let error = attempt(&spec).unwrap_err();
        assert!(error.contains("move_mount"), "{error}");
    }
}
