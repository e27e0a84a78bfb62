//! Device nodes and the links in `/dev`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use rustix::fs::FileType;
use rustix::thread::{CapabilitySet, capabilities};

use super::calls::{chown, link, node, remove};
use super::destination::clean;
use super::view::View;
use crate::oci::{Error, Result};
use crate::{Attributes, Device, Expected, FileKind, Location, Mount, Open, Slot, Step, own};

/// A node that the container has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    path: PathBuf,
    kind: FileKind,
    device: Device,
    mode: u32,
    owner: (u32, u32),
    /// Where the configuration says so; the others are there always.
    index: Option<usize>,
}

const USUAL: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

const DEV: &str = "/dev";

/// The file itself, through no link.
pub(super) const STRICT: Open =
    Open { resolve: Open::PATH_IN_ROOT.resolve | libc::RESOLVE_NO_SYMLINKS, ..Open::PATH_IN_ROOT };

/// Makes all nodes and links. Each is made by its name in a directory that is held, so nothing is made through a link.
pub(super) fn make(view: &mut View<'_, '_>) -> Result<()> {
    let wanted = wanted(view)?;
    let limited = view.spaces.other_user || !may_make_nodes()?;
    let mut held: Option<(PathBuf, Slot)> = None;
    for one in &wanted {
        let (Some(parent), Some(name)) = (one.path.parent(), one.path.file_name()) else { continue };
        let directory = match held.take() {
            Some((path, slot)) if path == parent => slot,
            other => {
                view.draft.steps(other.map(|(_, slot)| Step::Close(slot)));
                view.directory(parent)
            }
        };
        match limited && one.kind != FileKind::Fifo {
            true => show(view, one, directory, name)?,
            false => create(view, one, parent, directory, name),
        }
        held = Some((parent.to_owned(), directory));
    }
    if !view.is_hosts(Path::new(DEV)) {
        let dev = match held.filter(|(path, _)| path == Path::new(DEV)) {
            Some((_, slot)) => slot,
            None => view.directory(Path::new(DEV)),
        };
        links(view, dev);
    }
    Ok(())
}

fn links(view: &mut View<'_, '_>, dev: Slot) {
    for (name, target) in LINKS {
        view.draft.step(link(dev, name, target));
    }
    if Path::new("/proc/kcore").exists() {
        view.draft.step(link(dev, "core", "/proc/kcore"));
    }
    // The root may come with the one of another devpts.
    view.draft.step(remove(dev, "ptmx"));
    view.draft.step(link(dev, "ptmx", "pts/ptmx"));
    view.draft.step(Step::Close(dev));
}

/// The nodes that are always there, and those of `linux.devices`; of several with one path the last. Those in `/dev` come
/// last, as links follow there.
fn wanted(view: &View<'_, '_>) -> Result<Vec<Wanted>> {
    let mut all: Vec<Wanted> = Vec::new();
    if !view.is_hosts(Path::new(DEV)) {
        all.extend(USUAL.map(|(name, major, minor)| Wanted {
            path: Path::new(DEV).join(name),
            kind: FileKind::CharacterDevice,
            device: Device { major, minor },
            mode: 0o666,
            owner: (0, 0),
            index: None,
        }));
    }
    let linux = view.request.spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    for (index, given) in given.iter().enumerate() {
        let one = of(index, given)?;
        all.retain(|other| other.path != one.path);
        all.push(one);
    }
    all.sort_by_key(|one| one.path.parent() == Some(Path::new(DEV)));
    Ok(all)
}

fn of(index: usize, given: &LinuxDevice) -> Result<Wanted> {
    let wrong =
        |field: &str, reason: String| Error::config(format!("linux.devices[{index}].{field}"), reason);
    let path = clean(given.path());
    if path.file_name().is_none() {
        return Err(wrong("path", format!("{} is no name of a file", given.path().display())));
    }
    let kind = match given.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => FileKind::CharacterDevice,
        LinuxDeviceType::B => FileKind::BlockDevice,
        LinuxDeviceType::P => FileKind::Fifo,
        LinuxDeviceType::A => return Err(wrong("type", "a is for rules, not for devices".into())),
    };
    let number = |field: &str, value: i64, bits: u32| {
        let fits = u32::try_from(value).ok().filter(|value| value >> bits == 0);
        fits.ok_or_else(|| wrong(field, format!("{value} is no number of a device")))
    };
    let device = match kind {
        FileKind::Fifo => Device { major: 0, minor: 0 },
        _ => {
            Device { major: number("major", given.major(), 12)?, minor: number("minor", given.minor(), 20)? }
        }
    };
    let mode = given.file_mode().unwrap_or(0o666);
    // The type may be part of the mode: engines take it from stat(2).
    if ![0, kind.mode()].contains(&(mode & libc::S_IFMT)) || mode & !(libc::S_IFMT | 0o7777) != 0 {
        return Err(wrong("fileMode", format!("{mode} is no mode of this type of file")));
    }
    let owner = (given.uid().unwrap_or(0), given.gid().unwrap_or(0));
    Ok(Wanted { path, kind, device, mode: mode & 0o7777, owner, index: Some(index) })
}

/// Makes a node, or finds the very same there.
fn create(view: &mut View<'_, '_>, one: &Wanted, parent: &Path, directory: Slot, name: &OsStr) {
    let number = libc::makedev(one.device.major, one.device.minor);
    view.draft.step(node(directory, Path::new(name), one.kind.mode() | one.mode, number));
    let file = view.draft.plan.slot(one.path.display().to_string());
    view.draft.step(Step::Open { location: Location::at(directory, name), how: STRICT, into: file });
    view.draft.step(Step::Verify { file, expected: one.expected() });
    // A node in a directory of the host belongs to whom it belongs there.
    if one.owner != (0, 0) && !view.is_hosts(parent) {
        view.draft.step(chown(file, one.owner.0, one.owner.1));
    }
    view.draft.step(Step::Close(file));
}

/// Shows a node of the host, where none can be made.
fn show(view: &mut View<'_, '_>, one: &Wanted, directory: Slot, name: &OsStr) -> Result<()> {
    let source = hosts(one)?;
    let copy = view.draft.copy(&source, false);
    view.draft.step(Step::Verify { file: copy, expected: one.expected() });
    let place = view.draft.plan.slot(one.path.display().to_string());
    let file = FileKind::Regular.mode() | 0o644;
    view.draft.step(node(directory, Path::new(name), file, 0));
    view.draft.step(Step::Open { location: Location::at(directory, name), how: STRICT, into: place });
    let attributes = Attributes { propagation: Some(view.base), ..Attributes::default() };
    let mount = Mount::detached(copy).attributes(attributes).target(Some(place), "", None);
    view.draft.steps([Step::Mount(mount), Step::Close(place), Step::Close(copy)]);
    Ok(())
}

/// The host's node of a device: with the same path, or by its number.
fn hosts(one: &Wanted) -> Result<PathBuf> {
    let class = if one.kind == FileKind::BlockDevice { "block" } else { "char" };
    let by_number = PathBuf::from(format!("/dev/{class}/{}:{}", one.device.major, one.device.minor));
    let is_it = |path: &&PathBuf| {
        rustix::fs::stat(path.as_path()).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode).as_raw_mode();
            kind == one.kind.mode() && stat.st_rdev == libc::makedev(one.device.major, one.device.minor)
        })
    };
    [&one.path, &by_number].into_iter().find(is_it).cloned().ok_or_else(|| {
        let number = format!("{}:{}", one.device.major, one.device.minor);
        match one.index {
            Some(index) => Error::config(
                format!("linux.devices[{index}]"),
                format!("{number} cannot be made in a user namespace, and the host has no node of it"),
            ),
            None => Error::Path {
                what: "device of the host",
                path: one.path.clone(),
                errno: crate::Errno::new(libc::ENODEV),
            },
        }
    })
}

impl Wanted {
    fn expected(&self) -> Expected {
        let rdev = (self.kind != FileKind::Fifo).then_some(self.device);
        Expected { kind: Some(self.kind), rdev, ..Expected::default() }
    }
}

/// Whether this process may make device nodes: that takes the first user namespace.
fn may_make_nodes() -> Result<bool> {
    let own = own::get()?;
    let all = own.users.ranges().iter().map(|range| u64::from(range.count())).sum::<u64>();
    let held = capabilities(None).map_err(crate::Error::call("capget"))?;
    Ok(all == u64::from(u32::MAX) && held.effective.contains(CapabilitySet::MKNOD))
}
