//! Processes and threads into a cgroup.

use super::{Cgroup, Part};
use crate::{Errno, Error, Result, Version};
use rustix::fs::OFlags;
use std::os::fd::OwnedFd;

/// Why a process or thread cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveFault {
    /// It has ended.
    #[error("there is no such process")]
    NoProcess,
    /// The cgroup passes controllers on to cgroups in it, and can have no process of its own then (v2, `EBUSY`).
    #[error("it has enabled controllers for the cgroups in it, so processes have to be in one of these")]
    HasControllers,
    /// This process may write neither there nor, on v2, to the common ancestor of where the process is and goes.
    #[error("not permitted: {0}")]
    NotPermitted(Errno),
    /// A cpuset without processors or memory nodes (`ENOSPC`).
    #[error("its cpuset has no processor or no memory node")]
    NoCpus,
    /// The cgroup does not exist any more.
    #[error("it is gone: {0}")]
    Gone(Errno),
    /// Something else, such as `EINVAL` for a thread of the kernel.
    #[error("{0}")]
    Refused(Errno),
}

impl MoveFault {
    pub(crate) fn errno(self) -> Errno {
        match self {
            Self::NoProcess => Errno::new(libc::ESRCH),
            Self::HasControllers => Errno::new(libc::EBUSY),
            Self::NoCpus => Errno::new(libc::ENOSPC),
            Self::NotPermitted(errno) | Self::Gone(errno) | Self::Refused(errno) => errno,
        }
    }
}

impl Cgroup {
    /// Moves a process with all of its threads here, in every hierarchy that this cgroup has a directory in.
    ///
    /// On v2 it should not pass controllers on to cgroups in it. With some controllers the kernel refuses it then; with
    /// `cpu`, `cpuset` and `pids` alone it makes the cgroup the root of a threaded tree, and no process can be moved to
    /// the cgroups in it any more.
    ///
    /// If it fails in one hierarchy, the process stays where it was in this and the following ones, and is here in
    /// those before. The kernel may wait for a lock of all processes for this; a child that is cloned into the cgroup,
    /// see [`Cgroup::fd`], does not have to be moved.
    ///
    /// # Errors
    ///
    /// [`Error::Move`] with the reason; [`Error::Threaded`].
    ///
    /// # Privileges
    ///
    /// The right to write to `cgroup.procs`; on v2 also to that of the common ancestor of the old and the new cgroup.
    /// On v1 the process must be one of the same user, or the caller be root.
    pub fn add(&self, pid: u32) -> Result<()> {
        let number = pid.to_string();
        self.parts.iter().try_for_each(|part| part.put("cgroup.procs", pid, &number))
    }

    /// Moves one thread of a process here.
    ///
    /// On v2 that is possible only between cgroups of a threaded tree, which this crate does not make.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] on v2, unless the thread is in the cgroup anyhow; otherwise as [`Cgroup::add`].
    ///
    /// # Privileges
    ///
    /// As [`Cgroup::add`].
    pub fn add_thread(&self, tid: u32) -> Result<()> {
        let number = tid.to_string();
        self.parts.iter().try_for_each(|part| match part.version {
            Version::V1 => part.put("tasks", tid, &number),
            Version::V2 => part.put("cgroup.threads", tid, &number).map_err(|error| match error {
                Error::Threaded { .. } => Error::Unsupported {
                    version: Version::V2,
                    what: "single threads outside of a threaded cgroup",
                },
                error => error,
            }),
        })
    }

    /// The `tasks` files of the v1 parts, opened for writing, always in the same order.
    ///
    /// A process with one thread that writes `0` to each moves itself, without the lock that moving another process
    /// needs. The kernel asks for the rights of who opened the file, so it can do that after it gave up its own.
    ///
    /// # Errors
    ///
    /// [`Error::Open`].
    ///
    /// # Privileges
    ///
    /// The right to write to `tasks`.
    pub fn task_files(&self) -> Result<Vec<OwnedFd>> {
        let v1 = self.parts.iter().filter(|part| part.version == Version::V1);
        v1.map(|part| part.dir.open_file("tasks", OFlags::WRONLY)).collect()
    }
}

impl Part {
    fn put(&self, file: &str, pid: u32, number: &str) -> Result<()> {
        self.dir.write(file, number).map_err(|error| self.not_moved(pid, error))
    }

    fn not_moved(&self, pid: u32, error: Error) -> Error {
        let path = self.dir.path().to_owned();
        let Some(errno) = error.errno() else { return error };
        let why = match errno.number() {
            libc::EOPNOTSUPP => return Error::Threaded { path },
            libc::ESRCH => MoveFault::NoProcess,
            libc::EBUSY => MoveFault::HasControllers,
            libc::EACCES | libc::EPERM | libc::EROFS => MoveFault::NotPermitted(errno),
            libc::ENOSPC => MoveFault::NoCpus,
            libc::ENOENT | libc::ENODEV => MoveFault::Gone(errno),
            _ => MoveFault::Refused(errno),
        };
        Error::Move { pid, path, why }
    }
}
