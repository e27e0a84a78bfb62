//! Keeping a namespace alive without a process: a bind mount of its file, as `ip netns` does;
//! `namespaces(7)`.

use crate::errno;
use crate::handle::{fd_link, is_nsfs};
use crate::{Error, Kind, Namespace, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno as Raw;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use std::os::fd::AsFd;
use std::path::Path;

/// What to do about the file that a namespace is to be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountPoint {
    /// The file must be there.
    Existing,
    /// Make an empty file if there is none; it is taken away again if the mount fails.
    Create,
}

impl Namespace {
    /// Mounts this namespace on a path, so that it lives on without a process until [`unbind`] or the end
    /// of the caller's mount namespace.
    ///
    /// The mount is seen in the caller's mount namespace, and where a shared mount propagates to. The last
    /// component of the path is not followed if it is a symbolic link. A bound pid namespace whose first
    /// process has ended cannot take new processes.
    ///
    /// A mount namespace must be younger than the caller's. Linux 6.18 was seen to number namespaces by
    /// CPU, so that there a younger one that was made on another CPU may be refused too; make both on one
    /// CPU.
    ///
    /// Needs Linux 5.2 (`open_tree`, `move_mount`).
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns the caller's mount namespace.
    ///
    /// # Errors
    /// [`Error::Bind`] with the step that failed; [`Error::MountNamespaceLoop`] for a mount namespace that
    /// is the caller's own or older, or whose mounts would get the new mount by propagation.
    pub fn bind_to(&self, path: impl AsRef<Path>, mount_point: MountPoint) -> Result<()> {
        let path = path.as_ref();
        let created = mount_point == MountPoint::Create && self.create_file(path)?;
        let result = self.mount_on(path);
        match result {
            Err(cause) if created => Err(take_away(path, cause)),
            result => result,
        }
    }

    /// Says whether there was none.
    fn create_file(&self, path: &Path) -> Result<bool> {
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::from_raw_mode(0o444)) {
            Ok(_) => Ok(true),
            Err(Raw::EXIST) => Ok(false),
            Err(errno) => Err(self.bind_error("create", path, errno)),
        }
    }

    fn mount_on(&self, path: &Path) -> Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target =
            openat(CWD, path, flags, Mode::empty()).map_err(|errno| self.bind_error("open", path, errno))?;
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let mount =
            open_tree(self.as_fd(), c"", flags).map_err(|errno| self.bind_error("open_tree", path, errno))?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&mount, c"", &target, c"", flags).map_err(|errno| self.move_error(path, errno))
    }

    /// The kernel refuses a mount namespace that would hold itself, at once or by propagation.
    fn move_error(&self, path: &Path, errno: Raw) -> Error {
        let rule = match (self.kind(), errno) {
            (Kind::Mnt, Raw::LOOP) => "the kernel counts it as the caller's own mount namespace or older",
            (Kind::Mnt, Raw::INVAL) => "the mount point is below a mount that it shares",
            _ => return self.bind_error("move_mount", path, errno),
        };
        Error::MountNamespaceLoop {
            inode: self.identity().ino,
            path: path.to_owned(),
            rule,
            errno: errno::rustix(errno),
        }
    }

    fn bind_error(&self, step: &'static str, path: &Path, errno: Raw) -> Error {
        Error::Bind {
            step,
            kind: self.kind(),
            inode: self.identity().ino,
            path: path.to_owned(),
            errno: errno::rustix(errno),
        }
    }
}

/// Removes the file that was made for a mount which then failed; gives the error to report.
fn take_away(path: &Path, cause: Error) -> Error {
    match unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) => cause,
        Err(errno) => {
            Error::LeftBehind { path: path.to_owned(), cause: Box::new(cause), errno: errno::rustix(errno) }
        }
    }
}

/// Takes away a namespace that was bound to a path, and the file itself.
///
/// The namespace ends with the last process, descriptor or mount that uses it. If several are bound one
/// over the other, the top one is unmounted and the file stays: the `unlink` step fails with `EBUSY`.
///
/// # Privileges
/// As [`Namespace::bind_to`], and the right to remove the file.
///
/// # Errors
/// [`Error::NotANamespaceMount`] if no namespace is mounted there, in which case nothing is touched;
/// [`Error::Unbind`] with the step that failed.
pub fn unbind(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let failed =
        |step| move |errno| Error::Unbind { step, path: path.to_owned(), errno: errno::rustix(errno) };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mounted = openat(CWD, path, flags, Mode::empty()).map_err(failed("open"))?;
    if !is_nsfs(mounted.as_fd()) {
        return Err(Error::NotANamespaceMount { path: path.to_owned() });
    }
    // Through the descriptor: what was checked is what is unmounted.
    unmount(fd_link(mounted.as_fd()), UnmountFlags::DETACH).map_err(failed("umount"))?;
    drop(mounted);
    unlinkat(CWD, path, AtFlags::empty()).map_err(failed("unlink"))
}
