//! Locks between processes and threads: `flock(2)`, which the kernel lets go when the holder dies.
//!
//! Each lock has an open file of its own, so threads of one process exclude each other as processes do. The order in
//! which several are taken is in the module [`store`](super).

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::dir::Dir;
use crate::{Error, Result};

/// How long to sleep between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Who else may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Shared,
    Exclusive,
}

/// A lock that is held while this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _fd: OwnedFd,
}

impl Lock {
    /// Waits for the lock on what is open.
    pub(super) fn wait(fd: impl Into<OwnedFd>, kind: Kind) -> std::result::Result<Self, Errno> {
        let fd = fd.into();
        let operation = match kind {
            Kind::Shared => FlockOperation::LockShared,
            Kind::Exclusive => FlockOperation::LockExclusive,
        };
        rustix::io::retry_on_intr(|| rustix::fs::flock(&fd, operation))?;
        Ok(Self { _fd: fd })
    }

    /// The lock on what is open, if nobody holds it in a way that excludes this.
    pub(super) fn attempt(fd: impl Into<OwnedFd>, kind: Kind) -> std::result::Result<Option<Self>, Errno> {
        let fd = fd.into();
        Ok(attempt(&fd, kind)?.then_some(Self { _fd: fd }))
    }

    /// As [`Lock::attempt`], again and again for this long.
    pub(super) fn within(
        fd: impl Into<OwnedFd>,
        kind: Kind,
        patience: Duration,
    ) -> std::result::Result<Option<Self>, Errno> {
        let (fd, start) = (fd.into(), Instant::now());
        while !attempt(&fd, kind)? {
            if start.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(Some(Self { _fd: fd }))
    }
}

fn attempt(fd: &OwnedFd, kind: Kind) -> std::result::Result<bool, Errno> {
    let operation = match kind {
        Kind::Shared => FlockOperation::NonBlockingLockShared,
        Kind::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match rustix::io::retry_on_intr(|| rustix::fs::flock(fd, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// An exclusive lock by a file that exists only while somebody holds it or waits for it.
#[derive(Debug)]
pub(super) struct NameLock {
    dir: Dir,
    name: String,
    _lock: Lock,
}

impl NameLock {
    /// Waits for the lock of this name in a directory.
    pub(super) fn wait(dir: Dir, name: String) -> Result<Self> {
        loop {
            let fd = open_lock(&dir, &name, OFlags::CREATE)?;
            let same = fd.try_clone().map_err(dir.io("open", &name))?;
            let lock = Lock::wait(fd, Kind::Exclusive).map_err(Error::file("lock", dir.path_of(&name)))?;
            // Who held it before has removed the file: what is locked has no name any more.
            if is_named(&dir, &name, &same)? {
                return Ok(Self { dir, name, _lock: lock });
            }
        }
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // A file that stays is taken again or removed by a collection.
        self.dir.unlink(&self.name).ok();
    }
}

/// Removes the files of locks by name that nobody holds, which killed processes left, and returns how many that were.
pub(super) fn sweep(dir: &Dir, prefix: &str) -> Result<u64> {
    let mut count = 0;
    for name in dir.names()? {
        let name = name.to_string_lossy();
        if !name.starts_with(prefix) || dir.stat(&name)?.is_none() {
            continue;
        }
        let fd = match open_lock(dir, &name, OFlags::empty()) {
            Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
            fd => fd?,
        };
        let same = fd.try_clone().map_err(dir.io("open", &name))?;
        let lock = Lock::attempt(fd, Kind::Exclusive).map_err(Error::file("lock", dir.path_of(&*name)))?;
        // Who waits for it looks whether the file still has its name.
        if lock.is_some() && is_named(dir, &name, &same)? {
            dir.unlink(&name)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Whether a name still means what is open.
pub(super) fn is_named(dir: &Dir, name: &str, fd: &impl AsFd) -> Result<bool> {
    let open = rustix::fs::fstat(fd).map_err(Error::file("stat", dir.path_of(name)))?;
    let named = dir.stat(name)?;
    Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)))
}

/// The file of a lock.
pub(super) fn open_lock(dir: &Dir, name: &str, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::openat(dir, name, flags, mode).map_err(Error::file("open", dir.path_of(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_holder_at_a_time_and_no_file_left() {
        let temporary = tempfile::tempdir().unwrap();
        let (inside, total) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let dir = Dir::at(temporary.path()).unwrap();
                        let lock = NameLock::wait(dir, "x".to_owned()).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        total.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    sweep(&Dir::at(temporary.path()).unwrap(), "x").unwrap();
                }
            });
        });
        assert_eq!(total.into_inner(), 800);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    }

    #[test]
    fn shared_ones_go_together_and_patience_ends() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::at(temporary.path()).unwrap();
        let open = || open_lock(&dir, "l", OFlags::CREATE).unwrap();
        let first = Lock::wait(open(), Kind::Shared).unwrap();
        let second = Lock::attempt(open(), Kind::Shared).unwrap().unwrap();
        assert!(Lock::within(open(), Kind::Exclusive, Duration::from_millis(30)).unwrap().is_none());
        drop((first, second));
        assert!(Lock::attempt(open(), Kind::Exclusive).unwrap().is_some());
    }
}
