//! A private `/dev`.

use std::path::Path;

use super::draft::Draft;
use super::identity::Identity;
use crate::enclosure::Enclosure;
use crate::{
    Attributes, Device, Expected, FileKind, Location, Mount, MountFlags, Namespaces, Slot, Step, TargetKind,
};

const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The group that owns pseudo terminals, by the numbering of most distributions.
const TTY_GROUP: u32 = 5;

/// The device nodes of the host, copied as mounts while they can be seen.
///
/// In a user namespace no node can be made.
pub(super) fn gather(draft: &mut Draft<'_>, enclosure: &Enclosure) -> Vec<Slot> {
    if !enclosure.has_own(Namespaces::USER) {
        return Vec::new();
    }
    let copy = |(name, major, minor)| {
        let slot = draft.copy(&Path::new("/dev").join(name), false);
        let expected = Expected {
            kind: Some(FileKind::CharacterDevice),
            rdev: Some(Device { major, minor }),
            ..Expected::default()
        };
        draft.step(Step::Verify { file: slot, expected });
        slot
    };
    NODES.map(copy).into()
}

/// Mounts it. `nodes` are those that were gathered, if any.
pub(super) fn mount(
    draft: &mut Draft<'_>,
    identity: &Identity,
    enclosure: &Enclosure,
    nodes: &[Slot],
    place: (Slot, Option<TargetKind>),
) {
    let dev = draft.plan.slot("/dev");
    let (root, make) = place;
    let tmpfs = Mount::new("tmpfs").option("mode", "0755").option("size", "64k");
    let attributes = Attributes::set(MountFlags::NOSUID | MountFlags::NOEXEC);
    draft.step(Step::Mount(tmpfs.attributes(attributes).target(Some(root), "/dev", make).into_slot(dev)));
    if nodes.is_empty() {
        make_nodes(draft, dev);
    }
    for ((name, _, _), node) in NODES.iter().zip(nodes) {
        draft.step(node_step(dev, name, FileKind::Regular, Device { major: 0, minor: 0 }));
        draft.step(Step::Mount(Mount::detached(*node).target_in_fresh(dev, name)));
    }
    draft.steps(
        LINKS
            .map(|(name, target)| Step::Symlink { location: Location::at(dev, name), target: target.into() }),
    );
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC;
    below(draft, dev, "pts", terminals(identity), safe);
    let shm = Mount::new("tmpfs").option("mode", "1777");
    below(draft, dev, "shm", shm, safe | MountFlags::NODEV);
    if enclosure.new.contains(Namespaces::IPC) {
        below(draft, dev, "mqueue", Mount::new("mqueue"), safe | MountFlags::NODEV);
    }
    draft.step(Step::Close(dev));
}

fn terminals(identity: &Identity) -> Mount {
    let mount = Mount::new("devpts").option("ptmxmode", "0666").option("mode", "0620");
    match identity.has_group(TTY_GROUP) {
        true => mount.option("gid", TTY_GROUP.to_string()),
        false => mount,
    }
}

fn below(draft: &mut Draft<'_>, dev: Slot, name: &str, mount: Mount, flags: MountFlags) {
    draft.step(Step::Directory { location: Location::at(dev, name), mode: 0o755 });
    let mount = mount.attributes(Attributes::set(flags)).target_in_fresh(dev, name);
    draft.step(Step::Mount(mount));
}

fn make_nodes(draft: &mut Draft<'_>, dev: Slot) {
    draft.step(Step::Umask(0));
    let device =
        |(name, major, minor)| node_step(dev, name, FileKind::CharacterDevice, Device { major, minor });
    draft.steps(NODES.map(device));
    draft.step(Step::Umask(0o022));
}

fn node_step(dev: Slot, name: &str, kind: FileKind, device: Device) -> Step {
    Step::Node { location: Location::at(dev, name), kind, mode: 0o666, device }
}
