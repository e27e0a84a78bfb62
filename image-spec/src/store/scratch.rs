//! Where things are made: a directory in `tmp` that is locked while its maker lives.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::{FileType, OFlags};

use super::dir::Dir;
use super::lock::{Kind, Lock, is_named, open_lock};
use super::remove::remove;
use crate::{Error, Result};

/// A directory that is removed, with all that is still in it, when this ends. If the process is killed it stays, with a
/// lock that nobody holds, and [`sweep`] removes it.
#[derive(Debug)]
pub(super) struct Scratch {
    tmp: Dir,
    name: String,
    dir: Dir,
    removed: bool,
    _lock: Lock,
}

impl Scratch {
    /// A new one in the store's `tmp`.
    pub(super) fn new(tmp: Dir) -> Result<Self> {
        loop {
            let name = new_name();
            if !tmp.make_new(&name)? {
                continue;
            }
            // Somebody who sweeps may be faster; then another name is tried.
            let Some(dir) = tmp.try_open(&name)? else { continue };
            let fd = open_lock(&dir, ".", OFlags::DIRECTORY)?;
            let lock = Lock::attempt(fd, Kind::Exclusive).map_err(Error::file("lock", dir.path()))?;
            if let Some(lock) = lock
                && is_named(&tmp, &name, &dir)?
            {
                return Ok(Self { tmp, name, dir, removed: false, _lock: lock });
            }
        }
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Puts a file with this content to a place, whole or not at all, replacing what is there; all on disk at the end.
    pub(super) fn replace(&self, to: &Dir, name: &str, content: &[u8]) -> Result<()> {
        self.dir.write("document", content)?;
        self.dir.rename("document", to, name)?;
        to.sync()
    }

    /// A file to be filled, and its name here.
    pub(super) fn file(&self, name: &str) -> Result<File> {
        self.dir.create(name)
    }

    /// Removes it now, to learn of errors.
    pub(super) fn finish(mut self) -> Result<()> {
        self.removed = true;
        remove(rustix::fd::AsFd::as_fd(&self.tmp), &self.name, self.tmp.path())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.removed {
            // What cannot be removed is tried again by the next sweep.
            remove(rustix::fd::AsFd::as_fd(&self.tmp), &self.name, self.tmp.path()).ok();
        }
    }
}

/// Removes what killed processes left in `tmp`, and returns how many things that were. What may not be removed stays: a
/// container has files of other users, and who uses the store next need not have their ids.
pub(super) fn sweep(tmp: &Dir) -> Result<u64> {
    sweep_by(tmp, |name| remove(rustix::fd::AsFd::as_fd(tmp), name, tmp.path()))
}

fn sweep_by(tmp: &Dir, remove: impl Fn(&str) -> Result<()>) -> Result<u64> {
    let mut count = 0;
    for name in tmp.names()? {
        let name = name.to_string_lossy();
        let Some(stat) = tmp.stat(&name)? else { continue };
        let mut lock = None;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let Some(dir) = tmp.try_open(&name)? else { continue };
            let fd = open_lock(&dir, ".", OFlags::DIRECTORY)?;
            lock = Lock::attempt(fd, Kind::Exclusive).map_err(Error::file("lock", dir.path()))?;
            if lock.is_none() {
                continue;
            }
        }
        match remove(&name) {
            Ok(()) => count += 1,
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        drop(lock);
    }
    Ok(count)
}

fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{count}", std::process::id(), now.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn what_is_held_stays_and_the_rest_goes() {
        let temporary = tempfile::tempdir().unwrap();
        let tmp = || Dir::at(temporary.path()).unwrap();
        let held = Scratch::new(tmp()).unwrap();
        held.dir().write("x", b"x").unwrap();
        std::fs::create_dir_all(temporary.path().join("left/over")).unwrap();
        std::fs::write(temporary.path().join("file"), "").unwrap();
        assert_eq!(sweep(&tmp()).unwrap(), 2);
        assert_eq!(tmp().names().unwrap().len(), 1);
        held.finish().unwrap();
        assert_eq!(tmp().names().unwrap().len(), 0);
    }

    #[test]
    fn what_belongs_to_others_stays_and_is_no_error() {
        let temporary = tempfile::tempdir().unwrap();
        let tmp = Dir::at(temporary.path()).unwrap();
        for name in ["mine", "theirs", "yours"] {
            tmp.make_new(name).unwrap();
        }
        let by = |errno: Errno| {
            let tmp = &tmp;
            move |name: &str| match name {
                "theirs" => Err(Error::file("remove", name)(errno)),
                _ => remove(rustix::fd::AsFd::as_fd(tmp), name, tmp.path()),
            }
        };
        assert_eq!(sweep_by(&tmp, by(Errno::PERM)).unwrap(), 2);
        assert_eq!(sweep_by(&tmp, by(Errno::ACCESS)).unwrap(), 0);
        assert_eq!(tmp.names().unwrap(), ["theirs"]);
        assert!(sweep_by(&tmp, by(Errno::IO)).is_err());
    }

    #[test]
    fn making_and_sweeping_at_once() {
        let temporary = tempfile::tempdir().unwrap();
        let tmp = || Dir::at(temporary.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let scratch = Scratch::new(tmp()).unwrap();
                        scratch.dir().write("x", b"x").unwrap();
                        assert_eq!(scratch.dir().read("x", 9).unwrap().unwrap(), b"x");
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    sweep(&tmp()).unwrap();
                }
            });
        });
        assert_eq!(tmp().names().unwrap().len(), 0);
    }
}
