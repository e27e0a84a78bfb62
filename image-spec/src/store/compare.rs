//! Two trees compared: names, kinds, modes, owners, sizes, times, attributes, targets of links, content.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::walk::{Visit, walk};
use crate::{Algorithm, Digest, Digester, HashingReader};

/// The first path, in the order of bytes, at which two directories differ. What may not be read is compared by what can
/// be known without.
pub(super) fn difference(one: BorrowedFd<'_>, two: BorrowedFd<'_>) -> Result<Option<PathBuf>, Errno> {
    let (one, two) = (fingerprints(one)?, fingerprints(two)?);
    let only = |from: &BTreeMap<Vec<u8>, Digest>, other: &BTreeMap<Vec<u8>, Digest>| {
        from.iter().find(|(path, print)| other.get(*path) != Some(*print)).map(|(path, _)| path.clone())
    };
    let first = only(&one, &two).into_iter().chain(only(&two, &one)).min();
    Ok(first.map(|path| PathBuf::from(OsString::from_vec(path))))
}

fn fingerprints(top: BorrowedFd<'_>) -> Result<BTreeMap<Vec<u8>, Digest>, Errno> {
    let mut prints = BTreeMap::new();
    walk::<Errno>(top, &mut |entry| {
        let mut path = Vec::new();
        for name in entry.above.iter().map(AsRef::as_ref).chain([entry.name]) {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(CStr::to_bytes(name));
        }
        prints.insert(path, fingerprint(entry)?);
        Ok(())
    })?;
    Ok(prints)
}

fn fingerprint(entry: &Visit<'_>) -> Result<Digest, Errno> {
    let stat = entry.stat;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let mut digester = Digester::new(Algorithm::Sha256);
    if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
        // A whiteout: that something is deleted, and nothing else, least of all when it was made here.
        return Ok(digester.finish());
    }
    let numbers = format!(
        "{} {} {} {} {} {} ",
        stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev, stat.st_mtime, stat.st_mtime_nsec
    );
    digester.update(numbers.as_bytes());
    match kind {
        FileType::Symlink => {
            digester.update(rustix::fs::readlinkat(entry.dir, entry.name, Vec::new())?.as_bytes());
        }
        FileType::RegularFile | FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match rustix::fs::openat(entry.dir, entry.name, flags, Mode::empty()) {
                Err(Errno::ACCESS) => digester.update(stat.st_size.to_string().as_bytes()),
                file => {
                    let file = file?;
                    attributes(&file, &mut digester)?;
                    if kind == FileType::RegularFile {
                        digester.update(content(file)?.hex().as_bytes());
                    }
                }
            }
        }
        _ => {}
    }
    Ok(digester.finish())
}

fn attributes(file: &OwnedFd, digester: &mut Digester) -> Result<(), Errno> {
    let mut list = vec![0; 64 * 1024];
    let length = match rustix::fs::flistxattr(file, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    let mut names: Vec<&[u8]> = list[..length].split_inclusive(|byte| *byte == 0).collect();
    names.sort_unstable();
    let mut value = vec![0; 64 * 1024];
    for name in names {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        let length = rustix::fs::fgetxattr(file, name, value.as_mut_slice())?;
        digester.update(name.to_bytes_with_nul());
        digester.update(&length.to_ne_bytes());
        digester.update(&value[..length]);
    }
    Ok(())
}

fn content(file: OwnedFd) -> Result<Digest, Errno> {
    let mut reader =
        HashingReader::new(io::BufReader::with_capacity(128 * 1024, File::from(file)), Algorithm::Sha256);
    let copied = io::copy(&mut reader, &mut io::sink());
    copied.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(reader.finish().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::SystemTime;

    fn tree(at: &Path) {
        fs::create_dir_all(at.join("a/b")).expect("directories");
        fs::write(at.join("a/b/file"), "content").expect("file");
        std::os::unix::fs::symlink("file", at.join("a/b/link")).expect("link");
        for name in ["a/b/file", "a/b", "a"] {
            fs::File::open(at.join(name)).expect("file").set_modified(SystemTime::UNIX_EPOCH).expect("time");
        }
    }

    /// Where two trees differ after one was changed.
    fn after(change: impl FnOnce(&Path)) -> Option<PathBuf> {
        let (one, two) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        tree(one.path());
        fs::create_dir_all(two.path()).expect("directory");
        tree(two.path());
        // The time of a symbolic link is when it was made.
        for at in [one.path(), two.path()] {
            let times = rustix::fs::Timestamps {
                last_access: rustix::fs::Timespec { tv_sec: 0, tv_nsec: 0 },
                last_modification: rustix::fs::Timespec { tv_sec: 0, tv_nsec: 0 },
            };
            let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::utimensat(rustix::fs::CWD, at.join("a/b/link"), &times, flags).expect("times");
        }
        change(two.path());
        let (one, two) = (fs::File::open(one.path()).expect("one"), fs::File::open(two.path()).expect("two"));
        difference(one.as_fd(), two.as_fd()).expect("trees")
    }

    #[test]
    fn every_difference_is_found() {
        assert_eq!(after(|_| ()), None);
        let file = Some(PathBuf::from("a/b/file"));
        let touch = |at: &Path| fs::File::open(at).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let changed = after(|at| {
            fs::write(at.join("a/b/file"), "Content").unwrap();
            touch(&at.join("a/b/file"));
        });
        assert_eq!(changed, file);
        assert_eq!(after(|at| fs::write(at.join("a/b/file"), "content").unwrap()), file);
        let mode =
            |at: &Path| fs::set_permissions(at.join("a/b/file"), fs::Permissions::from_mode(0o4755)).unwrap();
        assert_eq!(after(mode), file);
        assert_eq!(after(|at| fs::write(at.join("a-new"), "").unwrap()), Some("a-new".into()));
        let removed = after(|at| {
            fs::remove_file(at.join("a/b/file")).unwrap();
            touch(&at.join("a/b"));
        });
        assert_eq!(removed, file);
    }
}
