//! Trees looked at by descriptor: without recursion, however deep they are, no link followed.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Something in a tree, while it is looked at.
pub(super) struct Visit<'a> {
    /// The directory that it is in.
    pub(super) dir: BorrowedFd<'a>,
    pub(super) name: &'a CStr,
    pub(super) stat: &'a Stat,
    /// The names of the directories from the top of the tree to here.
    pub(super) above: &'a [CString],
}

/// A directory on the way down, and the directories in it that are left.
struct Level {
    identity: (u64, u64),
    left: Vec<CString>,
}

/// Visits all that is in a directory, not itself. Directories that may not be read are visited, and not gone into.
pub(super) fn walk<E: From<Errno>>(
    top: BorrowedFd<'_>,
    visit: &mut dyn FnMut(&Visit<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut above = Vec::new();
    let mut here = open(top, c".")?;
    let mut levels = vec![enter(here.as_fd(), &above, visit)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.left.pop() {
            let inside = match open(here.as_fd(), &name) {
                Err(Errno::ACCESS) => continue,
                inside => inside?,
            };
            above.push(name);
            // Without search permission there would be no way back.
            let next = match rustix::fs::statat(&inside, c"..", AtFlags::empty()) {
                Err(Errno::ACCESS) => None,
                known => known.map(Some)?,
            };
            if next.is_none() {
                above.pop();
                continue;
            }
            levels.push(enter(inside.as_fd(), &above, visit)?);
            here = inside;
        } else {
            levels.pop();
            above.pop();
            if let Some(level) = levels.last() {
                here = open(here.as_fd(), c"..")?;
                if identity(here.as_fd())? != level.identity {
                    return Err(Errno::XDEV.into());
                }
            }
        }
    }
    Ok(())
}

fn enter<E: From<Errno>>(
    dir: BorrowedFd<'_>,
    above: &[CString],
    visit: &mut dyn FnMut(&Visit<'_>) -> Result<(), E>,
) -> Result<Level, E> {
    let mut left = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            // A directory that is in use can change meanwhile.
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        visit(&Visit { dir, name, stat: &stat, above })?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            left.push(name.to_owned());
        }
    }
    Ok(Level { identity: identity(dir)?, left })
}

fn open(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

fn identity(fd: BorrowedFd<'_>) -> Result<(u64, u64), Errno> {
    rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// How many bytes of the disk a tree has, itself included; a file with several links in it counts once.
pub(super) fn allocated(top: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut links = HashSet::new();
    let mut sum = blocks(&rustix::fs::fstat(top)?);
    walk::<Errno>(top, &mut |entry| {
        let stat = entry.stat;
        let linked = stat.st_nlink > 1 && FileType::from_raw_mode(stat.st_mode) != FileType::Directory;
        if !linked || links.insert((stat.st_dev, stat.st_ino)) {
            sum += blocks(stat);
        }
        Ok(())
    })?;
    Ok(sum)
}

/// How many bytes of the disk a file has.
pub(super) fn blocks(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or_default() * 512
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn all_is_visited_once_and_links_count_once() {
        let temporary = tempfile::tempdir().unwrap();
        let at = temporary.path();
        fs::create_dir_all(at.join("a/b/c")).unwrap();
        fs::create_dir_all(at.join("a/d")).unwrap();
        fs::write(at.join("a/b/file"), vec![1; 100_000]).unwrap();
        fs::hard_link(at.join("a/b/file"), at.join("a/d/same")).unwrap();
        std::os::unix::fs::symlink("/", at.join("a/d/root")).unwrap();
        fs::create_dir(at.join("closed")).unwrap();
        fs::set_permissions(at.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
        let top = fs::File::open(at).unwrap();
        let mut seen = Vec::new();
        walk::<Errno>(top.as_fd(), &mut |entry| {
            let mut path = entry.above.to_vec();
            path.push(entry.name.to_owned());
            seen.push(path.iter().map(|name| name.to_str().unwrap()).collect::<Vec<_>>().join("/"));
            Ok(())
        })
        .unwrap();
        fs::set_permissions(at.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        seen.sort();
        assert_eq!(seen, ["a", "a/b", "a/b/c", "a/b/file", "a/d", "a/d/root", "a/d/same", "closed"]);

        let on_disk = |name: &str| fs::symlink_metadata(at.join(name)).unwrap().blocks() * 512;
        let all = ["", "a", "a/b", "a/b/c", "a/b/file", "a/d", "a/d/root", "closed"];
        assert_eq!(allocated(top.as_fd()).unwrap(), all.iter().map(|name| on_disk(name)).sum::<u64>());
    }
}
