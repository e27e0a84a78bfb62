//! Files that are opened, read in parts and replaced by their directory's descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// Files are made with this mode, less the umask.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// What nobody else is to see, even before it has lost its name.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens a directory.
pub(crate) fn directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::open(path, flags, Mode::empty()).map_err(Error::file("open", path))
}

/// Opens a regular file below a directory, through no symbolic link. `None` if there is none.
pub(crate) fn regular(directory: BorrowedFd<'_>, name: &Path) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match fs::openat2(directory, name, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(Error::file("open", name))?,
    };
    let kind = FileType::from_raw_mode(fs::fstat(&file).map_err(Error::file("stat", name))?.st_mode);
    if kind != FileType::RegularFile {
        return Err(Error::invalid("file", name.to_string_lossy(), "is not a regular file"));
    }
    Ok(Some(file.into()))
}

/// The content of a small file, if there is one.
pub(crate) fn small(directory: BorrowedFd<'_>, name: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = regular(directory, name)? else { return Ok(None) };
    let content = bounded(file, limit, "bytes of a document")?;
    content.map(Some).map_err(|error| error.at("read", name))
}

/// Reads to the end, at most `limit` bytes.
pub(crate) fn bounded(reader: impl Read, limit: u64, what: &'static str) -> Result<io::Result<Vec<u8>>> {
    let mut content = Vec::new();
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut content);
    if content.len() as u64 > limit {
        return Err(Error::Limit { what, limit });
    }
    Ok(read.map(|_| content))
}

/// What a failed call on a file means here.
pub(crate) trait At {
    /// The error of the crate.
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Error;
}

impl At for io::Error {
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Error {
        Error::File { action, path: path.into(), source: self }
    }
}

/// A part of a file. Several can be read at the same time.
#[derive(Debug)]
pub(crate) struct Part<'f> {
    file: &'f File,
    at: u64,
    left: u64,
}

impl<'f> Part<'f> {
    pub(crate) fn new(file: &'f File, at: u64, size: u64) -> Self {
        Self { file, at, left: size }
    }

    /// How many bytes are still to be read.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// A file without a name, gone when it is closed.
pub(crate) fn unnamed(directory: BorrowedFd<'_>) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match fs::openat(directory, ".", flags, PRIVATE) {
        Ok(file) => Ok(file.into()),
        // Not every file system can do that.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let (file, name) = exclusive(directory, OsStr::new("spool"), PRIVATE)?;
            fs::unlinkat(directory, &name, AtFlags::empty()).map_err(Error::file("unlink", &name))?;
            Ok(file)
        }
        Err(errno) => Err(Error::file("make a temporary file in", "its directory")(errno)),
    }
}

/// A new file of a name that nobody has, made of the one that it may get later.
fn exclusive(directory: BorrowedFd<'_>, name: &OsStr, mode: Mode) -> Result<(File, OsString)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let mut candidate = OsString::from(".");
        // A name of 255 bytes leaves no room.
        candidate.push(if name.len() < 128 { name } else { OsStr::new("file") });
        candidate.push(format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match fs::openat(directory, &candidate, flags, mode) {
            Ok(file) => return Ok((file.into(), candidate)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::file("create", candidate)(errno)),
        }
    }
}

/// A file that takes its name when it is complete, and is gone otherwise.
#[derive(Debug)]
pub(crate) struct Replacement<'d> {
    directory: BorrowedFd<'d>,
    target: PathBuf,
    file: File,
    temporary: OsString,
    committed: bool,
}

impl<'d> Replacement<'d> {
    /// Begins a file that will have the name `target` in the directory.
    pub(crate) fn new(directory: BorrowedFd<'d>, target: &OsStr) -> Result<Self> {
        let (file, temporary) = exclusive(directory, target, MODE)?;
        Ok(Self { directory, target: target.into(), file, temporary, committed: false })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, in place of what has it, when all of it is on the disk.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| error.at("sync", &self.target))?;
        fs::renameat(self.directory, &self.temporary, self.directory, &self.target)
            .map_err(Error::file("rename to", &self.target))?;
        self.committed = true;
        fs::fsync(self.directory).map_err(Error::file("sync the directory of", &self.target))
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // There is nobody to tell.
            fs::unlinkat(self.directory, &self.temporary, AtFlags::empty()).unwrap_or_default();
        }
    }
}

/// The directory that a path's last name is in, and that name, which a new file will have. Only a regular file may have
/// it now: a device such as `/dev/null` must not be replaced.
pub(crate) fn parent(path: &Path) -> Result<(OwnedFd, &OsStr)> {
    let name = path.file_name();
    let name = name.ok_or_else(|| Error::invalid("path", path.to_string_lossy(), "has no file name"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = directory(parent.unwrap_or(Path::new(".")))?;
    match fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        stat if FileType::from_raw_mode(stat.map_err(Error::file("stat", path))?.st_mode)
            == FileType::RegularFile => {}
        _ => {
            return Err(Error::invalid(
                "file",
                path.to_string_lossy(),
                "is there, and is not a regular file",
            ));
        }
    }
    Ok((parent, name))
}

/// A directory of files that are not needed for long.
pub(crate) fn temporary_directory() -> Result<OwnedFd> {
    directory(&std::env::temp_dir())
}

/// A second open file description of a directory, with locks of its own.
pub(crate) fn reopened(directory: impl AsFd) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat(directory, ".", flags, Mode::empty()).map_err(Error::file("open", "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn only_a_regular_file_is_replaced() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        fs::mknodat(fs::CWD, at("pipe"), FileType::Fifo, PRIVATE, 0).unwrap();
        for good in ["file", "new"] {
            assert_eq!(parent(&at(good)).unwrap().1, good);
        }
        for bad in ["directory", "link", "pipe"] {
            assert!(matches!(parent(&at(bad)), Err(Error::Invalid { .. })), "{bad}");
        }
        assert!(matches!(parent(Path::new("/dev/null")), Err(Error::Invalid { .. })));
        assert!(matches!(parent(&at("none/file")), Err(Error::File { .. })));
    }

    #[test]
    fn what_waits_without_a_name_is_for_its_owner_only() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = directory(temporary.path()).unwrap();
        let (named, _) = exclusive(directory.as_fd(), OsStr::new("spool"), PRIVATE).unwrap();
        for file in [unnamed(directory.as_fd()).unwrap(), named] {
            assert_eq!(file.metadata().unwrap().mode() & 0o077, 0);
        }
    }
}
