//! Simple mounts by `mount(2)`.
//!
//! A detached mount lives in a mount namespace of its own, which the kernel makes and takes down for it. A mount that is
//! attached at once and needs no descriptor can do without: that takes about half the time. Paths are still not trusted.
//! The init first changes to the directory that it has resolved by descriptor, and names it as `.`, or names something in
//! a file system that an earlier step has made.

use std::ffi::OsString;

use super::builder::{Builder, path, text};
use super::files;
use super::program::Value;
use crate::Error;
use crate::plan::{
    Argument, Attributes, Location, Mount, MountFlags, MountOption, Namespaces, RawCall, Source, Step,
    Target, TargetKind,
};

/// The parameter that is no option to `mount(2)`.
const SOURCE: &str = "source";
/// The kernel takes one page of options, and cuts off the rest without a word.
const PAGE: usize = 4096;

/// Whether a mount can be made this way, before these steps: nobody wants its descriptor, `mount(2)` can say all of it and
/// takes it, and the working directory is not needed until it is set.
pub(super) fn can(mount: &Mount, namespaces: Namespaces, then: &[Step]) -> bool {
    says_all(mount) && is_new(mount, namespaces) && is_directory_free(then)
}

/// Whether the file system is another one than what may be mounted there: `mount(2)` refuses the same one in the same place.
fn is_new(mount: &Mount, namespaces: Namespaces) -> bool {
    let Source::New { filesystem, .. } = &mount.source else { return true };
    match filesystem.to_str() {
        Some("proc") => namespaces.contains(Namespaces::PID),
        Some("mqueue") => namespaces.contains(Namespaces::IPC),
        Some("sysfs") => namespaces.contains(Namespaces::NET),
        Some("cgroup" | "cgroup2") => false,
        _ => true,
    }
}

/// Whether the working directory is set before a path is seen from it.
fn is_directory_free(steps: &[Step]) -> bool {
    let seen = |location: &Location| location.dir.is_none() && !location.path.is_absolute();
    for step in steps {
        let relative = match step {
            Step::PivotRoot { .. } | Step::ChangeRoot { .. } => return true,
            Step::WorkingDirectory(path) => return path.is_absolute(),
            Step::TryWorkingDirectory(path) => !path.is_absolute(),
            Step::Call(call) => sees(call),
            Step::Sync { .. } | Step::If { .. } => true,
            Step::Unmount(path) => !path.is_absolute(),
            Step::Mount(Mount { source: Source::Tree { from, .. }, .. }) => seen(from),
            Step::MountAttributes { mount: location, .. }
            | Step::Open { location, .. }
            | Step::Directory { location, .. }
            | Step::Symlink { location, .. }
            | Step::Node { location, .. }
            | Step::Write { location, .. } => seen(location),
            _ => false,
        };
        if relative {
            return false;
        }
    }
    false
}

/// Whether a call may see a path from the working directory. Those that are listed take theirs from a descriptor.
fn sees(call: &RawCall) -> bool {
    const BY_DESCRIPTOR: [libc::c_long; 4] =
        [libc::SYS_mknodat, libc::SYS_symlinkat, libc::SYS_unlinkat, libc::SYS_fchownat];
    let listed = BY_DESCRIPTOR.contains(&call.number.into());
    !listed || !call.arguments.iter().any(|argument| matches!(argument, Argument::Descriptor(_)))
}

fn says_all(mount: &Mount) -> bool {
    let Some(target) = &mount.target else { return false };
    let attributes = Attributes { set: MountFlags::empty(), ..mount.attributes };
    if mount.into.is_some() || target.root.is_none() || !attributes.is_empty() {
        return false;
    }
    match &mount.source {
        Source::New { options, .. } => {
            let directory = target.fresh || target.make != Some(TargetKind::File);
            let plain = options.iter().all(is_plain) && joined(options).len() < PAGE;
            directory && plain && flags(mount.attributes.set).is_some()
        }
        Source::Tree { from, recursive } => {
            let seen = from.path.is_absolute() && from.dir.is_none() || from.dir == target.root;
            target.fresh && seen && !recursive && mount.attributes.set == MountFlags::empty()
        }
        Source::Detached(_) => false,
    }
}

fn is_plain(option: &MountOption) -> bool {
    // Options of any file system are flags of mount(2), and not every file system finds them among its own.
    const OF_ANY: [&str; 9] =
        ["ro", "rw", "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"];
    let has_comma = |text: &OsString| text.as_encoded_bytes().contains(&b',');
    match option {
        MountOption::Flag(key) => !has_comma(key) && !OF_ANY.iter().any(|any| key == any),
        MountOption::Value(key, value) => !has_comma(key) && !has_comma(value),
        MountOption::Descriptor(..) => false,
    }
}

/// The flags of `mount(2)` for these attributes; none for what it cannot say. Read-only would be the whole file system there.
fn flags(attributes: MountFlags) -> Option<u64> {
    const SAME: [(MountFlags, u64); 7] = [
        (MountFlags::NOSUID, libc::MS_NOSUID),
        (MountFlags::NODEV, libc::MS_NODEV),
        (MountFlags::NOEXEC, libc::MS_NOEXEC),
        (MountFlags::NOATIME, libc::MS_NOATIME),
        (MountFlags::STRICTATIME, libc::MS_STRICTATIME),
        (MountFlags::NODIRATIME, libc::MS_NODIRATIME),
        (MountFlags::NOSYMFOLLOW, libc::MS_NOSYMFOLLOW),
    ];
    let mut rest = attributes.bits();
    let mut flags = 0;
    for (attribute, flag) in SAME {
        if attributes.contains(attribute) {
            rest &= !attribute.bits();
            flags |= flag;
        }
    }
    (rest == 0).then_some(flags)
}

/// Makes it.
pub(super) fn mount(builder: &mut Builder<'_>, mount: &Mount) -> Result<(), Error> {
    let Some(target) = &mount.target else { return Ok(()) };
    let place = enter(builder, target)?;
    let (source, kind, flags, data) = match &mount.source {
        Source::New { filesystem, options } => {
            let kind = text(filesystem, "file system type")?;
            let data = Value::Bytes(text(&joined(options), "mount option")?);
            let source = options.iter().find_map(|option| match option {
                MountOption::Value(key, value) if key == SOURCE => Some(text(value, "mount source")),
                _ => None,
            });
            let source = source.transpose()?.unwrap_or_else(|| kind.clone());
            let flags = flags(mount.attributes.set).unwrap_or_default();
            (Value::Bytes(source), Value::Bytes(kind), flags, data)
        }
        Source::Tree { from, .. } => (path(&from.path)?, Value::Number(0), libc::MS_BIND, Value::Number(0)),
        Source::Detached(_) => return Ok(()),
    };
    builder.call("mount", libc::SYS_mount, [source, place, kind, Value::Number(flags), data]);
    Ok(())
}

/// Changes the working directory, and gives the path of the target from there.
fn enter(builder: &mut Builder<'_>, target: &Target) -> Result<Value, Error> {
    let Some(root) = target.root.map(|root| builder.slot(root)) else { return path(&target.path) };
    if target.fresh {
        builder.call("fchdir", libc::SYS_fchdir, [Value::Slot(root)]);
        return path(&target.path);
    }
    if matches!(target.path.as_os_str().as_encoded_bytes(), b"" | b"/") {
        builder.call("fchdir", libc::SYS_fchdir, [Value::Slot(root)]);
        return Ok(Value::Bytes(b".\0".to_vec()));
    }
    let place = builder.temporary();
    match target.make {
        Some(kind) => files::target(builder, root, &target.path, kind, place)?,
        None => files::resolve(builder, root, &target.path, place)?,
    }
    builder.call("fchdir", libc::SYS_fchdir, [Value::Slot(place)]);
    builder.close_temporary(place);
    Ok(Value::Bytes(b".\0".to_vec()))
}

/// The options as one string.
fn joined(options: &[MountOption]) -> OsString {
    let mut all = OsString::new();
    let is_source = |option: &&MountOption| matches!(option, MountOption::Value(key, _) if key == SOURCE);
    for option in options.iter().filter(|option| !is_source(option)) {
        if !all.is_empty() {
            all.push(",");
        }
        match option {
            MountOption::Flag(key) => all.push(key),
            MountOption::Value(key, value) => {
                all.push(key);
                all.push("=");
                all.push(value);
            }
            MountOption::Descriptor(..) => {}
        }
    }
    all
}
