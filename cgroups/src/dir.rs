//! A directory of control files, held by descriptor.

use crate::{Errno, Error, Result};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The directory of one cgroup in one hierarchy. The path is for messages only; everything goes by the descriptor.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Dir {
    pub(crate) fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }

    /// Opens a directory by its path, whatever links lead there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let fd = openat(rustix::fs::CWD, path, DIRECTORY, Mode::empty())
            .map_err(|errno| Error::Open { path: path.to_owned(), errno: errno.into() })?;
        Ok(Self::new(fd, path.to_owned()))
    }

    /// Opens a directory below this one, through no link and on no other file system. An empty path is this one.
    pub(crate) fn open_below(&self, below: &Path) -> Result<Self> {
        let path = self.path_of(below);
        let name = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match openat2(&self.fd, name, DIRECTORY, Mode::empty(), resolve) {
            Ok(fd) => Ok(Self::new(fd, path)),
            Err(errno) => Err(Error::Open { path, errno: errno.into() }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages.
    pub(crate) fn path_of(&self, file: impl AsRef<Path>) -> PathBuf {
        let file = file.as_ref();
        if file.as_os_str().is_empty() { self.path.clone() } else { self.path.join(file) }
    }

    /// Opens a control file. It is never made: on something that is no cgroup file system that is an error.
    pub(crate) fn open_file(&self, file: impl AsRef<OsStr>, access: OFlags) -> Result<OwnedFd> {
        let file = file.as_ref();
        openat(&self.fd, file, access | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| Error::Open { path: self.path_of(file), errno: errno.into() })
    }

    /// Whether there is a file of this name.
    pub(crate) fn has(&self, file: &str) -> bool {
        rustix::fs::statat(&self.fd, file, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The content of a control file.
    pub(crate) fn read(&self, file: &str) -> Result<String> {
        let fd = self.open_file(file, OFlags::RDONLY)?;
        let mut content = Vec::with_capacity(512);
        loop {
            if content.len() == content.capacity() {
                content.reserve(content.len().max(512));
            }
            let errno = match rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut content)) {
                Ok(0) => break,
                Ok(_) => continue,
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => Errno::from(errno),
            };
            return Err(Error::Read { path: self.path_of(file), errno });
        }
        // The kernel writes ASCII, but for names that somebody else chose.
        Ok(String::from_utf8(content).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Writes a value to a control file, by one call.
    pub(crate) fn write(&self, file: &str, value: &str) -> Result<()> {
        let fd = self.open_file(file, OFlags::WRONLY)?;
        self.write_to(&fd, file, value)
    }

    /// Writes a value to a file of this directory that is open already.
    pub(crate) fn write_to(&self, fd: &OwnedFd, file: &str, value: &str) -> Result<()> {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(fd, value.as_bytes()));
        match written {
            Ok(written) if written == value.len() => Ok(()),
            Ok(written) => {
                Err(Error::ShortWrite { path: self.path_of(file), value: value.to_owned(), written })
            }
            Err(errno) => {
                Err(Error::Write { path: self.path_of(file), value: value.to_owned(), errno: errno.into() })
            }
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
