//! What lies over procfs changes while a container is made: by a link that leads a mount there, or by mounts that spread.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use serde_json::{Value, json};

use super::{add, boxed, has_busybox, is_root};
use crate::oci::plan::build;
use crate::oci::plan::testing::{as_anyone, request, run};
use crate::prepare::Prepared;
use crate::{Argument, RawCall, Step};

/// How often a container is made.
const TIMES: usize = 200;
const PARAMETER: &str = "/proc/sys/net/ipv4/ip_forward";
/// The same below the directory of the decoy.
const FILE: &str = "ipv4/ip_forward";

/// How a container is made.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// As it is.
    Ours,
    /// Whatever file system a mount goes to.
    Anywhere,
    /// That, and the parameter is written by its path.
    ByPath,
}

/// A file that stands for one of the host, in a directory that is mounted over a part of procfs.
struct Decoy(tempfile::TempDir);

impl Decoy {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("ipv4")).unwrap();
        fs::write(directory.path().join(FILE), "decoy").unwrap();
        Self(directory)
    }

    fn is_written(&self) -> bool {
        fs::read(self.0.path().join(FILE)).unwrap() != b"decoy"
    }
}

/// Makes containers that set a parameter, while somebody does something again and again. Whether the decoy was written.
fn race(way: Way, decoy: &Decoy, root: &Path, change: impl Fn(&mut Value), attack: impl Fn() + Sync) -> bool {
    let before = fs::read(PARAMETER).unwrap();
    let (stop, mut made) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                attack();
            }
        });
        for _ in 0..TIMES {
            let spec = boxed(root, "true", |value| {
                as_anyone(value);
                value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
                change(value);
            });
            let request = request(&spec);
            let Ok(mut prepared) = build(&request) else { continue };
            weaken(&mut prepared, way);
            // It may fail, but the parameter is not to be written anywhere else.
            made += usize::from(run(&prepared).is_ok());
            if decoy.is_written() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(made > 0, "no container was made");
    assert_eq!(fs::read(PARAMETER).unwrap(), before, "the host's own");
    decoy.is_written()
}

/// What those did who did not look.
fn weaken(prepared: &mut Prepared<'_>, way: Way) {
    if way == Way::Ours {
        return;
    }
    let elsewhere =
        |step: &Step| matches!(step, Step::Verify { expected, .. } if expected.other_filesystem.is_some());
    prepared.plan.steps.retain(|step| !elsewhere(step));
    if way == Way::ByPath {
        let at = prepared.plan.steps.iter().position(|step| matches!(step, Step::Sysctl { .. })).unwrap();
        let file = prepared.plan.slot("the parameter");
        let number = Argument::Number;
        let call = |name: &str, number: libc::c_long, arguments, into| {
            let number = u32::try_from(number).unwrap();
            Step::Call(RawCall { name: name.into(), number, arguments, into, tolerate: None })
        };
        let write = libc::O_WRONLY.unsigned_abs();
        let open = vec![number(0), Argument::Text(PARAMETER.into()), number(write.into())];
        let content = vec![Argument::Descriptor(file), Argument::Text("1".into()), number(1)];
        let steps = [
            call("openat", libc::SYS_openat, open, Some(file)),
            call("write", libc::SYS_write, content, None),
        ];
        prepared.plan.steps.splice(at..=at, steps);
    }
}

/// A volume is exchanged with a link into procfs all the time, and something is mounted in it.
fn by_links(way: Way) -> bool {
    let (root, decoy) = (tempfile::tempdir().unwrap(), Decoy::new());
    let (volume, link) = (root.path().join("volume"), root.path().join("link"));
    fs::create_dir_all(volume.join("ipv4")).unwrap();
    std::os::unix::fs::symlink("/proc/sys/net", &link).unwrap();
    let change = |value: &mut Value| {
        add(
            value,
            json!([{ "destination": "/volume/ipv4", "source": decoy.0.path().join("ipv4"), "options": ["bind"] }]),
        );
    };
    race(way, &decoy, root.path(), change, || {
        renameat_with(CWD, &volume, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    })
}

/// The container's procfs is part of a tree that is shared with somebody who mounts in it all the time.
fn by_spreading(way: Way) -> bool {
    let (root, shared, decoy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Decoy::new());
    let with_own_mounts = || {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let proc = shared.path();
        mount("proc", proc, "proc", MountFlags::empty(), None).unwrap();
        mount_change(proc, MountPropagationFlags::SHARED).unwrap();
        let change = |value: &mut Value| {
            value["mounts"][0] =
                json!({ "destination": "/proc", "source": proc, "options": ["rbind", "rshared"] });
        };
        // What is below that belongs to a network namespace each.
        let place = proc.join("sys/net");
        let written = race(way, &decoy, root.path(), change, || {
            mount_bind(decoy.0.path(), &place).unwrap();
            unmount(&place, UnmountFlags::DETACH).unwrap();
        });
        unmount(proc, UnmountFlags::DETACH).unwrap();
        written
    };
    std::thread::scope(|scope| scope.spawn(with_own_mounts).join().unwrap())
}

#[test]
fn cve_2025_52881_a_link_that_changes_leads_no_write_astray() {
    if !has_busybox() {
        return;
    }
    assert!(!by_links(Way::Ours));
    // Nor where the mount gets over procfs.
    assert!(!by_links(Way::Anywhere));
    // The same is caught with a parameter that is written by its path.
    assert!(by_links(Way::ByPath));
}

#[test]
fn cve_2025_52881_mounts_that_spread_lead_no_write_astray() {
    if !has_busybox() || !is_root() {
        return;
    }
    assert!(!by_spreading(Way::Ours));
    assert!(by_spreading(Way::ByPath));
}
