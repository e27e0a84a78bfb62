//! Roots whose links and files want to lead the runtime to the host, for everybody who creates containers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use serde_json::{Value, json};

use crate::common::bundle::{Bundle, busybox};
use crate::common::can_isolate;
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

/// How a root is spoiled: the root, and the directory of the host.
type Spoil = fn(&Path, &Path);
/// What is changed in the configuration.
type Change = fn(&mut Value);

/// A container with a spoiled root: what it writes, or the error. The host is as it was afterwards.
fn spoiled(what: &str, script: &str, spoil: Spoil, change: Change) -> Result<String, String> {
    let (before, outside) = (Before::look(), Outside::new());
    let mut bundle = Bundle::new(script);
    spoil(&bundle.path().join("rootfs"), outside.path());
    change(&mut bundle.config);
    let result = attempt(&bundle).map_err(|error| error.to_string());
    before.assert_same(&bundle, &outside, what);
    result
}

fn mount(config: &mut Value, entry: Value) {
    config["mounts"].as_array_mut().unwrap().push(entry);
}

fn without(config: &mut Value, destination: &str) {
    config["mounts"].as_array_mut().unwrap().retain(|entry| entry["destination"] != destination);
}

/// Without any mount on or below `/dev`.
fn own_dev(config: &mut Value) {
    let on_dev = |entry: &Value| entry["destination"].as_str().unwrap().starts_with("/dev");
    config["mounts"].as_array_mut().unwrap().retain(|entry| !on_dev(entry));
    config["root"]["readonly"] = json!(false);
}

fn replace(path: &Path, target: impl AsRef<Path>) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    }
    symlink(target, path).unwrap();
}

#[test]
fn cve_2019_18837_a_link_to_the_host_is_one_into_the_root() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2019_18837_a_link_to_the_host_is_one_into_the_root", || {
        let text = spoiled(
            "etc is a link",
            "cat /etc/hosts | grep -c .; ls -d /up/../new",
            |root, outside| {
                replace(&root.join("etc"), outside);
                symlink("../../../../../../..", root.join("up")).unwrap();
            },
            |config| {
                mount(
                    config,
                    json!({ "destination": "/etc/hosts", "source": "/etc/passwd", "options": ["bind"] }),
                );
                mount(config, json!({ "destination": "/up/new", "type": "tmpfs", "source": "tmpfs" }));
            },
        );
        let text = text.unwrap();
        assert!(text.ends_with("\n/up/../new\n") && !text.starts_with("0\n"), "{text}");
    });
}

#[test]
fn cve_2019_19921_2023_27561_2025_54867_proc_and_sys_are_real_directories() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    let name = "paths::cve_2019_19921_2023_27561_2025_54867_proc_and_sys_are_real_directories";
    for_everybody(name, || {
        let rows: [(&str, &str, Spoil, &str); 7] = [
            ("proc leads out", "proc", |at, outside| replace(at, outside), "ELOOP"),
            ("proc leads inside", "proc", |at, _| replace(at, "/tmp"), "ELOOP"),
            ("proc leads to a descriptor", "proc", |at, _| replace(at, "/dev/fd/0"), "ELOOP"),
            ("sys leads out", "sys", |at, outside| replace(at, outside), "ELOOP"),
            (
                "proc is a file",
                "proc",
                |at, _| {
                    fs::remove_dir(at).unwrap();
                    fs::write(at, "").unwrap();
                },
                "ENOTDIR",
            ),
            (
                "proc is a fifo",
                "proc",
                |at, _| {
                    fs::remove_dir(at).unwrap();
                    mkfifoat(CWD, at, Mode::RUSR | Mode::WUSR).unwrap();
                },
                "ENOTDIR",
            ),
            (
                "sys is a socket",
                "sys",
                |at, _| {
                    fs::remove_dir(at).unwrap();
                    drop(std::os::unix::net::UnixListener::bind(at).unwrap());
                },
                "ENOTDIR",
            ),
        ];
        for (what, name, spoil, errno) in rows {
            let (before, outside) = (Before::look(), Outside::new());
            let bundle = Bundle::new("echo started");
            spoil(&bundle.path().join("rootfs").join(name), outside.path());
            let text = attempt(&bundle).map_err(|error| error.to_string()).unwrap_err();
            assert!(text.contains(errno) && text.contains(name), "{what}: {text}");
            before.assert_same(&bundle, &outside, what);
        }
    });
}

#[test]
fn cve_2019_16884_what_is_mounted_over_procfs_is_refused() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2019_16884_what_is_mounted_over_procfs_is_refused", || {
        let rows: [(&str, Change); 3] = [
            ("/proc is for a procfs only", |config| {
                mount(config, json!({ "destination": "/proc", "type": "tmpfs", "source": "tmpfs" }));
            }),
            ("/proc/self/attr is inside of procfs", |config| {
                mount(
                    config,
                    json!({ "destination": "/proc/self/attr", "type": "tmpfs", "source": "tmpfs" }),
                );
            }),
            ("EXDEV", |config| {
                mount(config, json!({ "destination": "/volume", "type": "tmpfs", "source": "tmpfs" }));
            }),
        ];
        for (expected, change) in rows {
            let link: Spoil = |root, _| symlink("/proc/self/attr", root.join("volume")).unwrap();
            let text = spoiled(expected, "echo started", link, change).unwrap_err();
            assert!(text.contains(expected), "{text}");
        }
    });
}

#[test]
fn cve_2026_41579_2026_47766_nothing_of_dev_is_made_through_a_link() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2026_41579_2026_47766_nothing_of_dev_is_made_through_a_link", || {
        let leads_out: Spoil = |root, outside| replace(&root.join("dev"), outside);
        for read_only in [false, true] {
            let change: Change = match read_only {
                true => |config| {
                    own_dev(config);
                    config["root"]["readonly"] = json!(true);
                },
                false => own_dev,
            };
            let text = spoiled("dev is a link", "ls /dev/null /dev/ptmx /dev/fd", leads_out, change);
            // The same path is made in the root, so that the link leads there.
            assert!(text.is_ok_and(|text| text.contains("/dev/null\n")), "{read_only}");
        }
        let below: Spoil = |root, outside| symlink(outside, root.join("dev/below")).unwrap();
        let text = spoiled("a directory of dev is a link", "ls -d /dev/below/x", below, |config| {
            own_dev(config);
            config["linux"]["devices"] = json!([{ "path": "/dev/below/x", "type": "p" }]);
        });
        assert_eq!(text.unwrap(), "/dev/below/x\n");
    });
}

#[test]
fn cve_2025_31133_2025_62161_no_other_file_covers_what_is_masked() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2025_31133_2025_62161_no_other_file_covers_what_is_masked", || {
        let mut rows: Vec<(&str, Spoil)> = vec![
            ("a link", |null, outside| symlink(outside.join("keep"), null).unwrap()),
            ("a link inside", |null, _| symlink("/bin/busybox", null).unwrap()),
            ("a file", |null, _| fs::write(null, "content").unwrap()),
            ("a directory", |null, _| fs::create_dir(null).unwrap()),
            ("a fifo", |null, _| mkfifoat(CWD, null, Mode::RUSR).unwrap()),
        ];
        if crate::common::is_root() {
            rows.push(("another device", |null, _| {
                let zero = rustix::fs::makedev(1, 5);
                mknodat(CWD, null, FileType::CharacterDevice, Mode::RUSR, zero).unwrap();
            }));
        }
        for (what, spoil) in rows {
            let (before, outside) = (Before::look(), Outside::new());
            let mut bundle = Bundle::new("cat /secret");
            let root = bundle.path().join("rootfs");
            fs::write(root.join("secret"), "secret").unwrap();
            spoil(&root.join("dev/null"), outside.path());
            own_dev(&mut bundle.config);
            bundle.config["linux"]["maskedPaths"] = json!(["/secret"]);
            match attempt(&bundle) {
                Ok(text) => assert_eq!(text, "", "{what}"),
                Err(error) => assert!(error.to_string().contains("null"), "{what}: {error}"),
            }
            assert_eq!(fs::read_to_string(root.join("secret")).unwrap(), "secret");
            before.assert_same(&bundle, &outside, what);
        }
    });
}

#[test]
fn cve_2025_52565_the_console_is_no_file_of_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2025_52565_the_console_is_no_file_of_the_host", || {
        let rows: [(&str, Spoil, Change); 3] = [
            (
                "pts is a link",
                |root, outside| replace(&root.join("dev/pts"), outside),
                |config| without(config, "/dev/pts"),
            ),
            (
                "console is a link",
                |root, outside| replace(&root.join("dev/console"), outside.join("keep")),
                |_| {},
            ),
            ("ptmx is a link", |root, outside| replace(&root.join("dev/ptmx"), outside.join("ptmx")), |_| {}),
        ];
        for (what, spoil, change) in rows {
            let (before, outside) = (Before::look(), Outside::new());
            let mut bundle = Bundle::new("exec sleep 60");
            spoil(&bundle.path().join("rootfs"), outside.path());
            without(&mut bundle.config, "/dev");
            without(&mut bundle.config, "/dev/shm");
            without(&mut bundle.config, "/dev/mqueue");
            bundle.config["root"]["readonly"] = json!(false);
            change(&mut bundle.config);
            bundle.config["process"]["terminal"] = json!(true);
            if let Ok(mut container) = bundle.create("box") {
                let master = container.take_console().unwrap();
                assert!(std::io::IsTerminal::is_terminal(&master), "{what}");
                drop(container.start());
                container.delete(true).unwrap();
            }
            before.assert_same(&bundle, &outside, what);
        }
    });
}

#[test]
fn cve_2026_87766_the_old_root_cannot_be_reached_by_any_name() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2026_87766_the_old_root_cannot_be_reached_by_any_name", || {
        for name in ["oldroot", "old_root", ".pivot_root", "newroot", "proc/1/root", "proc/self/root"] {
            let (before, outside) = (Before::look(), Outside::new());
            let mut bundle = Bundle::new("echo started");
            let root = bundle.path().join("rootfs");
            let target = format!("/{name}{}", outside.path().display());
            symlink(&target, root.join("a")).unwrap();
            bundle.config["root"]["readonly"] = json!(false);
            let list = bundle.config["mounts"].as_array_mut().unwrap();
            list.push(json!({ "destination": "/a/b", "type": "tmpfs", "source": "tmpfs" }));
            let passwd = json!({ "destination": "/a/below/c", "source": "/etc/passwd", "options": ["bind"] });
            list.push(passwd);
            drop(attempt(&bundle));
            before.assert_same(&bundle, &outside, name);
        }
    });
}

#[test]
fn cve_2025_24965_no_file_is_written_through_a_link_of_the_root() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("paths::cve_2025_24965_no_file_is_written_through_a_link_of_the_root", || {
        // All that a runtime is known to write into roots.
        let names = [".krun_config.json", "etc/hostname", "etc/mtab", "run/.containerenv", "etc/resolv.conf"];
        let (before, outside) = (Before::look(), Outside::new());
        let mut bundle = Bundle::new("exit 0");
        let root = bundle.path().join("rootfs");
        fs::create_dir(root.join("run")).unwrap();
        for name in names {
            symlink(outside.path().join("keep"), root.join(name)).unwrap();
        }
        bundle.config["root"]["readonly"] = json!(false);
        bundle.config["annotations"] = json!({ "run.oci.handler": "krun", "krun.ram_mib": "1" });
        bundle.config["process"]["cwd"] = json!("/run/new/directory");
        assert_eq!(attempt(&bundle).unwrap(), "");
        before.assert_same(&bundle, &outside, "files of the root");
        for name in names {
            assert!(root.join(name).is_symlink(), "{name} was replaced");
        }
    });
}
