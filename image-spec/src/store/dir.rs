//! Directories of the store by descriptor: everything is opened, made and renamed below one that is open.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::transport::files::bounded;
use crate::{Error, Result};

const OPEN_DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that is open, and where it was found, for messages and for those who need a path.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// The directory at a path, whose last part may be a link.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = std::fs::canonicalize(path).map_err(io_error("open", path))?;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).map_err(Error::file("open", &path))?;
        Ok(Self { fd, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of what is in it.
    pub(super) fn path_of(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A directory in it; a link is refused.
    pub(super) fn open(&self, name: &str) -> Result<Self> {
        self.try_open(name)?.ok_or_else(|| self.fail("open", name)(Errno::NOENT))
    }

    pub(super) fn try_open(&self, name: &str) -> Result<Option<Self>> {
        match rustix::fs::openat(&self.fd, name, OPEN_DIR, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: self.path.join(name) })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fail("open", name)(errno)),
        }
    }

    /// Makes a directory for its owner only; it may exist.
    pub(super) fn make(&self, name: &str) -> Result<Self> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.open(name),
            Err(errno) => Err(self.fail("mkdir", name)(errno)),
        }
    }

    /// Makes a directory for its owner only; false if something of this name exists.
    pub(super) fn make_new(&self, name: &str) -> Result<bool> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(self.fail("mkdir", name)(errno)),
        }
    }

    /// A regular file in it, for reading. What is not a regular file is refused, without waiting for a pipe's writer.
    pub(super) fn file(&self, name: &str) -> Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.fail("open", name)(errno)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(self.fail("stat", name))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::invalid(
                "file",
                self.path.join(name).to_string_lossy(),
                "is not a regular file",
            ));
        }
        Ok(Some(File::from(fd)))
    }

    /// The content of a regular file of at most so many bytes.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        bounded(file, most, "bytes of a document of the store")?.map(Some).map_err(self.io("read", name))
    }

    /// A new file for its owner only, for writing and reading back.
    pub(super) fn create(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.fd, name, flags, mode).map_err(self.fail("create", name))?;
        Ok(File::from(fd))
    }

    /// A new file with this content; on the disk when this returns, except for its name.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let mut file = self.create(name)?;
        file.write_all(content).map_err(self.io("write", name))?;
        file.sync_all().map_err(self.io("fsync", name))
    }

    /// Moves something to a name elsewhere; a file that has this name is replaced.
    pub(super) fn rename(&self, name: &str, to: &Self, new: &str) -> Result<()> {
        rustix::fs::renameat(&self.fd, name, &to.fd, new).map_err(to.fail("rename to", new))
    }

    /// Moves something to a name elsewhere; false if there is something.
    pub(super) fn rename_new(&self, name: &str, to: &Self, new: &str) -> Result<bool> {
        match rustix::fs::renameat_with(&self.fd, name, &to.fd, new, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
            Err(errno) => Err(to.fail("rename to", new)(errno)),
        }
    }

    /// Removes a file; it may be gone already.
    pub(super) fn unlink(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.fail("unlink", name)(errno)),
        }
    }

    /// What a name is, a link not followed.
    pub(super) fn stat(&self, name: &str) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fail("stat", name)(errno)),
        }
    }

    /// Writes the names in it to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.fd).map_err(Error::file("fsync", &self.path))
    }

    /// All names in it, sorted.
    pub(super) fn names(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(Error::file("read", &self.path))? {
            let entry = entry.map_err(Error::file("read", &self.path))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(std::ffi::OsStr::from_bytes(name).to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn fail(&self, action: &'static str, name: &str) -> impl FnOnce(Errno) -> Error + use<> {
        Error::file(action, self.path.join(name))
    }

    pub(super) fn io(&self, action: &'static str, name: &str) -> impl FnOnce(io::Error) -> Error + use<> {
        io_error(action, &self.path.join(name))
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_pipes_and_what_is_too_long_are_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::at(temporary.path()).unwrap();
        dir.write("file", b"12345").unwrap();
        std::os::unix::fs::symlink("file", temporary.path().join("link")).unwrap();
        let fifo = (FileType::Fifo, Mode::RWXU);
        rustix::fs::mknodat(&dir, "pipe", fifo.0, fifo.1, 0).unwrap();

        assert_eq!(dir.read("file", 5).unwrap().unwrap(), b"12345");
        assert!(matches!(dir.read("file", 4), Err(Error::Limit { limit: 4, .. })));
        assert!(dir.read("link", 5).is_err());
        assert!(matches!(dir.read("pipe", 5), Err(Error::Invalid { .. })));
        assert!(dir.read("none", 5).unwrap().is_none());
        assert!(dir.write("file", b"").is_err(), "what exists is not overwritten");
        assert_eq!(dir.names().unwrap(), ["file", "link", "pipe"]);
    }
}
