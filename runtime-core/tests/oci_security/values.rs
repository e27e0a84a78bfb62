//! Values of a configuration, and roots, that are wrong: each is an error that names it, and nothing is left.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};

use crate::common::bundle::{Bundle, busybox};
use crate::common::{can_isolate, is_root};
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

/// Where in the document, what is put there, and how the error begins.
type WrongValue = (&'static str, Value, &'static str);

fn wrong_values() -> Vec<WrongValue> {
    let rlimit = |kind: &str, soft: u64| json!({ "type": kind, "soft": soft, "hard": 10 });
    vec![
        ("/ociVersion", json!("2.0.0"), "config.json: ociVersion"),
        ("/ociVersion", json!("1.x"), "config.json: ociVersion"),
        ("/process/args", json!([]), "config.json: process.args"),
        ("/process/args", json!([""]), "config.json: process.args"),
        ("/process/args", json!(["a\0b"]), "config.json: process.args[0]"),
        ("/process/cwd", json!(""), "config.json: process.cwd"),
        ("/process/cwd", json!("tmp"), "config.json: process.cwd"),
        ("/process/env", json!(["=x"]), "config.json: process.env[0]"),
        ("/process/env", json!([""]), "config.json: process.env[0]"),
        (
            "/process/rlimits",
            json!([rlimit("RLIMIT_CORE", 0), rlimit("RLIMIT_CORE", 0)]),
            "config.json: process.rlimits[1]",
        ),
        ("/process/rlimits", json!([rlimit("RLIMIT_CORE", 11)]), "config.json: process.rlimits[0]"),
        ("/process/oomScoreAdj", json!(1001), "config.json: process.oomScoreAdj"),
        ("/hostname", json!("x".repeat(65)), "config.json: hostname"),
        ("/domainname", json!("x".repeat(65)), "config.json: domainname"),
        ("/linux/namespaces/-", json!({ "type": "mount" }), "config.json: linux.namespaces[6]"),
        (
            "/linux/namespaces/-",
            json!({ "type": "time", "path": "/etc/passwd" }),
            "config.json: linux.namespaces[6].path",
        ),
        (
            "/linux/namespaces/-",
            json!({ "type": "time", "path": "/proc/self/ns/net" }),
            "config.json: linux.namespaces[6].path",
        ),
        (
            "/linux/namespaces/-",
            json!({ "type": "time", "path": "ns" }),
            "config.json: linux.namespaces[6].path",
        ),
    ]
}

/// More of them, about the files of a container and the host.
fn more_wrong_values() -> Vec<WrongValue> {
    vec![
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "c", "major": -1, "minor": 0 }]),
            "config.json: linux.devices[0].major",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "c", "major": 4096, "minor": 0 }]),
            "config.json: linux.devices[0].major",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/../..", "type": "p" }]),
            "config.json: linux.devices[0].path",
        ),
        ("/linux/maskedPaths", json!(["proc/kcore"]), "config.json: linux.maskedPaths[0]"),
        ("/linux/readonlyPaths", json!([""]), "config.json: linux.readonlyPaths[0]"),
        ("/linux/rootfsPropagation", json!("public"), "config.json: linux.rootfsPropagation"),
        ("/mounts/0/destination", json!("/"), "config.json: mounts[0].destination"),
        ("/mounts/0/destination", json!("/../.."), "config.json: mounts[0].destination"),
        (
            "/mounts/0/options",
            json!(["nosuchoption"]),
            "mount proc source=proc nosuchoption on /proc: EINVAL",
        ),
        ("/mounts/2/source", json!("/no\0thing"), "config.json: mounts[2].source"),
        ("/root/path", json!("/etc/.."), "config.json: root.path"),
        ("/root/path", json!(""), "config.json: root.path"),
        ("/root/path", json!("config.json"), "config.json: root.path"),
        ("/root/path", json!("missing"), "config.json: root.path"),
        ("/hooks", json!({ "prestart": [{ "path": "relative" }] }), "config.json: hooks.prestart[0].path"),
        (
            "/hooks",
            json!({ "poststop": [{ "path": "/bin/true", "timeout": 0 }] }),
            "config.json: hooks.poststop[0].timeout",
        ),
        ("/linux/intelRdt", json!({ "closID": "../x" }), "config.json: linux.intelRdt.closID"),
        ("/linux/timeOffsets", json!({ "boottime": { "secs": 1 } }), "config.json: linux.timeOffsets"),
        (
            "/linux/personality",
            json!({ "domain": "LINUX", "flags": ["X"] }),
            "config.json: linux.personality",
        ),
    ]
}

#[test]
fn each_wrong_value_is_named_and_leaves_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::each_wrong_value_is_named_and_leaves_nothing", || {
        let (before, outside) = (Before::look(), Outside::new());
        for (at, value, begin) in wrong_values().into_iter().chain(more_wrong_values()) {
            let mut bundle = Bundle::new("echo started");
            let what = format!("{at}: {}", value.to_string().chars().take(80).collect::<String>());
            fs::write(bundle.path().join("config.json"), "{}").unwrap();
            let (parent, name) = at.rsplit_once('/').unwrap();
            let parent = bundle.config.pointer_mut(parent).unwrap();
            match (name, parent.as_array_mut()) {
                // One more.
                ("-", Some(list)) => list.push(value),
                _ => parent[name] = value,
            }
            let text = attempt(&bundle).map_err(|error| error.to_string()).expect_err(&what);
            assert!(text.starts_with(begin), "{what}: {text}");
            assert!(text.lines().count() == 1 && text.len() < 600, "{what}: {text}");
            before.assert_same(&bundle, &outside, &what);
        }
    });
}

#[test]
fn files_of_the_caller_in_missing_places_are_named_and_leave_nothing() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::files_of_the_caller_in_missing_places_are_named_and_leave_nothing", || {
        let (before, outside) = (Before::look(), Outside::new());
        let missing = || Some("/nowhere/x".into());
        let bundle = {
            let mut bundle = Bundle::new("exit 0");
            bundle.config["process"]["terminal"] = json!(true);
            bundle
        };
        for what in ["pid file", "console socket", "pidfd socket", "bundle"] {
            let spec = bundle.spec();
            let mut options = bundle.options("box", &spec);
            match what {
                "pid file" => options.pid_file = missing(),
                "console socket" => options.console_socket = missing(),
                "pidfd socket" => options.pidfd_socket = missing(),
                _ => options.bundle = "relative".into(),
            }
            let text = bundle.runtime.create(options).unwrap_err().to_string();
            assert!(text.contains(what), "{what}: {text}");
            before.assert_same(&bundle, &outside, what);
        }
    });
}

#[test]
fn a_pid_file_does_not_go_through_a_link() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::a_pid_file_does_not_go_through_a_link", || {
        let (before, outside) = (Before::look(), Outside::new());
        let bundle = Bundle::new("exit 0");
        let file = bundle.path().join("pid");
        symlink(outside.path().join("keep"), &file).unwrap();
        let spec = bundle.spec();
        let mut options = bundle.options("box", &spec);
        options.pid_file = Some(file.clone());
        let container = bundle.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fs::read_to_string(&file).unwrap(), container.pid().unwrap().to_string());
        assert!(!file.is_symlink());
        container.delete(true).unwrap();
        before.assert_same(&bundle, &outside, "a link");
    });
}

/// How a root is spoiled, and whether a container can be made then, or what its error has in it.
type Row = (&'static str, fn(&std::path::Path), Result<(), &'static str>);

fn roots() -> Vec<Row> {
    vec![
        (
            "links in a circle",
            |root| {
                symlink("b", root.join("a")).unwrap();
                symlink("a", root.join("b")).unwrap();
                fs::remove_dir(root.join("tmp")).unwrap();
                symlink("a", root.join("tmp")).unwrap();
            },
            Err("ELOOP"),
        ),
        (
            "a link to nothing",
            |root| {
                fs::remove_dir(root.join("tmp")).unwrap();
                symlink("/missing/at/all", root.join("tmp")).unwrap();
            },
            Ok(()),
        ),
        (
            "a mount point is a file",
            |root| {
                fs::remove_dir(root.join("tmp")).unwrap();
                fs::write(root.join("tmp"), "").unwrap();
            },
            Err("ENOTDIR"),
        ),
        (
            "the list of users is a fifo",
            |root| mkfifoat(CWD, root.join("etc/passwd"), Mode::RUSR).unwrap(),
            Ok(()),
        ),
        (
            "the list of users is a link",
            |root| symlink("/dev/zero", root.join("etc/passwd")).unwrap(),
            Ok(()),
        ),
        (
            "the list of users is huge",
            |root| {
                fs::File::create(root.join("etc/passwd")).unwrap().set_len(10 << 30).unwrap();
            },
            Ok(()),
        ),
        (
            "the list of users has no lines",
            |root| fs::write(root.join("etc/passwd"), "\0\0x:::").unwrap(),
            Ok(()),
        ),
    ]
}

/// More of them, about programs and names.
fn more_roots() -> Vec<Row> {
    let long = |root: &std::path::Path| {
        let mut at = root.join("etc");
        for _ in 0..10 {
            at = at.join("n".repeat(255));
            fs::create_dir(&at).unwrap();
        }
    };
    vec![
        ("long names", long, Ok(())),
        (
            "the program is a directory",
            |root| {
                fs::remove_file(root.join("bin/sh")).unwrap();
                fs::create_dir(root.join("bin/sh")).unwrap();
            },
            Err("EACCES"),
        ),
        (
            "the program is a fifo",
            |root| {
                fs::remove_file(root.join("bin/sh")).unwrap();
                mkfifoat(CWD, root.join("bin/sh"), Mode::RWXU).unwrap();
            },
            Err("EACCES"),
        ),
        (
            "the program is a link to nothing",
            |root| {
                fs::remove_file(root.join("bin/sh")).unwrap();
                symlink("/nothing", root.join("bin/sh")).unwrap();
            },
            Err("ENOENT"),
        ),
        (
            "the root has set-user-id programs",
            |root| {
                let mode = fs::Permissions::from_mode(0o6755);
                fs::set_permissions(root.join("bin/busybox"), mode).unwrap();
            },
            Ok(()),
        ),
    ]
}

#[test]
fn a_strange_root_is_used_as_far_as_it_can_be() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::a_strange_root_is_used_as_far_as_it_can_be", || {
        let (before, outside) = (Before::look(), Outside::new());
        for (what, spoil, expected) in roots().into_iter().chain(more_roots()) {
            let mut bundle = Bundle::new("echo started");
            spoil(&bundle.path().join("rootfs"));
            bundle.config["root"]["readonly"] = json!(false);
            let list = bundle.config["mounts"].as_array_mut().unwrap();
            list.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
            let result = attempt(&bundle).map_err(|error| error.to_string());
            match expected {
                Ok(()) => assert_eq!(result.as_deref(), Ok("started\n"), "{what}"),
                Err(part) => {
                    let text = result.expect_err(what);
                    assert!(text.contains(part), "{what}: {text}");
                }
            }
            before.assert_same(&bundle, &outside, what);
        }
    });
}

#[test]
fn a_root_that_cannot_be_searched_is_an_error_for_who_may_not() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::a_root_that_cannot_be_searched_is_an_error_for_who_may_not", || {
        let (before, outside) = (Before::look(), Outside::new());
        let bundle = Bundle::new("echo started");
        let bin = bundle.path().join("rootfs/bin");
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o0)).unwrap();
        let result = attempt(&bundle).map_err(|error| error.to_string());
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
        // Neither has the capability to pass over modes in there.
        let text = result.unwrap_err();
        assert!(text.contains("EACCES"), "{}: {text}", is_root());
        before.assert_same(&bundle, &outside, "no search");
    });
}

#[test]
fn the_path_of_a_root_may_be_a_link_that_is_followed_once() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("values::the_path_of_a_root_may_be_a_link_that_is_followed_once", || {
        let (before, outside) = (Before::look(), Outside::new());
        let mut bundle = Bundle::new("echo started");
        symlink("rootfs", bundle.path().join("link")).unwrap();
        bundle.config["root"]["path"] = json!("link");
        assert_eq!(attempt(&bundle).unwrap(), "started\n");
        before.assert_same(&bundle, &outside, "a link");
    });
}
