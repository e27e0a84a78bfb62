//! A directory of control files, held by descriptor.

use crate::{Errno, Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory of one cgroup in one hierarchy. The path is for messages only; everything goes by the descriptor.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// Which kind of cgroup file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    V1,
    V2,
}

/// `CGROUP_SUPER_MAGIC` and `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const MAGIC: [(u64, Magic); 2] = [(0x0027_e0eb, Magic::V1), (0x6367_7270, Magic::V2)];

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

    /// Opens a directory with this one as the root: links and `..` do not lead out of it, mounts are entered.
    pub(crate) fn open_in_root(&self, path: &Path) -> Result<Self> {
        let named = self.path_of(path.strip_prefix("/").unwrap_or(path));
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.fd, path, DIRECTORY, Mode::empty(), resolve) {
            Ok(fd) => Ok(Self::new(fd, named)),
            Err(errno) => Err(Error::Open { path: named, errno: errno.into() }),
        }
    }

    /// Makes a directory in this one, which must not be there yet, and opens it.
    pub(crate) fn make(&self, name: &OsStr) -> Result<Self> {
        let made = mkdirat(&self.fd, name, Mode::from_raw_mode(0o755));
        made.map_err(|errno| Error::Create { path: self.path_of(name), errno: errno.into() })?;
        self.open_below(Path::new(name)).inspect_err(|_| {
            // The first error is the one to tell; an empty cgroup that stays hurts nobody.
            self.unlink(Path::new(name)).unwrap_or(());
        })
    }

    /// Removes an empty directory below this one.
    pub(crate) fn unlink(&self, below: &Path) -> std::result::Result<(), Errno> {
        rustix::fs::unlinkat(&self.fd, below, AtFlags::REMOVEDIR).map_err(Errno::from)
    }

    /// The names of the directories in it, in order.
    pub(crate) fn subdirectories(&self) -> Result<Vec<OsString>> {
        self.names(FileType::Directory)
    }

    /// The names of the control files in it, in order.
    pub(crate) fn file_names(&self) -> Result<Vec<String>> {
        let names = self.names(FileType::RegularFile)?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn names(&self, of: FileType) -> Result<Vec<OsString>> {
        let failed = |errno: rustix::io::Errno| Error::Read { path: self.path.clone(), errno: errno.into() };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry.file_type() == of && name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether it is on a cgroup file system, and on which.
    pub(crate) fn magic(&self) -> Option<Magic> {
        let found = u64::try_from(rustix::fs::fstatfs(&self.fd).ok()?.f_type).ok()?;
        MAGIC.into_iter().find(|(number, _)| *number == found).map(|(_, magic)| magic)
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
        // The kernel writes ASCII, but for names that somebody else chose.
        let text = String::from_utf8(self.read_bytes(file)?);
        Ok(text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// The same as it is.
    pub(crate) fn read_bytes(&self, file: &str) -> Result<Vec<u8>> {
        let fd = self.open_file(file, OFlags::RDONLY)?;
        let mut content = Vec::with_capacity(512);
        loop {
            if content.len() == content.capacity() {
                content.reserve(content.len().max(512));
            }
            let errno = match rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut content)) {
                Ok(0) => return Ok(content),
                Ok(_) | Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => Errno::from(errno),
            };
            return Err(Error::Read { path: self.path_of(file), errno });
        }
    }

    /// The content of a control file that is open, from its beginning; of a short one, by one call.
    pub(crate) fn read_again(&self, fd: &OwnedFd, file: &str) -> Result<String> {
        let mut content = [0; 4096];
        match rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut content, 0)) {
            Ok(length) => Ok(String::from_utf8_lossy(content.get(..length).unwrap_or_default()).into_owned()),
            Err(errno) => Err(Error::Read { path: self.path_of(file), errno: errno.into() }),
        }
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
