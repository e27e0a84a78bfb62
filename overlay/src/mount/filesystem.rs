//! A file system that is being made or reconfigured, parameter by parameter.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{self, FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags};

use super::fault::{failed, failed_in, log};
use crate::errno::rustix as errno_of;
use crate::{Error, Mount, MountFlags, Result};

/// A file system context of `fsopen(2)` or `fspick(2)`.
///
/// Parameters are given one by one, then the file system is made by [`create`](Self::create) and mounted by
/// [`mount`](Self::mount). Each error carries what the kernel wrote to the context's log. What file systems write
/// to the kernel's own log instead, as overlay does for most of what `create` refuses, is in `dmesg(1)` only.
///
/// ```no_run
/// use cofferdam_overlay::{CWD, Filesystem, MountFlags};
///
/// let filesystem = Filesystem::open("tmpfs")?;
/// filesystem.string("size", "1M")?;
/// filesystem.create()?;
/// let mount = filesystem.mount(MountFlags::NOSUID | MountFlags::NODEV)?;
/// mount.attach(CWD, "/mnt")?;
/// # Ok::<(), cofferdam_overlay::Error>(())
/// ```
#[derive(Debug)]
pub struct Filesystem {
    context: OwnedFd,
    name: String,
}

impl Filesystem {
    /// Begins to make a file system of this type, such as `overlay` or `tmpfs`: `fsopen(2)` (Linux 5.2).
    ///
    /// # Errors
    /// [`Error::Call`] with `ENODEV` for a type that the kernel does not have, `EPERM` without the privilege;
    /// [`Error::Unsupported`].
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns the caller's mount namespace. In one that is not the first
    /// only some types can be created: `overlay` (Linux 5.11), `tmpfs`, `proc`, `sysfs`, `cgroup2`, `fuse` and few
    /// others.
    pub fn open(name: &str) -> Result<Self> {
        mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)
            .map(|context| Self { context, name: name.to_owned() })
            .map_err(|errno| failed("fsopen", name.to_owned(), errno_of(errno)))
    }

    /// Begins to reconfigure the file system whose mount is at this path: `fspick(2)` (Linux 5.2). An empty path
    /// means the descriptor itself. A symbolic link at the end is not followed.
    ///
    /// What is changed is the file system, with all its mounts, not one mount: for that see
    /// [`Mount::change`].
    ///
    /// # Errors
    /// [`Error::Call`]; `EINVAL` where the path is not the root of a mount. [`Error::Unsupported`].
    ///
    /// # Privileges
    /// As for [`open`](Self::open); reconfiguring asks for `CAP_SYS_ADMIN` in the user namespace in which the
    /// file system was mounted.
    pub fn pick(dir: impl AsFd, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let flags = FsPickFlags::FSPICK_CLOEXEC
            | FsPickFlags::FSPICK_EMPTY_PATH
            | FsPickFlags::FSPICK_SYMLINK_NOFOLLOW;
        mount::fspick(dir, path, flags)
            .map(|context| Self { context, name: path.display().to_string() })
            .map_err(|errno| failed("fspick", path.display().to_string(), errno_of(errno)))
    }

    /// Gives a parameter without a value, such as `userxattr` (`FSCONFIG_SET_FLAG`).
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log.
    pub fn flag(&self, key: &str) -> Result<()> {
        mount::fsconfig_set_flag(self.context.as_fd(), key)
            .map_err(|errno| self.failed(key.to_owned(), errno))
    }

    /// Gives a parameter with a value (`FSCONFIG_SET_STRING`). The kernel takes 255 bytes at most.
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log; `EINVAL` without a log for a longer value.
    pub fn string(&self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Result<()> {
        let value = value.as_ref();
        mount::fsconfig_set_string(self.context.as_fd(), key, value)
            .map_err(|errno| self.failed(format!("{key}={}", value.display()), errno))
    }

    /// Gives a parameter with a path below a directory (`FSCONFIG_SET_PATH`). Few file systems take one.
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log.
    pub fn path(&self, key: &str, dir: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        mount::fsconfig_set_path(self.context.as_fd(), key, path, dir)
            .map_err(|errno| self.failed(format!("{key}={}", path.display()), errno))
    }

    /// Gives a parameter with an open file (`FSCONFIG_SET_FD`): layers of `overlay` since Linux 6.13. The
    /// descriptor may be closed afterwards.
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log.
    pub fn fd(&self, key: &str, fd: impl AsFd) -> Result<()> {
        mount::fsconfig_set_fd(self.context.as_fd(), key, fd)
            .map_err(|errno| self.failed(format!("{key}=(descriptor)"), errno))
    }

    /// Makes the file system, or takes an existing one with the same parameters where its type is so
    /// (`FSCONFIG_CMD_CREATE`).
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log.
    pub fn create(&self) -> Result<()> {
        mount::fsconfig_create(self.context.as_fd()).map_err(|errno| self.failed("create".to_owned(), errno))
    }

    /// Makes the file system, and fails with `EBUSY` where an existing one would be taken
    /// (`FSCONFIG_CMD_CREATE_EXCL`, Linux 6.6).
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log; `EOPNOTSUPP` on an older kernel.
    pub fn create_exclusive(&self) -> Result<()> {
        mount::fsconfig_create_exclusive(self.context.as_fd())
            .map_err(|errno| self.failed("create exclusively".to_owned(), errno))
    }

    /// Changes the picked file system to the parameters given since, such as the flag `ro`
    /// (`FSCONFIG_CMD_RECONFIGURE`).
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log; `EBUSY` if it is to be read-only and a file is open for writing.
    pub fn reconfigure(&self) -> Result<()> {
        mount::fsconfig_reconfigure(self.context.as_fd())
            .map_err(|errno| self.failed("reconfigure".to_owned(), errno))
    }

    /// A mount of the created file system, attached nowhere: `fsmount(2)`. It can be had once.
    ///
    /// # Errors
    /// [`Error::Call`] with the kernel's log. [`Error::Invalid`] for attributes above the 32 bits of the call.
    pub fn mount(&self, flags: MountFlags) -> Result<Mount> {
        let bits = u32::try_from(flags.bits()).map_err(|_| Error::Invalid {
            what: "mount attributes",
            value: flags.to_string(),
            reason: "fsmount(2) takes 32 bits".to_owned(),
        })?;
        let attributes = MountAttrFlags::from_bits_retain(bits);
        mount::fsmount(self.context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map(Mount::from)
            .map_err(|errno| {
                let on = format!("{} [{flags}]", self.name);
                failed_in(self.context.as_fd(), "fsmount", on, errno_of(errno))
            })
    }

    /// Takes the messages from the context's log, such as the warnings of calls that succeeded.
    pub fn log(&self) -> Vec<String> {
        log(self.context.as_fd())
    }

    fn failed(&self, what: String, errno: rustix::io::Errno) -> Error {
        failed_in(self.context.as_fd(), "fsconfig", format!("{} {what}", self.name), errno_of(errno))
    }
}

impl AsFd for Filesystem {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.context.as_fd()
    }
}
