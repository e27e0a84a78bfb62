//! An open namespace and the questions that one can ask it, see `ioctl_nsfs(2)` and `setns(2)`.

use crate::errno::{self, Errno};
use crate::sys::{self, FdRequest};
use crate::{Error, Kind, Kinds, Result};
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat, readlinkat};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The type of the nsfs file system, `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// What tells one namespace from another: equal identities are the same namespace.
///
/// That holds only while one of the two is held open or in use; the kernel uses inode numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device of the nsfs file system.
    pub dev: u64,
    /// The inode number, which `/proc/PID/ns` shows in brackets.
    pub ino: u64,
}

/// An owned descriptor of a namespace, which keeps the namespace alive.
///
/// The descriptor is close-on-exec. `Display` is as in `/proc/PID/ns`: `net:[4026531833]`.
///
/// ```
/// use cofferdam_namespaces::{Kind, Namespace};
/// let mine = Namespace::of_current(Kind::Net)?;
/// assert_eq!(mine.identity(), Namespace::open("/proc/self/ns/net")?.identity());
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Debug)]
pub struct Namespace {
    fd: OwnedFd,
    kind: Kind,
    identity: Identity,
}

impl Namespace {
    /// Opens a namespace file: an entry of `/proc/PID/ns` or a path that a namespace is bound to.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::NotANamespace`] for any other file, which is not read from;
    /// [`Error::UnknownKind`] for a kind that this crate does not know.
    ///
    /// # Privileges
    /// None for a bound path. Entries of `/proc/PID/ns` need the right to trace the process, `ptrace(2)`
    /// (`PTRACE_MODE_READ_FSCREDS`).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |errno| Error::Open { path: path.to_owned(), errno: errno::rustix(errno) };
        // O_PATH first: opening a device or a fifo would have effects, or block.
        let probe = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        if !is_nsfs(probe.as_fd()) {
            return Err(Error::NotANamespace { path: path.to_owned() });
        }
        let fd = openat(CWD, fd_link(probe.as_fd()), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed)?;
        Self::from_fd(fd)
    }

    /// As [`Namespace::open`], and checks the kind.
    ///
    /// # Errors
    /// As [`Namespace::open`], and [`Error::WrongKind`].
    pub fn open_kind(path: impl AsRef<Path>, kind: Kind) -> Result<Self> {
        let path = path.as_ref();
        let namespace = Self::open(path)?;
        if namespace.kind == kind {
            Ok(namespace)
        } else {
            Err(Error::WrongKind { path: path.to_owned(), expected: kind, found: namespace.kind })
        }
    }

    /// Takes over a descriptor after a check that it is a namespace.
    ///
    /// # Errors
    /// [`Error::NotANamespace`], [`Error::UnknownKind`]; the descriptor is closed then. An `O_PATH`
    /// descriptor of a namespace answers no question and gives [`Error::NotANamespace`] too.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let not_one = |fd: &OwnedFd| Error::NotANamespace { path: fd_target(fd.as_fd()) };
        if !is_nsfs(fd.as_fd()) {
            return Err(not_one(&fd));
        }
        let flag = sys::ns_type(fd.as_fd()).map_err(|_| not_one(&fd))?;
        let kind = Kind::from_flag(flag).ok_or(Error::UnknownKind { flag })?;
        let stat = fstat(&fd)
            .map_err(|errno| Error::Read { path: fd_target(fd.as_fd()), errno: errno::rustix(errno) })?;
        Ok(Self { fd, kind, identity: Identity { dev: stat.st_dev, ino: stat.st_ino } })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What tells this namespace from others.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The user namespace whose capabilities count for this one; for a user namespace, its parent
    /// (`NS_GET_USERNS`, Linux 4.9).
    ///
    /// # Errors
    /// [`Error::OutOfReach`] where that is not the caller's own user namespace or one below it.
    pub fn owner(&self) -> Result<Self> {
        self.related(FdRequest::Owner, "owner", "NS_GET_USERNS")
    }

    /// The namespace above (`NS_GET_PARENT`, Linux 4.9).
    ///
    /// # Errors
    /// [`Error::NotHierarchical`] unless this is a pid or user namespace; [`Error::OutOfReach`] for the first
    /// one, and where the parent is not the caller's own namespace or one below it.
    pub fn parent(&self) -> Result<Self> {
        if !self.kind.is_hierarchical() {
            return Err(Error::NotHierarchical { kind: self.kind });
        }
        self.related(FdRequest::Parent, "parent", "NS_GET_PARENT")
    }

    /// The uid that made this user namespace, as the caller's user namespace numbers it; 65534 (the
    /// overflow uid) where it has no number there (`NS_GET_OWNER_UID`, Linux 4.11).
    ///
    /// # Errors
    /// [`Error::NotAUserNamespace`]: for other kinds, ask `owner()?.owner_uid()`.
    pub fn owner_uid(&self) -> Result<u32> {
        if self.kind != Kind::User {
            return Err(Error::NotAUserNamespace { kind: self.kind, inode: self.identity.ino });
        }
        sys::owner_uid(self.fd.as_fd()).map_err(|errno| self.query("NS_GET_OWNER_UID", errno))
    }

    /// Moves the calling thread into this namespace (`setns(2)`).
    ///
    /// What that means differs by kind:
    /// * `user`: the process must have one thread, and not share its root and working directory (`EINVAL`
    ///   otherwise, and also for the caller's own user namespace). The thread gets all capabilities there.
    /// * `mnt`: the thread must not share its root and working directory with others
    ///   (`unshare(CLONE_FS)` first, else `EINVAL`); both become the root of the other namespace.
    /// * `pid`: only children made afterwards live there. It must be the caller's own or one below it.
    /// * `time`: the process must have one thread (`EUSERS`, Linux 5.8 and later).
    /// * `cgroup`, `ipc`, `net`, `uts`: nothing beyond the change itself.
    ///
    /// Other threads stay where they are. There is no way back but another `enter` of a handle that was kept.
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns this one, and (but for `user`) in the caller's own;
    /// for `mnt` also `CAP_SYS_CHROOT`.
    ///
    /// # Errors
    /// [`Error::Enter`] with `EPERM`, `EINVAL` or `EUSERS` as said above.
    pub fn enter(&self) -> Result<()> {
        sys::setns(self.fd.as_fd(), self.kind.flag()).map_err(|errno| Error::Enter {
            kind: self.kind,
            inode: self.identity.ino,
            errno,
        })
    }

    /// A second descriptor of the same namespace.
    ///
    /// # Errors
    /// [`Error::Query`] with `EMFILE` when no descriptor is free.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(|error| self.query("F_DUPFD_CLOEXEC", Errno::of(&error)))?;
        Ok(Self { fd, kind: self.kind, identity: self.identity })
    }

    fn related(&self, request: FdRequest, relation: &'static str, name: &'static str) -> Result<Self> {
        match sys::ioctl_fd(self.fd.as_fd(), request) {
            Ok(fd) => Self::from_fd(fd),
            Err(errno) if errno.raw() == libc::EPERM => {
                Err(Error::OutOfReach { relation, kind: self.kind, inode: self.identity.ino })
            }
            Err(errno) => Err(self.query(name, errno)),
        }
    }

    fn query(&self, request: &'static str, errno: Errno) -> Error {
        Error::Query { request, kind: self.kind, inode: self.identity.ino, errno }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:[{}]", self.kind, self.identity.ino)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Namespace> for OwnedFd {
    fn from(namespace: Namespace) -> Self {
        namespace.fd
    }
}

/// Moves the calling thread into several namespaces of a process at once: into all of `kinds` or into none.
///
/// The consequences and the privileges are those of [`Namespace::enter`] for each kind. When `User` is
/// among them, the kernel joins it first and judges the others by the capabilities that it gives.
///
/// Needs Linux 5.8, `setns(2)`.
///
/// # Errors
/// [`Error::JoinProcess`]; `EINVAL` for an empty set, `ESRCH` for a process that has ended.
pub fn join_process(pidfd: impl AsFd, kinds: Kinds) -> Result<()> {
    let pidfd = pidfd.as_fd();
    sys::setns(pidfd, kinds.flags()).map_err(|errno| Error::JoinProcess {
        process: format!("pidfd {}", pidfd.as_raw_fd()),
        kinds,
        errno,
    })
}

/// Whether the descriptor is on nsfs, by `fstatfs(2)`.
pub(crate) fn is_nsfs(fd: BorrowedFd<'_>) -> bool {
    has_magic(fd, NSFS_MAGIC)
}

/// Whether the file system of the descriptor has this magic number.
pub(crate) fn has_magic(fd: BorrowedFd<'_>, magic: u64) -> bool {
    fstatfs(fd).is_ok_and(|fs| u64::try_from(fs.f_type) == Ok(magic))
}

/// The magic link to a descriptor of this thread.
pub(crate) fn fd_link(fd: BorrowedFd<'_>) -> PathBuf {
    // Not /proc/self: a thread may have a descriptor table of its own (CLONE_FILES unshared).
    PathBuf::from(format!("/proc/thread-self/fd/{}", fd.as_raw_fd()))
}

/// The name of what a descriptor refers to, for messages only.
pub(crate) fn fd_target(fd: BorrowedFd<'_>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let link = fd_link(fd);
    match readlinkat(CWD, &link, Vec::new()) {
        Ok(target) => PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes())),
        Err(_) => link,
    }
}
