//! Private `/proc` and `/sys`.

use std::path::Path;
use std::sync::OnceLock;

use super::draft::Draft;
use super::identity::Identity;
use crate::enclosure::Enclosure;
use crate::template;
use crate::{Attributes, Location, Mount, MountFlags, Slot, Step, TargetKind};

/// Through these, who is root on the host changes the kernel for everybody, whatever capabilities it lacks.
const READ_ONLY: [&str; 7] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"];

/// These tell root what is none of the program's business.
const COVERED: [&str; 5] = ["kcore", "keys", "timer_list", "latency_stats", "sched_debug"];

/// Mounts a procfs.
pub(super) fn mount(
    draft: &mut Draft<'_>,
    enclosure: &Enclosure,
    identity: &Identity,
    place: (Slot, Option<TargetKind>),
) {
    let (root, make) = place;
    let proc = draft.plan.slot("/proc");
    let protected = enclosure.protect_proc.unwrap_or(identity.root_of_host);
    // Copies of a read-only mount are read-only.
    let flags = if protected { quiet() | MountFlags::RDONLY } else { quiet() };
    let mount = Mount::new("proc").attributes(Attributes::set(flags)).target(Some(root), "/proc", make);
    draft.step(Step::Mount(mount.into_slot(proc)));
    if protected {
        protect(draft, proc);
        let attributes = Attributes { clear: MountFlags::RDONLY, ..Attributes::default() };
        draft.step(Step::MountAttributes { mount: Location::at(proc, ""), attributes });
    }
    draft.step(Step::Close(proc));
}

/// The host's procfs is of the same kernel: what it lacks the new one lacks.
fn protect(draft: &mut Draft<'_>, proc: Slot) {
    static FOUND: OnceLock<[Vec<&str>; 2]> = OnceLock::new();
    let exists = |name: &&str| Path::new("/proc").join(name).exists();
    let [read_only, covered] = FOUND.get_or_init(|| {
        [&READ_ONLY[..], &COVERED].map(|names| names.iter().copied().filter(exists).collect())
    });
    let bind = |from: Location, to| Step::Mount(Mount::bind(from, false).target_in_fresh(proc, to));
    draft.steps(read_only.iter().map(|name| bind(Location::at(proc, name), name)));
    if draft.outside {
        // Nothing can be done with it, and it cannot be changed.
        draft.steps(covered.iter().map(|name| bind(Location::path(template::COVER), name)));
        return;
    }
    for name in covered {
        let attributes = Attributes::set(quiet() | MountFlags::RDONLY);
        let mount = Mount::bind(Location::path("/dev/null"), false).attributes(attributes);
        draft.step(Step::Mount(mount.target_in_fresh(proc, name)));
    }
}

/// Mounts a sysfs of the new network namespace.
pub(super) fn mount_sys(draft: &mut Draft<'_>, place: (Slot, Option<TargetKind>)) {
    let (root, make) = place;
    let attributes = Attributes::set(quiet() | MountFlags::RDONLY);
    draft.step(Step::Mount(Mount::new("sysfs").attributes(attributes).target(Some(root), "/sys", make)));
}

fn quiet() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
}
