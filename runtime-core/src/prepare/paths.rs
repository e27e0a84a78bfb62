//! Paths of the host, looked at before anything happens.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat};
use rustix::io::Errno as Raw;

use crate::{Device, Errno, Error};

/// A directory that will be a root, as it is now.
#[derive(Debug)]
pub(super) struct Tree {
    file: OwnedFd,
    stat: Stat,
}

/// Where a path of a tree leads.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The part that exists, as an absolute path in the tree without symbolic links.
    pub(super) inside: PathBuf,
    /// A handle on it.
    file: OwnedFd,
    /// Whether it is a directory.
    pub(super) directory: bool,
    /// What does not exist, from there.
    pub(super) missing: Vec<OsString>,
}

/// What the init makes in a directory of the host, from the first part that is missing on.
#[derive(Debug)]
pub(crate) struct Made {
    /// The directory that exists.
    pub(crate) parent: OwnedFd,
    /// What is missing in it, one within the other.
    pub(crate) missing: Vec<OsString>,
    /// Whether the last one is a directory.
    pub(crate) directory: bool,
    /// As seen inside.
    pub(crate) path: PathBuf,
}

impl Tree {
    /// Opens a directory.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |errno: Raw| Error::Path { what: "root", path: path.to_owned(), errno: number(errno) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::empty()).map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        Ok(Self { file, stat })
    }

    pub(super) fn identity(&self) -> (Device, u64) {
        (device(self.stat.st_dev), self.stat.st_ino)
    }

    /// Follows a path as the init will: symbolic links never lead out of the tree.
    pub(super) fn resolve(&self, target: &Path) -> Result<Resolved, Error> {
        // Without links a path leads where it says.
        if let Ok(file) = self.open_inside(target, ResolveFlags::NO_SYMLINKS) {
            let stat = fstat(&file).map_err(Error::call("fstat"))?;
            let directory = FileType::from_raw_mode(stat.st_mode).is_dir();
            return Ok(Resolved {
                inside: Path::new("/").join(target),
                file,
                directory,
                missing: Vec::new(),
            });
        }
        let mut existing = target.to_owned();
        let mut missing = Vec::new();
        loop {
            match self.open_inside(&existing, ResolveFlags::empty()) {
                Ok(file) => {
                    missing.reverse();
                    return self.resolved(file, missing);
                }
                Err(Raw::NOENT) => match (existing.file_name().map(OsStr::to_owned), existing.pop()) {
                    (Some(last), true) => missing.push(last),
                    _ => return Err(target_error(target, Raw::NOENT)),
                },
                Err(errno) => return Err(target_error(target, errno)),
            }
        }
    }

    fn open_inside(&self, path: &Path, more: ResolveFlags) -> Result<OwnedFd, Raw> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | more;
        loop {
            match openat2(&self.file, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // Somebody renamed something meanwhile.
                Err(Raw::AGAIN) => {}
                other => return other,
            }
        }
    }

    fn resolved(&self, file: OwnedFd, missing: Vec<OsString>) -> Result<Resolved, Error> {
        let stat = fstat(&file).map_err(Error::call("fstat"))?;
        let path = name(&file)?;
        let root = name(&self.file)?;
        let inside = path.strip_prefix(&root).map_or_else(|_| path.clone(), |rest| Path::new("/").join(rest));
        let directory = FileType::from_raw_mode(stat.st_mode).is_dir();
        Ok(Resolved { inside, file, directory, missing })
    }
}

impl Resolved {
    /// What will have been made if a mount point of this kind is.
    pub(super) fn made(self, directory: bool, path: &Path) -> Made {
        Made { parent: self.file, missing: self.missing, directory, path: path.to_owned() }
    }
}

/// A file or directory of the host that is shown inside.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) kind: FileType,
    pub(super) dev: Device,
    pub(super) ino: u64,
}

impl Shown {
    /// Looks at it, symbolic links followed.
    pub(super) fn look_at(source: &Path) -> Result<Self, Error> {
        let stat = rustix::fs::stat(source).map_err(|errno| Error::Path {
            what: "bind source",
            path: source.to_owned(),
            errno: number(errno),
        })?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        Ok(Self { kind, dev: device(stat.st_dev), ino: stat.st_ino })
    }

    pub(super) fn is_device(&self) -> bool {
        self.kind.is_char_device() || self.kind.is_block_device()
    }
}

/// What an absolute path must not contain to be a mount target.
pub(super) fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn target_error(target: &Path, errno: Raw) -> Error {
    Error::Path { what: "mount target", path: target.to_owned(), errno: number(errno) }
}

fn number(errno: Raw) -> Errno {
    Errno::new(errno.raw_os_error())
}

fn device(dev: u64) -> Device {
    Device { major: rustix::fs::major(dev), minor: rustix::fs::minor(dev) }
}

/// The path of an open file without symbolic links.
fn name(file: &OwnedFd) -> Result<PathBuf, Error> {
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file.as_fd()));
    let path = readlinkat(CWD, link, Vec::new()).map_err(Error::call("readlink /proc/self/fd"))?;
    Ok(PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(path.into_bytes())))
}
