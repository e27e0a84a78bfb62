//! Trees removed by descriptor: without recursion, whatever the modes in them, however deep they are.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// A directory on the way down: its name in the one above, and the directories in it that are left.
struct Level {
    name: CString,
    identity: (u64, u64),
    left: Vec<CString>,
}

/// Removes what a name is, with all in it; it may be gone already. Links are removed, not followed, and mounts are not
/// gone into: they are an error.
///
/// Two descriptors are open at most, so depth is not limited by their number, nor by the length of paths.
pub(super) fn remove(dir: BorrowedFd<'_>, name: &str, path: &Path) -> Result<()> {
    let path = path.join(name);
    let name = CString::new(name).map_err(|_| Error::invalid("name", name, "has a NUL byte"))?;
    remove_tree(dir, &name).map_err(Error::file("remove", path))
}

fn remove_tree(dir: BorrowedFd<'_>, name: &CStr) -> std::result::Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let device = rustix::fs::fstat(dir)?.st_dev;
    let top = identity(dir)?;
    let mut here = dir.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    let mut levels: Vec<Level> = Vec::new();
    let mut next = Some(name.to_owned());
    loop {
        if let Some(name) = next.take() {
            let inside = open(here.as_fd(), &name)?;
            let identity = identity(inside.as_fd())?;
            if identity.0 != device {
                return Err(Errno::XDEV);
            }
            let left = empty(inside.as_fd())?;
            levels.push(Level { name, identity, left });
            here = inside;
        }
        let Some(level) = levels.last_mut() else { return Ok(()) };
        next = level.left.pop();
        if next.is_none() {
            let done = levels.pop().map(|level| level.name).unwrap_or_default();
            here = up(here.as_fd(), levels.last().map_or(top, |level| level.identity))?;
            rustix::fs::unlinkat(&here, &done, AtFlags::REMOVEDIR)?;
        }
    }
}

/// The directory above, which must be the one that this was entered from.
fn up(here: BorrowedFd<'_>, expected: (u64, u64)) -> std::result::Result<OwnedFd, Errno> {
    let above =
        rustix::fs::openat(here, c"..", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if identity(above.as_fd())? == expected { Ok(above) } else { Err(Errno::XDEV) }
}

fn identity(fd: BorrowedFd<'_>) -> std::result::Result<(u64, u64), Errno> {
    rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Opens a directory, with all permissions for its owner: `work/work` of an overlay has none.
fn open(dir: BorrowedFd<'_>, name: &CStr) -> std::result::Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(dir, name, flags | OFlags::PATH, Mode::empty())?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        let link = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        rustix::fs::chmod(link.as_os_str().as_bytes(), Mode::RWXU)?;
    }
    rustix::fs::openat(dir, name, flags | OFlags::RDONLY, Mode::empty())
}

/// Removes all that is no directory, and returns the directories.
fn empty(dir: BorrowedFd<'_>) -> std::result::Result<Vec<CString>, Errno> {
    let mut directories = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if is_directory(dir, &entry)? {
            directories.push(name.to_owned());
        } else {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
        }
    }
    Ok(directories)
}

fn is_directory(dir: BorrowedFd<'_>, entry: &rustix::fs::DirEntry) -> std::result::Result<bool, Errno> {
    let kind = match entry.file_type() {
        FileType::Unknown => {
            let stat = rustix::fs::statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            FileType::from_raw_mode(stat.st_mode)
        }
        known => known,
    };
    Ok(kind == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn modes_links_and_wide_trees() {
        let temporary = tempfile::tempdir().unwrap();
        let at = temporary.path();
        fs::create_dir_all(at.join("tree/work/work")).unwrap();
        fs::create_dir_all(at.join("tree/a/b/c")).unwrap();
        fs::create_dir(at.join("kept")).unwrap();
        fs::write(at.join("kept/file"), "x").unwrap();
        symlink("../kept", at.join("tree/link")).unwrap();
        symlink("/nowhere", at.join("tree/a/b/c/dangling")).unwrap();
        for count in 0..300 {
            fs::create_dir(at.join(format!("tree/a/{count}"))).unwrap();
            fs::write(at.join(format!("tree/a/{count}/f")), "").unwrap();
        }
        for (name, mode) in
            [("tree/work/work", 0), ("tree/a/b/c", 0o555), ("tree/a/b", 0o100), ("tree", 0o555)]
        {
            fs::set_permissions(at.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let dir = fs::File::open(at).unwrap();
        remove(dir.as_fd(), "tree", at).unwrap();
        assert_eq!(fs::read_dir(at).unwrap().count(), 1);
        assert_eq!(fs::read(at.join("kept/file")).unwrap(), b"x");
        remove(dir.as_fd(), "tree", at).unwrap();
        symlink("kept", at.join("tree")).unwrap();
        remove(dir.as_fd(), "tree", at).unwrap();
        assert_eq!(fs::read(at.join("kept/file")).unwrap(), b"x");
    }

    #[test]
    fn depth_is_not_limited_by_descriptors_or_paths() {
        let temporary = tempfile::tempdir().unwrap();
        let top = fs::File::open(temporary.path()).unwrap();
        let mut here = OwnedFd::from(top.try_clone().unwrap());
        for _ in 0..5000 {
            rustix::fs::mkdirat(&here, "deep", Mode::RWXU).unwrap();
            here = open(here.as_fd(), c"deep").unwrap();
        }
        drop(here);
        remove(top.as_fd(), "deep", temporary.path()).unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}
