//! The home directory of a user, by the container's own list of users: a file that is not trusted.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

use super::super::Request;

/// What is read of the file at most.
const SIZE_MAX: u64 = 1 << 20;

/// In a container that is still to be made: what will be seen as `/etc/passwd`, which may come by a mount.
pub(super) fn in_bundle(request: &Request<'_>, uid: u32) -> Option<String> {
    let mounts = request.spec.mounts().as_deref().unwrap_or_default();
    let mounted = mounts.iter().rev().find_map(|mount| {
        let destination = clean(mount.destination());
        let source = mount.source().as_ref()?;
        let below = Path::new("/etc/passwd").strip_prefix(&destination).ok()?.to_owned();
        // Only what shows files that are there already can have the list.
        (destination != Path::new("/") && source.is_absolute()).then_some((source, below))
    });
    if let Some((source, below)) = mounted {
        let source = openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let file = if below.as_os_str().is_empty() { source } else { open_in_root(source, &below)? };
        return read(file).and_then(|text| find(&text, uid));
    }
    let root = request.spec.root().as_ref()?;
    let root = openat(
        CWD,
        request.bundle.join(root.path()),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    in_root(root.ok()?.as_fd(), uid)
}

/// In a root directory.
pub(crate) fn in_root(root: impl AsFd, uid: u32) -> Option<String> {
    let file = open_in_root(root, Path::new("etc/passwd"))?;
    read(file).and_then(|text| find(&text, uid))
}

/// A handle on a file below a directory, whose links lead nowhere else.
fn open_in_root(root: impl AsFd, path: &Path) -> Option<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    // Somebody may rename in there all the time.
    (0..100)
        .find_map(|_| match openat2(root.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => None,
            opened => Some(opened),
        })?
        .ok()
}

/// Reads a regular file, and only that: opening a device or a pipe would have effects.
fn read(file: OwnedFd) -> Option<Vec<u8>> {
    let stat = fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let path = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).ok()?;
    let mut text = Vec::new();
    std::fs::File::from(file).take(SIZE_MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The home directory of the first user with this number.
fn find(text: &[u8], uid: u32) -> Option<String> {
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let mut fields = line.split(':');
        let (number, home) = (fields.nth(2)?, fields.nth(2)?);
        let same = number.parse::<u32>() == Ok(uid) && number.bytes().all(|byte| byte.is_ascii_digit());
        (same && home.starts_with('/') && !home.contains('\0')).then(|| home.to_owned())
    })
}

/// A destination without `.`, `..` and doubled slashes, from the root.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// The home directory of user 7 where this makes `/etc/passwd`.
    fn home(make: impl FnOnce(&Path)) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        make(&root.path().join("etc/passwd"));
        in_root(fs::File::open(root.path()).unwrap(), 7)
    }

    fn with(text: &str) -> Option<String> {
        home(|path| fs::write(path, text).unwrap())
    }

    #[test]
    fn the_home_of_a_user_is_found_by_its_number() {
        assert_eq!(
            with("root:x:0:0::/root:/bin/sh\nme:x:7:7:Me:/home/me:/bin/sh\n"),
            Some("/home/me".into())
        );
        assert_eq!(with("me:x:7:7:Me:/home/me"), Some("/home/me".into()));
        for odd in
            ["", "7", "7:x:0:0::/home/7:", "me:x:+7:7::/a:", "me:x:7:7::a:", "me:x:7:7::/\0:", "\n\n:::::::"]
        {
            assert_eq!(with(odd), None, "{odd:?}");
        }
        assert_eq!(home(|_| {}), None);
    }

    #[test]
    fn a_list_of_users_that_is_no_file_of_the_root_is_not_read() {
        let line = "me:x:7:7:Me:/home/me:\n";
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), line).unwrap();
        assert_eq!(home(|path| symlink(outside.path(), path).unwrap()), None);
        assert_eq!(home(|path| symlink("/proc/self/root/etc/passwd", path).unwrap()), None);
        assert_eq!(home(|path| fs::create_dir(path).unwrap()), None);
        let fifo = |path: &Path| {
            let mode = Mode::from_raw_mode(0o644);
            rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap();
        };
        assert_eq!(home(fifo), None);
        // A link inside of the root is followed there.
        let inside = |path: &Path| {
            fs::write(path.with_file_name("users"), line).unwrap();
            symlink("/etc/users", path).unwrap();
        };
        assert_eq!(home(inside), Some("/home/me".into()));
    }

    #[test]
    fn of_a_huge_list_only_the_beginning_is_read() {
        let line = "me:x:7:7:Me:/home/me:\n";
        let huge = |path: &Path| {
            let file = fs::File::create(path).unwrap();
            std::os::unix::fs::FileExt::write_at(&file, line.as_bytes(), 0).unwrap();
            std::os::unix::fs::FileExt::write_at(&file, line.replace('7', "8").as_bytes(), SIZE_MAX).unwrap();
            file.set_len(1 << 40).unwrap();
        };
        assert_eq!(home(huge), Some("/home/me".into()));
        let later = |path: &Path| {
            let file = fs::File::create(path).unwrap();
            std::os::unix::fs::FileExt::write_at(&file, format!("\n{line}").as_bytes(), SIZE_MAX).unwrap();
        };
        assert_eq!(home(later), None);
    }
}
