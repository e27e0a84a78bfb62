//! File systems of the container's own.

use std::path::Path;

use oci_spec::runtime::Linux;
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat2};

use super::calls::{call, text};
use super::copy_up;
use super::entry::Entry;
use super::view::{Ground, View};
use crate::oci::{Error, Result};
use crate::{
    Argument, Attributes, Location, Mount, MountFlags, MountOption, Open, RawCall, Slot, Source, Step,
    TargetKind,
};

/// The longest value that a file system takes as a parameter of its own.
const LONGEST: usize = 255;

/// Mounts a new file system.
pub(super) fn mount(view: &mut View<'_, '_>, entry: &Entry, filesystem: &str) -> Result<()> {
    let parameters = parameters(view, entry, filesystem)?;
    let copied = match entry.options.copy_up {
        true => copy_up::look(view, entry)?,
        false => None,
    };
    let place = view.place(entry, TargetKind::Directory);
    if parameters.iter().any(is_long) {
        at_once(view, entry, filesystem, &parameters, place);
        return Ok(());
    }
    // What a later entry mounts in it needs its mount point, so a tmpfs is written to until everything is mounted.
    let later = filesystem == "tmpfs" && entry.options.is_read_only();
    let mut set = entry.options.fresh();
    if later {
        set = MountFlags::from_bits(set.bits() & !MountFlags::RDONLY.bits());
    }
    let labelled = label(view, filesystem).filter(|_| filesystem == "mqueue").map(str::to_owned);
    let wanted = later || copied.is_some() || labelled.is_some() || !entry.options.propagation.is_empty();
    let kept =
        wanted.then(|| view.draft.plan.slot(format!("{filesystem} on {}", entry.destination.display())));
    let source = Source::New { filesystem: filesystem.into(), options: parameters };
    let new = Mount { source, attributes: Attributes::set(set), target: None, into: kept };
    match (copied, kept) {
        (Some(copied), Some(mount)) => {
            view.draft.step(Step::Mount(new));
            copied.fill(view, place, mount);
            view.draft.step(Step::Mount(Mount::detached(mount).target(Some(place), "", None)));
        }
        _ => view.draft.step(Step::Mount(new.target(Some(place), "", None))),
    }
    view.draft.step(Step::Close(place));
    if let Some(mount) = kept {
        spread(view, entry, &Location::at(mount, ""));
        if let Some(label) = labelled {
            set_label(view, mount, &label);
        }
        match later {
            true => view.read_only_later(mount),
            false => view.draft.step(Step::Close(mount)),
        }
    }
    Ok(())
}

/// How the events of this mount spread.
fn spread(view: &mut View<'_, '_>, entry: &Entry, mount: &Location) {
    for (propagation, _) in &entry.options.propagation {
        let attributes = Attributes { propagation: Some(*propagation), ..Attributes::default() };
        view.draft.step(Step::MountAttributes { mount: mount.clone(), attributes });
    }
}

/// What the file system is told.
fn parameters(view: &View<'_, '_>, entry: &Entry, filesystem: &str) -> Result<Vec<MountOption>> {
    let source = entry.source.clone().unwrap_or_else(|| filesystem.into());
    let on_device = source.is_absolute();
    let mut parameters = vec![MountOption::Value("source".into(), source.into_os_string())];
    parameters.extend(entry.options.flags.iter().map(|flag| MountOption::Flag(flag.into())));
    if on_device && entry.options.is_read_only() {
        // A file system on a device is not even repaired then.
        parameters.push(MountOption::Flag("ro".into()));
    }
    if filesystem == "devpts" {
        check_group(view, entry)?;
    }
    parameters.extend(entry.options.data.iter().map(|(_, option)| option.clone()));
    if filesystem == "tmpfs" && entry.options.value("mode").is_none() {
        parameters.extend(
            mode_of(view, &entry.destination)
                .map(|mode| MountOption::Value("mode".into(), format!("{mode:04o}").into())),
        );
    }
    if let Some(label) = label(view, filesystem).filter(|_| filesystem != "mqueue") {
        parameters.push(MountOption::Value("context".into(), label.into()));
    }
    Ok(parameters)
}

/// The label of what is mounted: not of what the kernel makes up as it is read.
fn label<'v>(view: &View<'v, '_>, filesystem: &str) -> Option<&'v str> {
    let linux = view.request.spec.linux().as_ref()?;
    let label = linux.mount_label().as_deref().filter(|label| !label.is_empty())?;
    (!["proc", "sysfs", "cgroup", "cgroup2"].contains(&filesystem)).then_some(label)
}

/// Labels the top of a mount.
fn set_label(view: &mut View<'_, '_>, mount: Slot, label: &str) {
    let top = view.draft.plan.slot("top of the mount");
    let how = Open { flags: u64::from(libc::O_DIRECTORY.unsigned_abs()), mode: 0, resolve: 0 };
    let value = [label.as_bytes(), &[0]].concat();
    let length = Argument::Number(value.len() as u64);
    let arguments = vec![
        Argument::Descriptor(top),
        text("security.selinux"),
        Argument::Bytes(value),
        length,
        Argument::Number(0),
    ];
    view.draft.steps([
        Step::Open { location: Location::at(mount, "."), how, into: top },
        Step::Call(call(&format!("fsetxattr {label}"), libc::SYS_fsetxattr, arguments)),
        Step::Close(top),
    ]);
}

/// The group of terminals must exist.
fn check_group(view: &View<'_, '_>, entry: &Entry) -> Result<()> {
    let Some((index, value)) = entry.options.value("gid") else { return Ok(()) };
    let linux = view.request.spec.linux().as_ref();
    let Some(maps) = linux.and_then(|linux| linux.gid_mappings().as_deref()).filter(|maps| !maps.is_empty())
    else {
        return Ok(());
    };
    let mapped = value.parse::<u32>().is_ok_and(|group| {
        maps.iter().any(|map| group.checked_sub(map.container_id()).is_some_and(|offset| offset < map.size()))
    });
    if mapped {
        return Ok(());
    }
    let reason = format!("the group {value} is not in linux.gidMappings");
    Err(entry.wrong(&format!("options[{index}]"), reason))
}

/// The mode of what a tmpfs covers, which it takes over. It protects nothing, so a look beforehand is good enough.
fn mode_of(view: &View<'_, '_>, destination: &Path) -> Option<u32> {
    let (ground, rest) = view.ground(destination);
    let base = match ground {
        Ground::Root => None,
        Ground::Host(path) => Some(path),
        Ground::Fresh => return None,
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { &rest };
    let file = match base {
        None => openat2(&view.directory.file, rest, flags, Mode::empty(), resolve).ok()?,
        Some(path) => {
            let base = rustix::fs::open(path, flags, Mode::empty()).ok()?;
            openat2(&base, rest, flags, Mode::empty(), resolve).ok()?
        }
    };
    Some(fstat(&file).ok()?.st_mode & 0o7777)
}

fn is_long(option: &MountOption) -> bool {
    matches!(option, MountOption::Value(_, value) if value.len() > LONGEST)
}

/// With all parameters in one string, which may be a page long.
fn at_once(
    view: &mut View<'_, '_>,
    entry: &Entry,
    filesystem: &str,
    parameters: &[MountOption],
    place: Slot,
) {
    let joined: Vec<String> = parameters
        .iter()
        .filter_map(|option| match option {
            MountOption::Value(key, _) if key == "source" => None,
            MountOption::Value(key, value) => {
                Some(format!("{}={}", key.to_string_lossy(), value.to_string_lossy()))
            }
            MountOption::Flag(key) => Some(key.to_string_lossy().into_owned()),
            MountOption::Descriptor(..) => None,
        })
        .collect();
    let source = entry.source.clone().unwrap_or_else(|| filesystem.into());
    let arguments =
        vec![text(source), text("."), text(filesystem), Argument::Number(0), text(joined.join(","))];
    let name = format!("mount {filesystem} on {}", entry.destination.display());
    view.draft.steps([
        Step::Call(call("fchdir", libc::SYS_fchdir, vec![Argument::Descriptor(place)])),
        Step::Call(call(&name, libc::SYS_mount, arguments)),
        Step::Close(place),
    ]);
    let top = view.draft.plan.slot(entry.destination.display().to_string());
    let location = Location::at(view.root, super::destination::relative(&entry.destination));
    view.draft.step(Step::Open { location, how: Open::PATH_IN_ROOT, into: top });
    let attributes = Attributes::set(entry.options.fresh());
    if !attributes.is_empty() {
        view.draft.step(Step::MountAttributes { mount: Location::at(top, ""), attributes });
    }
    spread(view, entry, &Location::at(top, ""));
    view.draft.step(Step::Close(top));
}

/// Changes what is mounted already.
pub(super) fn change(view: &mut View<'_, '_>, entry: &Entry) {
    let top = view.draft.plan.slot(entry.destination.display().to_string());
    let location = Location::at(view.root, super::destination::relative(&entry.destination));
    view.draft.step(Step::Open { location, how: Open::PATH_IN_ROOT, into: top });
    if entry.options.bind.is_none() && !(entry.options.data.is_empty() && entry.options.flags.is_empty()) {
        reconfigure(view, entry, top);
    }
    for (change, recursive) in [(entry.options.all, true), (entry.options.top, false)] {
        if !change.is_empty() {
            let attributes =
                Attributes { set: change.set, clear: change.clear, recursive, ..Attributes::default() };
            view.draft.step(Step::MountAttributes { mount: Location::at(top, ""), attributes });
        }
    }
    spread(view, entry, &Location::at(top, ""));
    view.draft.step(Step::Close(top));
}

/// Changes the file system of a mount.
fn reconfigure(view: &mut View<'_, '_>, entry: &Entry, top: Slot) {
    const FSPICK_CLOEXEC: u64 = 1;
    const FSPICK_EMPTY_PATH: u64 = 8;
    const SET_FLAG: u64 = 0;
    const SET_STRING: u64 = 1;
    const RECONFIGURE: u64 = 7;
    let context = view.draft.plan.slot("file system context");
    let zero = || Argument::Number(0);
    let configure = |name: String, command, key, value| {
        let arguments = vec![Argument::Descriptor(context), Argument::Number(command), key, value, zero()];
        Step::Call(call(&name, libc::SYS_fsconfig, arguments))
    };
    let flags = Argument::Number(FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    let pick = call("fspick", libc::SYS_fspick, vec![Argument::Descriptor(top), text(""), flags]);
    view.draft.step(Step::Call(RawCall { into: Some(context), ..pick }));
    for flag in &entry.options.flags {
        view.draft.step(configure(format!("fsconfig {flag}"), SET_FLAG, text(flag), zero()));
    }
    for (_, option) in &entry.options.data {
        view.draft.step(match option {
            MountOption::Value(key, value) => {
                let name = format!("fsconfig {}", key.to_string_lossy());
                configure(name, SET_STRING, text(key), text(value))
            }
            MountOption::Flag(key) | MountOption::Descriptor(key, _) => {
                configure(format!("fsconfig {}", key.to_string_lossy()), SET_FLAG, text(key), zero())
            }
        });
    }
    view.draft.step(configure("fsconfig reconfigure".into(), RECONFIGURE, zero(), zero()));
    view.draft.step(Step::Close(context));
}

/// Whether there can be labels at all.
pub(super) fn check_label(linux: Option<&Linux>) -> Result<()> {
    let label = linux.and_then(|linux| linux.mount_label().as_deref()).unwrap_or_default();
    if !label.is_empty() && !Path::new("/sys/fs/selinux/enforce").exists() {
        let reason = format!("{label:?} cannot be set: there is no SELinux on this host");
        return Err(Error::config("linux.mountLabel", reason));
    }
    Ok(())
}
