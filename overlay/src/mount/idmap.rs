//! User namespaces that exist for their maps alone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::mapping::{IdMapping, map_text};
use crate::errno::rustix as errno_of;
use crate::mount::fault::failed;
use crate::sys::HeldProcess;
use crate::{Error, Result};

/// An open user namespace, such as [`Mount::map_ids`](crate::Mount::map_ids) takes. It lives as long as the
/// descriptor, or the mounts that use it.
#[derive(Debug)]
pub struct UserNamespace {
    fd: OwnedFd,
}

impl UserNamespace {
    /// Makes a user namespace with these maps.
    ///
    /// A process is made for it, as the maps can only be written through one. It shares the caller's memory without
    /// using it, does nothing, and is gone when this returns; it sends no `SIGCHLD`, and a `wait(2)` elsewhere in
    /// the program does not see it. Setting groups is denied in the namespace.
    ///
    /// # Errors
    /// [`Error::Call`] from `clone3` (`ENOSPC`: `/proc/sys/user/max_user_namespaces`, `EPERM`: the host forbids
    /// them); [`Error::Path`] if a map was refused. [`Error::Invalid`] if there is no procfs of the caller's pid
    /// namespace at `/proc`, or if the caller's children would be in another one than the caller: after
    /// `unshare(CLONE_NEWPID)` the process would be that namespace's first, and end it. [`Error::Unsupported`]
    /// before Linux 5.3.
    ///
    /// # Privileges
    /// `CAP_SETUID` and `CAP_SETGID` in the caller's user namespace, in which all the outside ids have to exist.
    /// Without, one range of one id: the caller's own user and group.
    pub fn for_mapping(mapping: &IdMapping) -> Result<Self> {
        let procfs = own_procfs()?;
        children_in_own_pid_namespace(procfs.as_fd())?;
        let held = HeldProcess::in_user_namespace().map_err(|errno| {
            match failed("clone3", String::new(), errno) {
                Error::Unsupported { .. } => Error::Unsupported { feature: "clone3", since: "5.3" },
                _ => failed("clone3", "a process in a user namespace".to_owned(), errno),
            }
        })?;
        let files = [
            ("setgroups", "deny".to_owned()),
            ("uid_map", map_text(mapping.users())),
            ("gid_map", map_text(mapping.groups())),
        ];
        for (name, text) in files {
            write(procfs.as_fd(), &format!("{}/{name}", held.pid()), &text)?;
        }
        let fd = open(procfs.as_fd(), &format!("{}/ns/user", held.pid()), OFlags::RDONLY)?;
        Ok(Self { fd })
    }

    /// The descriptor alone.
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl AsFd for UserNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for UserNamespace {
    /// Takes an open `/proc/PID/ns/user` or a file that it is bound to. Not looked at here.
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl From<UserNamespace> for OwnedFd {
    fn from(namespace: UserNamespace) -> Self {
        namespace.fd
    }
}

/// The procfs at `/proc`, if process ids mean the same there as here. Otherwise the maps of a stranger would be
/// written.
fn own_procfs() -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path_error = |what, path: &str, errno| Error::Path { what, path: path.into(), errno };
    let procfs = rustix::fs::open("/proc", flags, Mode::empty())
        .map_err(|errno| path_error("open", "/proc", errno_of(errno)))?;
    let name = rustix::fs::readlinkat(&procfs, "self", Vec::new())
        .map_err(|errno| path_error("read", "/proc/self", errno_of(errno)))?;
    let kind =
        rustix::fs::fstatfs(&procfs).map_err(|errno| path_error("read", "/proc", errno_of(errno)))?.f_type;
    if kind != rustix::fs::PROC_SUPER_MAGIC || name.to_bytes() != std::process::id().to_string().as_bytes() {
        return Err(Error::Invalid {
            what: "file system at",
            value: "/proc".to_owned(),
            reason: "is not the procfs of this pid namespace".to_owned(),
        });
    }
    Ok(procfs)
}

/// A child in a new pid namespace would be its first process, whose end ends the namespace.
fn children_in_own_pid_namespace(procfs: BorrowedFd<'_>) -> Result<()> {
    let link = |name: &str| {
        rustix::fs::readlinkat(procfs, name, Vec::new()).map_err(|errno| Error::Path {
            what: "read",
            path: format!("/proc/{name}").into(),
            errno: errno_of(errno),
        })
    };
    // Before the first process of a new namespace there is nothing to read.
    let children = link("thread-self/ns/pid_for_children").unwrap_or_default();
    if children != link("thread-self/ns/pid")? {
        return Err(Error::Invalid {
            what: "pid namespace of children",
            value: children.to_string_lossy().into_owned(),
            reason: "is not that of the caller".to_owned(),
        });
    }
    Ok(())
}

fn open(procfs: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(procfs, name, flags | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| Error::Path {
        what: "open",
        path: format!("/proc/{name}").into(),
        errno: errno_of(errno),
    })
}

fn write(procfs: BorrowedFd<'_>, name: &str, text: &str) -> Result<()> {
    let file = open(procfs, name, OFlags::WRONLY)?;
    match rustix::io::write(&file, text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(errno) => {
            let path = format!("/proc/{name}").into();
            Err(Error::Path { what: "write a map to", path, errno: errno_of(errno) })
        }
    }
}
