//! Mounts and roots, by descriptor.

use std::path::Path;

use super::builder::{Builder, empty_path, path, text, words};
use super::program::{Content, Operation, Patch, Value};
use super::{by_path, files};
use crate::Error;
use crate::plan::{Attributes, Location, Mount, MountFlags, MountOption, Propagation, Slot, Source, Target};

const AT_EMPTY_PATH: u64 = 0x1000;
const AT_RECURSIVE: u64 = 0x8000;
const OPEN_TREE_CLONE: u64 = 1;
const FSOPEN_CLOEXEC: u64 = 1;
const FSMOUNT_CLOEXEC: u64 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u64 = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: u64 = 0x40;
const MOUNT_ATTR_ATIME: u64 = 0x70;
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
const MNT_DETACH: u64 = 2;

/// `fsconfig` commands.
mod command {
    pub(super) const SET_FLAG: u64 = 0;
    pub(super) const SET_STRING: u64 = 1;
    pub(super) const SET_FD: u64 = 5;
    pub(super) const CREATE: u64 = 6;
}

/// Makes, configures and attaches a mount.
pub(super) fn mount(builder: &mut Builder<'_>, index: usize, mount: &Mount) -> Result<(), Error> {
    let then = builder.plan.steps.get(index + 1..).unwrap_or_default();
    if !builder.nested && by_path::can(mount, builder.plan.namespaces, then) {
        return by_path::mount(builder, mount);
    }
    let (slot, temporary) = match (&mount.source, mount.into) {
        (Source::Detached(slot), _) => (builder.slot(*slot), false),
        (_, Some(into)) => (builder.slot(into), false),
        (_, None) => (builder.temporary(), true),
    };
    let mut attributes = mount.attributes;
    match &mount.source {
        Source::New { filesystem, options } => {
            let filesystem = text(filesystem, "file system type")?;
            create(builder, filesystem, options, attributes.set.bits(), slot)?;
            attributes.set = MountFlags::empty();
        }
        Source::Tree { from, recursive } => open_tree(builder, from, *recursive, slot)?,
        Source::Detached(_) => {}
    }
    if !attributes.is_empty() {
        set_attributes(builder, [Value::Slot(slot), empty_path()], AT_EMPTY_PATH, &attributes);
    }
    if let Some(target) = &mount.target {
        attach(builder, slot, target)?;
    }
    if temporary {
        builder.close_temporary(slot);
    }
    Ok(())
}

/// A new instance of a file system as a detached mount.
pub(super) fn create(
    builder: &mut Builder<'_>,
    filesystem: Vec<u8>,
    options: &[MountOption],
    attributes: u64,
    out: u32,
) -> Result<(), Error> {
    let context = builder.temporary();
    let open = Operation::call(libc::SYS_fsopen, [Value::Bytes(filesystem), Value::Number(FSOPEN_CLOEXEC)]);
    builder.push(open.out(context), Some("fsopen"));
    for option in options {
        let (command, key, value, auxiliary) = match option {
            MountOption::Flag(key) => (command::SET_FLAG, key, Value::Number(0), Value::Number(0)),
            MountOption::Value(key, value) => {
                let value = Value::Bytes(text(value, "mount option")?);
                (command::SET_STRING, key, value, Value::Number(0))
            }
            MountOption::Descriptor(key, slot) => {
                (command::SET_FD, key, Value::Number(0), Value::Slot(builder.slot(*slot)))
            }
        };
        let key = Value::Bytes(text(key, "mount option")?);
        let values = [Value::Slot(context), Value::Number(command), key, value, auxiliary];
        builder.call("fsconfig", libc::SYS_fsconfig, values);
    }
    let zero = || Value::Number(0);
    let values = [Value::Slot(context), Value::Number(command::CREATE), zero(), zero(), zero()];
    builder.call("fsconfig", libc::SYS_fsconfig, values);
    let values = [Value::Slot(context), Value::Number(FSMOUNT_CLOEXEC), Value::Number(attributes)];
    builder.push(Operation::call(libc::SYS_fsmount, values).out(out), Some("fsmount"));
    builder.close_temporary(context);
    Ok(())
}

fn open_tree(builder: &mut Builder<'_>, from: &Location, recursive: bool, out: u32) -> Result<(), Error> {
    let mut flags = OPEN_TREE_CLONE | u64::from(libc::O_CLOEXEC.unsigned_abs());
    if recursive {
        flags |= AT_RECURSIVE;
    }
    if from.path.as_os_str().is_empty() {
        flags |= AT_EMPTY_PATH;
    }
    let [dir, path] = builder.location(from)?;
    let call = Operation::call(libc::SYS_open_tree, [dir, path, Value::Number(flags)]).out(out);
    builder.push(call, Some("open_tree"));
    Ok(())
}

/// Changes attributes of an attached mount.
pub(super) fn attributes(
    builder: &mut Builder<'_>,
    mount: &Location,
    attributes: &Attributes,
) -> Result<(), Error> {
    let flags = if mount.path.as_os_str().is_empty() { AT_EMPTY_PATH } else { 0 };
    let place = builder.location(mount)?;
    set_attributes(builder, place, flags, attributes);
    Ok(())
}

fn set_attributes(builder: &mut Builder<'_>, place: [Value; 2], flags: u64, attributes: &Attributes) {
    let mut set = attributes.set.bits();
    let mut clear = attributes.clear.bits();
    if (set | clear) & MOUNT_ATTR_ATIME != 0 {
        // The access time flags are one value: setting it means clearing all of it.
        clear |= MOUNT_ATTR_ATIME;
    }
    let propagation = match attributes.propagation {
        None => 0,
        Some(Propagation::Private) => libc::MS_PRIVATE,
        Some(Propagation::Slave) => libc::MS_SLAVE,
        Some(Propagation::Shared) => libc::MS_SHARED,
        Some(Propagation::Unbindable) => libc::MS_UNBINDABLE,
    };
    let mut patches = Vec::new();
    if let Some(namespace) = attributes.idmap {
        set |= MOUNT_ATTR_IDMAP;
        patches.push(Patch { offset: 24, content: Content::Slot(builder.slot(namespace)) });
    }
    let bytes = words([set, clear, propagation, 0]);
    let size = Value::Number(bytes.len() as u64);
    let flags = flags | if attributes.recursive { AT_RECURSIVE } else { 0 };
    let [dir, path] = place;
    let values = [dir, path, Value::Number(flags), Value::Structure { bytes, patches }, size];
    builder.call("mount_setattr", libc::SYS_mount_setattr, values);
}

fn attach(builder: &mut Builder<'_>, mount: u32, target: &Target) -> Result<(), Error> {
    let top = matches!(target.path.as_os_str().as_encoded_bytes(), b"" | b"/");
    let flags = Value::Number(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    let (root, opened) = match target.root {
        Some(root) => (builder.slot(root), false),
        None => {
            let root = builder.temporary();
            files::open_root(builder, root)?;
            (root, true)
        }
    };
    if top {
        let values = [Value::Slot(mount), empty_path(), Value::Slot(root), empty_path(), flags];
        builder.call("move_mount", libc::SYS_move_mount, values);
    } else if target.fresh {
        let values = [Value::Slot(mount), empty_path(), Value::Slot(root), path(&target.path)?];
        let flags = Value::Number(MOVE_MOUNT_F_EMPTY_PATH);
        builder.call("move_mount", libc::SYS_move_mount, values.into_iter().chain([flags]));
    } else {
        let place = builder.temporary();
        match target.make {
            Some(kind) => files::target(builder, root, &target.path, kind, place)?,
            None => files::resolve(builder, root, &target.path, place)?,
        }
        let values = [Value::Slot(mount), empty_path(), Value::Slot(place), empty_path(), flags];
        builder.call("move_mount", libc::SYS_move_mount, values);
        builder.close_temporary(place);
    }
    if opened {
        builder.close_temporary(root);
    }
    Ok(())
}

/// Detaches a mount.
pub(super) fn unmount(builder: &mut Builder<'_>, target: &Path) -> Result<(), Error> {
    builder.call("umount2", libc::SYS_umount2, [path(target)?, Value::Number(MNT_DETACH)]);
    Ok(())
}

fn dot() -> Value {
    Value::Bytes(b".\0".to_vec())
}

/// The old root lies over the new one for an instant, by the same path, and is detached.
pub(super) fn pivot_root(builder: &mut Builder<'_>, root: Slot) -> Result<(), Error> {
    let root = builder.slot(root);
    builder.call("fchdir", libc::SYS_fchdir, [Value::Slot(root)]);
    builder.call("pivot_root", libc::SYS_pivot_root, [dot(), dot()]);
    builder.call("umount2", libc::SYS_umount2, [dot(), Value::Number(MNT_DETACH)]);
    change_to_root(builder)
}

/// The new root was attached over the old one.
pub(super) fn change_root(builder: &mut Builder<'_>, root: Slot) -> Result<(), Error> {
    let root = builder.slot(root);
    builder.call("fchdir", libc::SYS_fchdir, [Value::Slot(root)]);
    builder.call("chroot", libc::SYS_chroot, [dot()]);
    Ok(())
}

fn change_to_root(builder: &mut Builder<'_>) -> Result<(), Error> {
    builder.call("chdir", libc::SYS_chdir, [path(Path::new("/"))?]);
    Ok(())
}

/// A procfs of the init's own: nobody else can reach it or mount over its files.
pub(super) fn private_proc(builder: &mut Builder<'_>) -> Result<u32, Error> {
    if let Some(slot) = builder.private_proc {
        return Ok(slot);
    }
    let slot = builder.temporary();
    create(builder, b"proc\0".to_vec(), &[], 0, slot)?;
    builder.private_proc = Some(slot);
    Ok(slot)
}
