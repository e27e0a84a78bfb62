//! The directory that a tree is made in before it gets its place, so that a killed process leaves nothing that could be taken
//! for the tree.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::remove;
use crate::{Error, Result};

/// Where a tree is made.
pub(super) struct Staging<'a> {
    /// Where it belongs.
    place: &'a Path,
    /// The directory beside it; `None` if it is made in its place.
    beside: Option<PathBuf>,
    /// Whether there was a directory in its place.
    there: bool,
    root: File,
}

impl<'a> Staging<'a> {
    /// A directory beside the place, which has to be empty or not to exist. One that a killed process has left is removed. Where none can be made, such as for a mount point, the tree is made in its place.
    pub(super) fn open(place: &'a Path) -> Result<Self> {
        let file = |action| failed(action, place);
        let metadata = match fs::symlink_metadata(place) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(file("look at")(error)),
        };
        if metadata.is_some() && fs::read_dir(place).map_err(file("open"))?.next().is_some() {
            return Err(file("unpack into")(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        let there = metadata.is_some();
        let mode = metadata.as_ref().map(|metadata| metadata.permissions().mode() & 0o7777);
        // A link stays a link, and a mount point cannot be replaced.
        let simple = metadata.is_none_or(|metadata| metadata.is_dir() && is_of_parent(place, metadata.dev()));
        let beside = place.file_name().filter(|_| simple).map(|name| {
            let hidden: OsString = [".".as_ref(), name, ".unpacking".as_ref()].into_iter().collect();
            place.with_file_name(hidden)
        });
        let Some(beside) = beside else { return Self::in_place(place, there) };
        match lock(&beside) {
            Ok(root) => {
                if let Some(mode) = mode {
                    root.set_permissions(PermissionsExt::from_mode(mode))
                        .map_err(failed("chmod", &beside))?;
                }
                Ok(Self { place, beside: Some(beside), there, root })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(Error::Busy { what: "directory", name: place.to_string_lossy().into_owned() })
            }
            Err(error) if there && may_not(&error) => Self::in_place(place, there),
            Err(error) => Err(failed("make a directory beside", place)(error)),
        }
    }

    fn in_place(place: &'a Path, there: bool) -> Result<Self> {
        if !there {
            fs::create_dir(place).map_err(failed("make directory", place))?;
        }
        let root = File::open(place).map_err(failed("open", place))?;
        Ok(Self { place, beside: None, there, root })
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The tree is complete.
    pub(super) fn publish(self) -> Result<()> {
        match &self.beside {
            Some(beside) => fs::rename(beside, self.place).map_err(|error| {
                self.discard();
                failed("rename to", self.place)(error)
            }),
            None => Ok(()),
        }
    }

    /// The tree is not wanted.
    pub(super) fn discard(&self) {
        remove::discard(self.root());
        match &self.beside {
            Some(beside) => fs::remove_dir(beside).unwrap_or_default(),
            None if self.there => {}
            None => fs::remove_dir(self.place).unwrap_or_default(),
        }
    }
}

/// Makes a directory of one's own. One that nobody has any more is removed first.
fn lock(path: &Path) -> io::Result<File> {
    loop {
        let made = match fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let dir =
            match OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
            {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
        flock(&dir, FlockOperation::NonBlockingLockExclusive)?;
        // Whoever had it may have renamed it meanwhile: then it is a tree that is complete.
        let held = dir.metadata()?;
        let same =
            fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (held.dev(), held.ino()));
        match (same, made) {
            (true, true) => return Ok(dir),
            (true, false) => {
                remove::discard(dir.as_fd());
                fs::remove_dir(path)?;
            }
            (false, _) => {}
        }
    }
}

fn is_of_parent(place: &Path, dev: u64) -> bool {
    let parent = match place.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::metadata(parent).is_ok_and(|parent| parent.dev() == dev)
}

fn may_not(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [Errno::ACCESS, Errno::PERM, Errno::ROFS].iter().any(|denied| errno == Some(denied.raw_os_error()))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::File { action, path, source }
}
