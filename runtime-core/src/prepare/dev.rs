//! A private `/dev`.

use std::path::Path;

use super::draft::Draft;
use super::identity::Identity;
use crate::enclosure::Enclosure;
use crate::{
    Attributes, Device, Expected, FileKind, Location, Mount, MountFlags, Namespaces, Plan, Propagation, Slot,
    Step, TargetKind, template,
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

/// The directories for what every program has of its own.
const OWN: [&str; 3] = ["pts", "shm", "mqueue"];

/// What is the same for every program, for the template: mounted on `dev` in a fresh root.
pub(crate) fn tree(plan: &mut Plan, root: Slot) -> Slot {
    let dev = plan.slot("/dev");
    plan.steps.push(Step::Mount(tmpfs().target_in_fresh(root, "dev").into_slot(dev)));
    plan.steps.push(Step::Umask(0));
    plan.steps.extend(nodes(dev));
    plan.steps.push(Step::Umask(0o022));
    plan.steps.extend(frame(dev));
    dev
}

/// Whether the template's `/dev` is shown. It belongs to the host's root, who must have a number inside.
fn is_shared(draft: &Draft<'_>, identity: &Identity) -> bool {
    draft.outside && identity.root_of_host
}

/// The device nodes of the host, copied as mounts while they can be seen.
///
/// In a user namespace no node can be made.
pub(super) fn gather(draft: &mut Draft<'_>, identity: &Identity, enclosure: &Enclosure) -> Vec<Slot> {
    if is_shared(draft, identity) || !enclosure.has_own(Namespaces::USER) {
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

/// Mounts it. `given` are the nodes that were gathered, if any.
pub(super) fn mount(
    draft: &mut Draft<'_>,
    identity: &Identity,
    enclosure: &Enclosure,
    given: &[Slot],
    place: (Slot, Option<TargetKind>),
) {
    let dev = draft.plan.slot("/dev");
    let (root, make) = place;
    let shared = is_shared(draft, identity);
    let mount = if shared { Mount::bind(Location::path(template::DEV), false) } else { tmpfs() };
    draft.step(Step::Mount(mount.target(Some(root), "/dev", make).into_slot(dev)));
    if !shared {
        fill(draft, dev, given);
    }
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC;
    below(draft, dev, "pts", terminals(identity), safe);
    let shm = Mount::new("tmpfs").option("mode", "1777");
    below(draft, dev, "shm", shm, safe | MountFlags::NODEV);
    if enclosure.new.contains(Namespaces::IPC) {
        below(draft, dev, "mqueue", Mount::new("mqueue"), safe | MountFlags::NODEV);
    }
    draft.step(Step::Close(dev));
}

fn tmpfs() -> Mount {
    let attributes = Attributes::set(MountFlags::NOSUID | MountFlags::NOEXEC);
    Mount::new("tmpfs").option("mode", "0755").option("size", "64k").attributes(attributes)
}

/// Fills an empty one.
fn fill(draft: &mut Draft<'_>, dev: Slot, given: &[Slot]) {
    if given.is_empty() {
        draft.step(Step::Umask(0));
        draft.steps(nodes(dev));
        draft.step(Step::Umask(0o022));
    }
    for ((name, _, _), node) in NODES.iter().zip(given) {
        draft.step(node_step(dev, name, FileKind::Regular, Device { major: 0, minor: 0 }));
        let private = Attributes { propagation: Some(Propagation::Private), ..Attributes::default() };
        draft.step(Step::Mount(Mount::detached(*node).attributes(private).target_in_fresh(dev, name)));
    }
    draft.steps(frame(dev));
}

/// Links and directories.
fn frame(dev: Slot) -> impl Iterator<Item = Step> {
    let at = move |name| Location::at(dev, name);
    let links = LINKS.into_iter();
    let links = links.map(move |(name, target)| Step::Symlink { location: at(name), target: target.into() });
    links.chain(OWN.into_iter().map(move |name| Step::Directory { location: at(name), mode: 0o755 }))
}

fn terminals(identity: &Identity) -> Mount {
    let mount = Mount::new("devpts").option("ptmxmode", "0666").option("mode", "0620");
    match identity.has_group(TTY_GROUP) {
        true => mount.option("gid", TTY_GROUP.to_string()),
        false => mount,
    }
}

fn below(draft: &mut Draft<'_>, dev: Slot, name: &str, mount: Mount, flags: MountFlags) {
    draft.step(Step::Mount(mount.attributes(Attributes::set(flags)).target_in_fresh(dev, name)));
}

fn nodes(dev: Slot) -> [Step; NODES.len()] {
    NODES.map(|(name, major, minor)| node_step(dev, name, FileKind::CharacterDevice, Device { major, minor }))
}

fn node_step(dev: Slot, name: &str, kind: FileKind, device: Device) -> Step {
    Step::Node { location: Location::at(dev, name), kind, mode: 0o666, device }
}
