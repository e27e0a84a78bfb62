//! Removal of directories with all that is in them, however deep, by descriptors.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, unlinkat};
use rustix::io::{Errno, Result};

use super::beneath;

/// Removes a directory. Symbolic links are removed, never followed.
///
/// Directories that are not empty are moved up, next to each other, so depth costs neither stack nor descriptors.
pub(super) fn tree(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            let top = open(parent, name)?;
            empty(top.as_fd())?;
            unlinkat(parent, name, AtFlags::REMOVEDIR)
        }
        result => result,
    }
}

/// Removes what a failure left in a directory, as far as that can be: the reason of the failure counts, not that cleaning
/// up failed as well.
pub(super) fn discard(root: BorrowedFd<'_>) {
    // A layer may have taken the caller's right to change it.
    let mode = rustix::fs::fstat(root).map(|stat| Mode::from_raw_mode(stat.st_mode));
    if let Some(mode) = mode.ok().filter(|mode| !mode.contains(Mode::RWXU)) {
        beneath::chmod(root, mode | Mode::RWXU).unwrap_or_default();
    }
    empty(root).unwrap_or_default();
}

/// Removes all that is in a directory.
pub(super) fn empty(top: BorrowedFd<'_>) -> Result<()> {
    let mut names = 0;
    // What is moved up may be missed by the listing it happens in.
    while pass(top, |name, is_directory| match remove(top, name, is_directory) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => flatten(top, name, &mut names),
        result => result,
    })? {}
    Ok(())
}

/// Empties a directory by moving what is not empty in it to the top.
fn flatten(top: BorrowedFd<'_>, name: &CStr, names: &mut u64) -> Result<()> {
    let here = open(top, name)?;
    while pass(here.as_fd(), |child, is_directory| match remove(here.as_fd(), child, is_directory) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => move_up(here.as_fd(), child, top, names),
        result => result,
    })? {}
    unlinkat(top, name, AtFlags::REMOVEDIR)
}

fn move_up(here: BorrowedFd<'_>, child: &CStr, top: BorrowedFd<'_>, names: &mut u64) -> Result<()> {
    loop {
        *names += 1;
        let name = format!(".removed-{names}");
        match rustix::fs::renameat(here, child, top, name.as_str()) {
            // Moving a directory changes it.
            Err(Errno::ACCESS) => {
                open(here, child)?;
                rustix::fs::renameat(here, child, top, name.as_str())?;
                return Ok(());
            }
            // An empty directory of this name is replaced, which is just as well.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            result => return result,
        }
    }
}

fn remove(dir: BorrowedFd<'_>, name: &CStr, is_directory: bool) -> Result<()> {
    if is_directory {
        return unlinkat(dir, name, AtFlags::REMOVEDIR);
    }
    match unlinkat(dir, name, AtFlags::empty()) {
        // Not all file systems tell types in listings.
        Err(Errno::ISDIR) => unlinkat(dir, name, AtFlags::REMOVEDIR),
        result => result,
    }
}

/// Goes once through a directory; whether there was anything.
pub(super) fn pass(dir: BorrowedFd<'_>, mut each: impl FnMut(&CStr, bool) -> Result<()>) -> Result<bool> {
    let mut any = false;
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            any = true;
            each(name, entry.file_type() == FileType::Directory)?;
        }
    }
    Ok(any)
}

/// Opens a directory to empty it; makes it accessible to its owner if it is not.
fn open(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let handle = beneath::handle(parent, name.to_bytes())?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // A caller with CAP_DAC_OVERRIDE does not need it, one who is not the owner cannot do it.
        if let Err(error) = beneath::chmod(handle.as_fd(), mode | Mode::RWXU) {
            return beneath::directory(parent, name.to_bytes()).map_err(|_| error);
        }
    }
    beneath::directory(parent, name.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn depth_and_modes_do_not_matter_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "kept").unwrap();
        let top = fs::File::open(dir.path()).unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        let mut here = beneath::handle(top.as_fd(), b"tree").unwrap();
        for level in 0..10_000 {
            rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
            if level % 1000 == 0 {
                rustix::fs::symlinkat(&outside, &here, "link").unwrap();
                rustix::fs::mkdirat(&here, "beside", Mode::RWXU).unwrap();
            }
            here = beneath::handle(here.as_fd(), b"d").unwrap();
        }
        symlink(&outside, dir.path().join("tree/.removed-1")).unwrap();
        fs::set_permissions(dir.path().join("tree/d/d"), Permissions::from_mode(0o000)).unwrap();
        tree(top.as_fd(), c"tree").unwrap();
        assert!(!dir.path().join("tree").exists());
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"kept");
        empty(top.as_fd()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
