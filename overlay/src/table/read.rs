//! The table of a process, read from procfs.

use super::entry::MountEntry;
use super::id::mount_id_of;
use super::list::MountTable;
use crate::errno::rustix as errno;
use crate::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, SeekFrom, openat, seek};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How often a table is read that changes meanwhile.
const ATTEMPTS: usize = 16;
/// What is asked for at once; the kernel gives less.
const CHUNK: usize = 64 * 1024;

impl MountTable {
    /// The mounts of the calling thread.
    ///
    /// The kernel gives the table in pieces. If a mount came or went meanwhile, it is read again, a few times; on a host that never
    /// rests, mounts that were there all the time are in the result, those that came or went may be.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] if `/proc/thread-self/mountinfo` cannot be read; [`Error::MountInfo`] if it is malformed.
    pub fn read() -> Result<Self> {
        Self::read_file(CWD, Path::new("/proc/thread-self/mountinfo"))
    }

    /// The mounts of a process, with paths below its root directory.
    ///
    /// # Errors
    ///
    /// As of [`MountTable::read`].
    ///
    /// # Privileges
    ///
    /// `PTRACE_MODE_READ` of the process (`ptrace(2)`): one's own are readable.
    pub fn read_of(pid: u32) -> Result<Self> {
        Self::read_file(CWD, &PathBuf::from(format!("/proc/{pid}/mountinfo")))
    }

    /// The mounts of the process whose directory in procfs this is. Unlike a number it never becomes another process.
    ///
    /// # Errors
    ///
    /// As of [`MountTable::read`].
    pub fn read_in(process: impl AsFd) -> Result<Self> {
        Self::read_file(process.as_fd(), Path::new("mountinfo"))
    }

    fn read_file(directory: BorrowedFd<'_>, path: &Path) -> Result<Self> {
        let fault = |what| move |raw: Errno| Error::Path { what, path: path.to_owned(), errno: errno(raw) };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = openat(directory, path, flags, Mode::empty()).map_err(fault("open"))?;
        let mut bytes = read_all(&file).map_err(fault("read"))?;
        for _ in 1..ATTEMPTS {
            if !has_changed(&file).map_err(fault("poll"))? {
                break;
            }
            seek(&file, SeekFrom::Start(0)).map_err(fault("rewind"))?;
            bytes = read_all(&file).map_err(fault("read"))?;
        }
        Self::parse(&bytes)
    }

    /// The mount that an open file or directory is on, as the kernel knows it. None if it is not in this table: it is detached, in another
    /// mount namespace, outside of the reader's root, or was mounted since.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before Linux 5.8; [`Error::Call`] if `statx(2)` fails.
    pub fn of(&self, file: impl AsFd) -> Result<Option<&MountEntry>> {
        Ok(u32::try_from(mount_id_of(file.as_fd())?).ok().and_then(|id| self.get(id)))
    }
}

fn read_all(file: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let length = bytes.len();
        bytes.resize(length + CHUNK, 0);
        let read = rustix::io::retry_on_intr(|| rustix::io::read(file, &mut bytes[length..]))?;
        bytes.truncate(length + read);
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// Whether the table changed since it was opened or since the last call.
fn has_changed(file: &OwnedFd) -> rustix::io::Result<bool> {
    let mut fds = [PollFd::new(file, PollFlags::PRI)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now)))?;
    Ok(fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR))
}
