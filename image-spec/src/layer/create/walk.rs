//! All names of a tree in a fixed order, by descriptors, following no link. Neither depth nor open files set a bound: of
//! the directories on the way only the last few stay open, others are reached again by `..` and compared.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Statx, StatxFlags, openat, statx};

use super::header::refused;
use crate::{Error, Result};

/// How many directories of the way stay open.
const OPEN: usize = 32;

/// A name in the directory that the walk is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Deletions come before their siblings, as image-spec recommends.
    pub(super) kept: bool,
    pub(super) name: CString,
}

struct Level {
    dir: Option<OwnedFd>,
    identity: (u64, u64),
    names: std::vec::IntoIter<Name>,
    /// The length of the path of the directory.
    path: usize,
}

/// Where the walk is.
pub(super) struct Walk {
    levels: Vec<Level>,
    path: Vec<u8>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { levels: Vec::new(), path: Vec::new() }
    }

    /// The path of the name that came last.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The directory it is in.
    pub(super) fn dir(&self) -> Result<BorrowedFd<'_>> {
        let open = self.levels.last().and_then(|level| level.dir.as_ref());
        open.map(AsFd::as_fd).ok_or_else(|| refused(&self.path, "is not in an open directory"))
    }

    /// Goes into a directory: the one the walk begins with, or the one whose name came last.
    pub(super) fn enter(&mut self, dir: OwnedFd, stat: &Statx, mut names: Vec<Name>) {
        names.sort_unstable();
        if let Some(far) = self.levels.len().checked_sub(OPEN) {
            self.levels[far].dir = None;
        }
        let path = self.path.len();
        self.levels.push(Level { dir: Some(dir), identity: inode(stat), names: names.into_iter(), path });
    }

    /// The next name, in the directory entered last or above it. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Name>> {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path);
            if let Some(name) = level.names.next() {
                if !self.path.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(name.name.to_bytes());
                return Ok(Some(name));
            }
            self.leave()?;
        }
        Ok(None)
    }

    fn leave(&mut self) -> Result<()> {
        let Some(left) = self.levels.pop() else { return Ok(()) };
        let (Some(above), Some(dir)) = (self.levels.last_mut(), left.dir) else { return Ok(()) };
        if above.dir.is_none() {
            let open =
                openat(&dir, c"..", DIRECTORY, Mode::empty()).map_err(failed(&self.path, "openat .."))?;
            let stat = stat(open.as_fd(), c"", AtFlags::EMPTY_PATH).map_err(failed(&self.path, "statx"))?;
            if inode(&stat) != above.identity {
                return Err(refused(&self.path, "was moved while it was read"));
            }
            above.dir = Some(open);
        }
        Ok(())
    }
}

/// How directories are opened.
pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The names in a directory with the types that the directory tells.
pub(super) fn list(dir: BorrowedFd<'_>) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

/// All basic fields of an inode.
pub(super) fn stat(dir: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> rustix::io::Result<Statx> {
    statx(dir, name, flags | AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
}

/// Which inode it is.
pub(super) fn inode(stat: &Statx) -> (u64, u64) {
    (rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino)
}

pub(super) fn file_type(stat: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(stat.stx_mode))
}

/// The error of a call about an entry.
pub(super) fn failed<'a>(path: &'a [u8], call: &'static str) -> impl Fn(rustix::io::Errno) -> Error + 'a {
    move |errno| Error::EntryCall {
        entry: OsStr::from_bytes(path).into(),
        call,
        source: io::Error::from(errno),
    }
}
