//! Opening what lies beneath a directory, by names that no link can lead elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

use super::name;

/// How often a lookup that was disturbed by renames is repeated.
const ATTEMPTS: usize = 128;

/// Opens a path beneath a directory; the empty path is the directory itself. Neither symbolic links, also not as the
/// last component, nor other mounts are entered.
///
/// Uses `openat2` (Linux 5.6); on older kernels, or if it is filtered, `openat` for each component.
pub(super) fn open(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOSYS) => return by_components(dir, path, flags),
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

fn by_components(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let (parents, last) = name::split(path);
    let mut above: Option<OwnedFd> = None;
    for part in name::components(parents) {
        let here = above.as_ref().map_or(dir, AsFd::as_fd);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        above = Some(rustix::fs::openat(here, part, flags, Mode::empty())?);
    }
    let here = above.as_ref().map_or(dir, AsFd::as_fd);
    rustix::fs::openat(here, last, flags, Mode::empty())
}

/// Opens a directory beneath another, only as a handle, which needs no right to read it.
pub(super) fn handle(dir: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    open(dir, path, OFlags::PATH | OFlags::DIRECTORY)
}

/// Opens a directory beneath another to read it.
pub(super) fn directory(dir: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    open(dir, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// The path of an open descriptor in procfs, for calls that take no handles. Ends where the descriptor does: names
/// behind it are looked up in the directory.
pub(super) fn proc_path(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Changes the mode of what a handle stands for, whatever it is.
pub(super) fn chmod(handle: BorrowedFd<'_>, mode: Mode) -> Result<()> {
    rustix::fs::chmod(proc_path(handle), mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_dots_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("a", dir.path().join("link")).unwrap();
        symlink("/", dir.path().join("a/root")).unwrap();
        let root = fs::File::open(dir.path()).unwrap();
        fn slowly(dir: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
            by_components(dir, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW)
        }
        for open in [handle, directory, slowly] {
            assert!(open(root.as_fd(), b"a/b").is_ok());
            for bad in ["link/b", "a/root/etc", "a/missing"] {
                assert!(open(root.as_fd(), bad.as_bytes()).is_err(), "{bad}");
            }
        }
        assert!(handle(root.as_fd(), b"").is_ok());
        assert!(handle(root.as_fd(), b"link").is_err());
        assert!(handle(root.as_fd(), b"..").is_err());
        assert!(handle(root.as_fd(), b"a/../..").is_err());
    }
}
