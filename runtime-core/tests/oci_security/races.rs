//! Roots that change all the time while containers are made in them. Each race is run against something unsafe, too, so
//! that it is known to be one.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount};
use serde_json::{Value, json};

use crate::common::bundle::{Bundle, busybox};
use crate::common::{can_isolate, is_root, times};
use crate::fixture::{Before, Outside, attempt, for_everybody, is_in_mounts, turn};
use crate::require;

/// How often a container is made.
const TIMES: usize = 100;
/// How long something unsafe may be lucky.
const LUCK: Duration = Duration::from_secs(60);

/// Exchanges two files all the time while something else is done.
fn exchanging<T>(one: &Path, other: &Path, act: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let result = act();
        stop.store(true, Ordering::Relaxed);
        racer.join().unwrap();
        result
    })
}

/// Does something unsafe in a mount namespace of its own until it has done harm. Whether it has.
fn harms(one: &Path, other: &Path, harm: impl Fn() -> bool + Send + Sync) -> bool {
    let end = Instant::now() + LUCK;
    exchanging(one, other, || {
        std::thread::scope(|scope| {
            let act = || {
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
                mount_change("/", private).unwrap();
                while Instant::now() < end {
                    if harm() {
                        return true;
                    }
                }
                false
            };
            scope.spawn(act).join().unwrap()
        })
    })
}

/// A root with a directory that is at times a link to a directory of the host.
fn with_volume() -> (Bundle, Outside) {
    let (outside, mut bundle) = (Outside::new(), Bundle::new("exit 0"));
    let root = bundle.path().join("rootfs");
    fs::create_dir(root.join("volume")).unwrap();
    symlink(outside.path(), root.join("link")).unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    (bundle, outside)
}

fn mounts(config: &mut Value) -> &mut Vec<Value> {
    config["mounts"].as_array_mut().unwrap()
}

#[test]
fn cve_2021_30465_a_mount_point_that_changes_does_not_lead_to_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("races::cve_2021_30465_a_mount_point_that_changes_does_not_lead_to_the_host", || {
        let (mut bundle, outside) = with_volume();
        let root = bundle.path().join("rootfs");
        mounts(&mut bundle.config)
            .push(json!({ "destination": "/volume/below", "type": "tmpfs", "source": "tmpfs" }));
        bundle.config["linux"]["readonlyPaths"] = json!(["/volume/keep", "/link/keep"]);
        bundle.config["linux"]["maskedPaths"] = json!(["/volume/ptmx", "/link/ptmx"]);
        let (before, mut made) = (Before::look(), 0);
        exchanging(&root.join("volume"), &root.join("link"), || {
            for _ in 0..times(TIMES) {
                made += usize::from(attempt(&bundle).is_ok());
                assert!(!outside.is_touched(), "the host was reached");
            }
        });
        assert!(made > 0, "no container was made");
        before.assert_same(&bundle, &outside, "exchanged");
    });
}

#[test]
fn cve_2021_30465_a_mount_by_path_is_seen_to_lead_to_the_host() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = turn();
    let (bundle, outside) = with_volume();
    let root = bundle.path().join("rootfs");
    fs::create_dir(root.join("volume/below")).unwrap();
    let harmed = harms(&root.join("volume"), &root.join("link"), || {
        let target = root.join("volume/below");
        // The look at the path, and its use.
        if target.canonicalize().is_ok_and(|found| found.starts_with(&root))
            && mount("tmpfs", &target, "tmpfs", rustix::mount::MountFlags::empty(), None).is_ok()
        {
            let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            let harmed = table.contains(outside.path().to_str().unwrap());
            for at in [outside.path().join("below"), root.join("link/below"), target] {
                unmount(at, UnmountFlags::DETACH).unwrap_or_default();
            }
            return harmed;
        }
        false
    });
    assert!(harmed);
    assert!(!is_in_mounts(outside.path()));
}

#[test]
fn cve_2024_45310_nothing_is_made_on_the_host_while_a_root_changes() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("races::cve_2024_45310_nothing_is_made_on_the_host_while_a_root_changes", || {
        let (mut bundle, outside) = with_volume();
        let root = bundle.path().join("rootfs");
        let original = bundle.config.clone();
        let (before, mut made) = (Before::look(), 0);
        exchanging(&root.join("volume"), &root.join("link"), || {
            for round in 0..times(TIMES) {
                bundle.config = original.clone();
                // What is there already need not be made.
                let (directory, file) = (format!("/volume/a{round}/b/c"), format!("/volume/f{round}"));
                mounts(&mut bundle.config).extend([
                    json!({ "destination": directory, "type": "tmpfs", "source": "tmpfs" }),
                    json!({ "destination": file, "source": "/etc/passwd", "options": ["bind"] }),
                ]);
                let node = format!("/volume/n{round}");
                bundle.config["linux"]["devices"] = json!([{ "path": node, "type": "p" }]);
                bundle.config["process"]["cwd"] = json!(format!("/volume/w{round}/x"));
                made += usize::from(attempt(&bundle).is_ok());
                assert!(!outside.is_touched(), "the host was reached");
            }
        });
        assert!(made > 0, "no container was made");
        before.assert_same(&bundle, &outside, "exchanged");
    });
}

#[test]
fn cve_2024_45310_a_directory_made_by_path_is_seen_on_the_host() {
    require!(busybox().is_some(), "a static busybox");
    for_everybody("races::cve_2024_45310_a_directory_made_by_path_is_seen_on_the_host", || {
        let (bundle, outside) = with_volume();
        let root = bundle.path().join("rootfs");
        let (volume, link) = (root.join("volume"), root.join("link"));
        let end = Instant::now() + LUCK;
        let harmed = exchanging(&volume, &link, || {
            (0..).take_while(|_| Instant::now() < end).any(|round| {
                if volume.canonicalize().is_ok_and(|found| found.starts_with(&root)) {
                    drop(fs::create_dir(volume.join(format!("made-{round}"))));
                }
                outside.is_touched()
            })
        });
        assert!(harmed);
    });
}

/// A root with a secret, a device that is to cover it, and a file in the place of the device.
fn with_mask() -> (Bundle, Outside) {
    let (outside, mut bundle) = (Outside::new(), Bundle::new("cat /secret"));
    let root = bundle.path().join("rootfs");
    fs::write(root.join("secret"), "secret").unwrap();
    let (mode, null) = (Mode::from_raw_mode(0o666), rustix::fs::makedev(1, 3));
    mknodat(CWD, root.join("dev/null"), FileType::CharacterDevice, mode, null).unwrap();
    symlink(outside.path().join("null"), root.join("dev/other")).unwrap();
    mounts(&mut bundle.config).retain(|entry| !entry["destination"].as_str().unwrap().starts_with("/dev"));
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["maskedPaths"] = json!(["/secret"]);
    (bundle, outside)
}

#[test]
fn cve_2025_31133_a_null_device_that_changes_does_not_cover_with_another_file() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let (bundle, outside) = with_mask();
    let dev = bundle.path().join("rootfs/dev");
    let (before, mut made) = (Before::look(), 0);
    exchanging(&dev.join("null"), &dev.join("other"), || {
        for _ in 0..times(TIMES) {
            if let Ok(text) = attempt(&bundle) {
                assert_eq!(text, "", "something else than the null device covers it");
                made += 1;
            }
        }
    });
    assert!(made > 0, "no container was made");
    before.assert_same(&bundle, &outside, "exchanged");
}

#[test]
fn cve_2025_31133_a_mask_by_path_is_seen_to_be_another_file() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let (bundle, _outside) = with_mask();
    let root = bundle.path().join("rootfs");
    let (null, secret) = (root.join("dev/null"), root.join("secret"));
    let harmed = harms(&null, &root.join("dev/other"), || {
        let good = fs::metadata(&null)
            .is_ok_and(|meta| meta.file_type().is_char_device() && meta.rdev() == rustix::fs::makedev(1, 3));
        if !good || mount_bind(&null, &secret).is_err() {
            return false;
        }
        let harmed = fs::metadata(&secret).unwrap().is_file();
        unmount(&secret, UnmountFlags::DETACH).unwrap();
        harmed
    });
    assert!(harmed);
}

/// A root whose console is at times a link to a file of the host.
fn with_console() -> (Bundle, Outside) {
    let (outside, mut bundle) = (Outside::new(), Bundle::new("echo text > /dev/console"));
    let dev = bundle.path().join("rootfs/dev");
    fs::write(dev.join("console"), "").unwrap();
    symlink(outside.path().join("console"), dev.join("other")).unwrap();
    let keep = ["/dev", "/dev/shm", "/dev/mqueue"];
    mounts(&mut bundle.config).retain(|entry| !keep.contains(&entry["destination"].as_str().unwrap()));
    fs::create_dir(dev.join("pts")).unwrap();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["terminal"] = json!(true);
    (bundle, outside)
}

#[test]
fn cve_2025_52565_a_console_that_changes_is_no_file_of_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("races::cve_2025_52565_a_console_that_changes_is_no_file_of_the_host", || {
        let (bundle, outside) = with_console();
        let dev = bundle.path().join("rootfs/dev");
        let (before, mut made) = (Before::look(), 0);
        exchanging(&dev.join("console"), &dev.join("other"), || {
            for _ in 0..times(TIMES) {
                let Ok(mut container) = bundle.create("box") else { continue };
                let master = container.take_console().unwrap();
                if container.start().is_ok() {
                    crate::common::bundle::wait(&mut container);
                    made += 1;
                }
                drop(master);
                container.delete(true).unwrap();
                assert!(!outside.is_touched(), "the host was reached");
            }
        });
        assert!(made > 0, "no container was made");
        before.assert_same(&bundle, &outside, "exchanged");
    });
}

#[test]
fn cve_2025_52565_a_console_by_path_is_seen_to_be_a_file_of_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let (bundle, outside) = with_console();
    let dev = bundle.path().join("rootfs/dev");
    let console = dev.join("console");
    let harmed = harms(&console, &dev.join("other"), || {
        let good = fs::symlink_metadata(&console).is_ok_and(|meta| meta.is_file());
        // Also on a processor that both have to share.
        std::thread::sleep(Duration::from_micros(20));
        let harmed = good && mount_bind("/dev/null", &console).is_ok() && {
            let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
            table.contains(outside.path().to_str().unwrap())
        };
        // One that has changed places meanwhile is found at some later turn; until then there is no good file.
        for at in [outside.path().join("console"), console.clone(), dev.join("other")] {
            unmount(at, UnmountFlags::DETACH).unwrap_or_default();
        }
        harmed
    });
    assert!(harmed);
}
