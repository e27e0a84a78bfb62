//! Taking back what was made in a directory of the host.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat2, statat, unlinkat};
use rustix::io::Errno as Raw;

use crate::prepare::Made;
use crate::{Errno, Error};

/// Removes the mount points of a container that could not be started. What somebody has put something into stays.
pub(crate) fn remove(made: Vec<Made>, error: Error) -> Error {
    let failed: Vec<_> = made
        .into_iter()
        .rev()
        .filter_map(|one| remove_one(&one).err().map(|errno| (one.path, errno)))
        .collect();
    match failed.into_iter().next() {
        None => error,
        Some((path, errno)) => left_behind(path, errno, error),
    }
}

fn left_behind(path: PathBuf, errno: Raw, source: Error) -> Error {
    Error::LeftBehind { path, errno: Errno::new(errno.raw_os_error()), source: Box::new(source) }
}

/// From the innermost outwards.
fn remove_one(made: &Made) -> Result<(), Raw> {
    for depth in (1..=made.missing.len()).rev() {
        let (above, last) = (&made.missing[..depth - 1], &made.missing[depth - 1]);
        let Some(parent) = open_below(&made.parent, above)? else { continue };
        let directory = made.directory || depth < made.missing.len();
        let removed = match directory {
            true => unlinkat(&parent, last, AtFlags::REMOVEDIR),
            false => remove_empty_file(&parent, last),
        };
        match removed {
            // It was not made at all, or others use it.
            Ok(()) | Err(Raw::NOENT | Raw::NOTDIR | Raw::NOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn open_below(parent: &OwnedFd, names: &[OsString]) -> Result<Option<OwnedFd>, Raw> {
    let path: PathBuf = std::iter::once(OsString::from(".")).chain(names.iter().cloned()).collect();
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(parent, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Ok(directory) => Ok(Some(directory)),
        Err(Raw::NOENT | Raw::NOTDIR | Raw::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn remove_empty_file(parent: &OwnedFd, name: &OsString) -> Result<(), Raw> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_size == 0 {
        return unlinkat(parent, name, AtFlags::empty());
    }
    Ok(())
}
