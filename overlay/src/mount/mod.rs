//! A mount as a descriptor: made, cloned, given attributes, attached, detached.

pub(crate) mod fault;
mod filesystem;
mod flags;
mod idmap;
mod mapping;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree};

use crate::errno::rustix as errno_of;
use crate::sys::{MountAttr, mount_setattr};
use crate::{Error, Result};
use fault::failed;

pub use filesystem::Filesystem;
pub use flags::{Attributes, MountFlags, Propagation};
pub use idmap::UserNamespace;
pub use mapping::{IdMapping, MappedRange};

/// The working directory (`AT_FDCWD`), for functions that take a directory and a path. Absolute paths need none.
pub const CWD: BorrowedFd<'static> = rustix::fs::CWD;

const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;

/// A mount, or a tree of mounts, by descriptor.
///
/// It comes from [`Filesystem::mount`], [`Stack::mount`](crate::Stack::mount) or a clone, and is then *detached*:
/// in no mount namespace, and gone when the last descriptor of it is closed. [`attach`](Self::attach) gives it a
/// place. From then on it stays there when this value is dropped.
///
/// The descriptor is an `O_PATH` one of the mount's root: files are opened beneath it by `openat(2)`, also while it
/// is detached.
///
/// See `open_tree(2)`, `move_mount(2)`, `mount_setattr(2)`.
#[derive(Debug)]
pub struct Mount {
    fd: OwnedFd,
}

impl Mount {
    /// A clone of the one mount at a path, from the path's directory downwards, without the mounts below it: the
    /// `mount --bind` of `mount(8)`, detached (`OPEN_TREE_CLONE`, Linux 5.2).
    ///
    /// An empty path means the descriptor itself. A symbolic link at the end of the path is followed; where others
    /// can write to a directory of the path, open it safely first and give the descriptor.
    ///
    /// # Errors
    /// [`Error::Call`] (`EINVAL`: an unbindable mount, one of another namespace, a detached one before Linux 6.15, or one that
    /// hides what the caller may not see); [`Error::Unsupported`].
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns the caller's mount namespace. In a less privileged mount
    /// namespace than the mount's own, a mount with others below it cannot be cloned without them.
    pub fn clone_mount(dir: impl AsFd, path: impl AsRef<Path>) -> Result<Self> {
        Self::open_tree(dir.as_fd(), path.as_ref(), OpenTreeFlags::OPEN_TREE_CLONE)
    }

    /// A clone of the mount at a path with all mounts below it: `mount --rbind`, detached.
    ///
    /// # Errors
    /// As [`clone_mount`](Self::clone_mount).
    ///
    /// # Privileges
    /// As [`clone_mount`](Self::clone_mount).
    pub fn clone_tree(dir: impl AsFd, path: impl AsRef<Path>) -> Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE;
        Self::open_tree(dir.as_fd(), path.as_ref(), flags)
    }

    /// The mount that is at a path, where it stays: to change or to unmount it.
    ///
    /// # Errors
    /// [`Error::Call`]; [`Error::Unsupported`].
    ///
    /// # Privileges
    /// None.
    pub fn open(dir: impl AsFd, path: impl AsRef<Path>) -> Result<Self> {
        Self::open_tree(dir.as_fd(), path.as_ref(), OpenTreeFlags::empty())
    }

    fn open_tree(dir: BorrowedFd<'_>, path: &Path, flags: OpenTreeFlags) -> Result<Self> {
        let flags = flags | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(dir, path, flags)
            .map(Self::from)
            .map_err(|errno| failed("open_tree", describe(path), errno_of(errno)))
    }

    /// Gives the mount its place: over what is at the path, or moves it there from its former place. A symbolic
    /// link at the end of the path is not followed. An empty path means the descriptor itself. The mount takes the
    /// propagation of its new surroundings.
    ///
    /// # Errors
    /// [`Error::Call`]: `ENOTDIR` for a directory over a file and the reverse, `EINVAL` among others if the place is
    /// in another mount namespace, or if a mount is moved that is locked or shared where it is.
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns the caller's mount namespace.
    pub fn attach(&self, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        self.move_to(dir.as_fd(), path.as_ref(), MoveMountFlags::empty())
    }

    /// As [`attach`](Self::attach), but beneath the topmost mount that is at the path, so that it appears when that
    /// one is unmounted: a mount replaced without a gap (`MOVE_MOUNT_BENEATH`, Linux 6.5). The path has to be the
    /// root of a mount, and not that of the mount namespace.
    ///
    /// # Errors
    /// [`Error::Call`]; `EINVAL` also on an older kernel.
    ///
    /// # Privileges
    /// As [`attach`](Self::attach).
    pub fn attach_beneath(&self, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        self.move_to(dir.as_fd(), path.as_ref(), MoveMountFlags::MOVE_MOUNT_BENEATH)
    }

    fn move_to(&self, dir: BorrowedFd<'_>, path: &Path, flags: MoveMountFlags) -> Result<()> {
        let flags = flags | MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(self.fd.as_fd(), "", dir, path, flags)
            .map_err(|errno| failed("move_mount", format!("to {}", describe(path)), errno_of(errno)))
    }

    /// Changes attributes and propagation, of this mount or with all below it: `mount_setattr(2)` (Linux 5.12). All
    /// of it happens or nothing: a tree is never read-only in parts.
    ///
    /// # Errors
    /// [`Error::Call`]: `EPERM` if a mount of the tree comes from a more privileged mount namespace and an attribute
    /// that is locked there would be cleared, `EBUSY` if it is to be read-only and a file is open for writing.
    /// [`Error::Unsupported`] on older kernels, also for what is not recursive; there is no other way to change a
    /// tree as a whole.
    ///
    /// # Privileges
    /// As [`attach`](Self::attach).
    pub fn change(&self, attributes: &Attributes) -> Result<()> {
        let attr = MountAttr {
            set: attributes.set.bits(),
            clear: attributes.clear.bits(),
            propagation: attributes.propagation.map_or(0, Propagation::bits),
            user_namespace: 0,
        };
        self.set_attr(&attr, attributes.recursive, || describe_change(attributes))
    }

    /// Makes ids appear shifted through this mount, as the maps of the user namespace say (Linux 5.12): a file whose
    /// owner on the file system is an id *inside* the namespace appears as owned by the id *outside* that it stands
    /// for, and what is written through the mount the reverse. Ids that are not mapped appear as the overflow id,
    /// and nothing can be made by them.
    ///
    /// The mount has to be detached, and its ids not mapped yet. With `recursive` the same holds for all mounts
    /// below it.
    ///
    /// # Errors
    /// [`Error::Call`]: `EINVAL` if the file system does not support it (overlay itself does not; its layers do
    /// since Linux 5.19) or the mount is attached, `EPERM` if the namespace is the first one or the caller lacks
    /// the privilege.
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace in which the file system was mounted: for a disk, that of the host.
    pub fn map_ids(&self, namespace: impl AsFd, recursive: bool) -> Result<()> {
        let number = namespace.as_fd().as_raw_fd().unsigned_abs();
        let attr =
            MountAttr { set: MOUNT_ATTR_IDMAP, user_namespace: u64::from(number), ..MountAttr::default() };
        self.set_attr(&attr, recursive, || "ids by a user namespace".to_owned())
    }

    fn set_attr(&self, attr: &MountAttr, recursive: bool, on: impl Fn() -> String) -> Result<()> {
        let flags = OpenTreeFlags::AT_EMPTY_PATH
            | if recursive { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
        mount_setattr(self.fd.as_fd(), c"", flags.bits(), attr)
            .map_err(|errno| failed("mount_setattr", on(), errno))
    }

    /// Takes the mount and all below it from its place (`MNT_DETACH`). It is gone for everyone who comes by path,
    /// and for good when the last open file in it is closed.
    ///
    /// # Errors
    /// [`Error::Call`] with `EINVAL` if it is not attached in the caller's mount namespace, or is locked there;
    /// [`Error::Path`] if there is no procfs at `/proc`, through which the descriptor is named.
    ///
    /// # Privileges
    /// As [`attach`](Self::attach).
    pub fn unmount(&self) -> Result<()> {
        let name = fd_path(self.fd.as_fd())?;
        // Without UMOUNT_NOFOLLOW, as the name in procfs is itself a link: it leads to this mount and nowhere else.
        rustix::mount::unmount(&name, UnmountFlags::DETACH)
            .map_err(|errno| failed("umount2", name, errno_of(errno)))
    }

    /// The descriptor alone.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl AsFd for Mount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for Mount {
    /// Takes a descriptor of a mount's root: from `fsmount(2)`, `open_tree(2)`, or `open(2)` with `O_PATH`.
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl From<Mount> for OwnedFd {
    fn from(mount: Mount) -> Self {
        mount.fd
    }
}

/// The path in procfs that names an open descriptor: a link that the kernel follows to the file itself, whatever
/// has happened to its name.
pub(crate) fn fd_path(fd: BorrowedFd<'_>) -> Result<String> {
    let name = format!("/proc/thread-self/fd/{}", fd.as_raw_fd());
    match rustix::fs::readlink(&name, Vec::new()) {
        Ok(_) => Ok(name),
        Err(errno) => Err(Error::Path { what: "read", path: name.into(), errno: errno_of(errno) }),
    }
}

pub(crate) fn describe(path: &Path) -> String {
    if path.as_os_str().is_empty() { "(descriptor)".to_owned() } else { path.display().to_string() }
}

fn describe_change(attributes: &Attributes) -> String {
    let mut words = Vec::new();
    if !attributes.set.is_empty() {
        words.push(format!("set {}", attributes.set));
    }
    if !attributes.clear.is_empty() {
        words.push(format!("clear {}", attributes.clear));
    }
    words.extend(attributes.propagation.map(|propagation| format!("{propagation:?}").to_lowercase()));
    if attributes.recursive {
        words.push("recursively".to_owned());
    }
    words.join(" ")
}
