//! The directory of a container in the state directory.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, readlinkat,
    renameat, statat, symlinkat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use super::{Pieces, Record};
use crate::oci::{Error, Id, Result};

const STATE: &str = "state.json";
const NEW_STATE: &str = "state.json.new";
/// A symbolic link whose text is what must not be lost.
const PIECES: &str = "pieces";
const NEW_PIECES: &str = "pieces.new";
/// A state larger than that was not written by us.
const MAX_STATE: u64 = 256 << 20;
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The state directory, held open.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    fd: OwnedFd,
}

/// The directory of one container. Who holds its lock changes the container; everyone else looks on.
#[derive(Debug)]
pub(crate) struct Entry {
    root: Root,
    id: String,
    path: PathBuf,
    fd: OwnedFd,
}

/// The lock of a container, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "that it is open is all that counts")] OwnedFd);

/// A record that is written and does not hold yet. What is dropped is written over by the next one.
#[derive(Debug)]
#[must_use]
pub(crate) struct Staged<'a>(&'a Entry);

impl Staged<'_> {
    /// From now on it holds.
    pub(crate) fn commit(self) -> Result<()> {
        let Self(entry) = self;
        renameat(&entry.fd, NEW_STATE, &entry.fd, STATE).map_err(entry.failed(STATE))
    }
}

impl Root {
    /// Opens the state directory; `None` if there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { path: path.to_owned(), fd })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::path("state directory", path)(errno)),
        }
    }

    /// Opens it, and makes it if needed, for its owner alone.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| Error::io("state directory", path)(&error))?;
        Self::open(path)?.ok_or_else(|| Error::path("state directory", path)(Errno::NOENT))
    }

    /// The names of all entries that can be containers.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let failed = || Error::path("state directory", &self.path);
        let mut ids = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let Some(id) = entry.file_name().to_str().ok().filter(|id| id.parse::<Id>().is_ok()) else {
                continue;
            };
            let is_directory = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown => statat(&self.fd, id, AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
                _ => false,
            };
            if is_directory {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Whether somebody is about to make or delete a container.
    pub(crate) fn is_being_made(&self, id: &str) -> bool {
        let Ok(directory) = openat(&self.fd, id, DIRECTORY, Mode::empty()) else { return true };
        flock(&directory, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }

    /// Takes a name: whoever makes the directory has it.
    pub(crate) fn claim(self, id: &str) -> Result<(Entry, Lock)> {
        let exists = || Error::Exists { id: id.to_owned() };
        match mkdirat(&self.fd, id, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(exists()),
            Err(errno) => return Err(Error::path("state of the container", self.path.join(id))(errno)),
        }
        let fd = match openat(&self.fd, id, DIRECTORY, Mode::empty()) {
            Ok(fd) => fd,
            Err(errno) => {
                self.give_back(id);
                return Err(Error::path("state of the container", self.path.join(id))(errno));
            }
        };
        let entry = Entry { path: self.path.join(id), id: id.to_owned(), root: self, fd };
        match entry.lock() {
            Ok(lock) => Ok((entry, lock)),
            Err(error) => {
                entry.root.give_back(id);
                Err(error)
            }
        }
    }

    /// Removes a name that was taken and cannot be used, as for want of descriptors.
    fn give_back(&self, id: &str) {
        // It is empty, or somebody else's by now; what failed before is what counts.
        unlinkat(&self.fd, id, AtFlags::REMOVEDIR).unwrap_or_default();
    }

    /// The directory of a container; `None` if there is none.
    pub(crate) fn entry(self, id: &str) -> Result<Option<Entry>> {
        id.parse::<Id>()?;
        let path = self.path.join(id);
        match openat(&self.fd, id, DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Some(Entry { root: self, id: id.to_owned(), path, fd })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::path("state of the container", path)(errno)),
        }
    }
}

impl Entry {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A path of something in it, however long the path of the directory is. It is good as long as the entry is open.
    pub(crate) fn short_path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()).into()
    }

    /// A path of something in it for messages and mounts.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn gone(&self) -> Error {
        Error::NotFound { id: self.id.clone() }
    }

    /// Waits for the lock. The container may be deleted meanwhile, which is [`Error::NotFound`].
    pub(crate) fn lock(&self) -> Result<Lock> {
        let lock = self.reopen()?;
        retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive)).map_err(self.failed("."))?;
        self.locked(lock)
    }

    /// Waits for the lock, but no longer than this.
    pub(crate) fn lock_within(&self, timeout: Duration) -> Result<Option<Lock>> {
        let end = Instant::now() + timeout;
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(Some(lock));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The lock, if nobody has it.
    pub(crate) fn try_lock(&self) -> Result<Option<Lock>> {
        let lock = self.reopen()?;
        match retry_on_intr(|| flock(&lock, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => self.locked(lock).map(Some),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(self.failed(".")(errno)),
        }
    }

    /// A lock belongs to an open file, so each has one of its own.
    fn reopen(&self) -> Result<OwnedFd> {
        openat(&self.fd, ".", DIRECTORY, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT => self.gone(),
            errno => self.failed(".")(errno),
        })
    }

    fn locked(&self, lock: OwnedFd) -> Result<Lock> {
        let links = fstat(&lock).map_err(self.failed("."))?.st_nlink;
        if links == 0 { Err(self.gone()) } else { Ok(Lock(lock)) }
    }

    fn failed(&self, name: &str) -> impl FnOnce(Errno) -> Error {
        Error::path("state of the container", self.path.join(name))
    }

    /// What is stored. Readers need no lock, as they see the old or the new record.
    pub(crate) fn read(&self) -> Result<Record> {
        let wrong = |reason: String| Error::State { path: self.path(STATE), reason };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.fd, STATE, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) if fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 0) => {
                return Err(self.gone());
            }
            Err(Errno::NOENT) => return Err(wrong("does not exist".into())),
            Err(errno) => return Err(self.failed(STATE)(errno)),
        };
        // Most are of a few kilobytes, which one read takes then.
        let mut bytes = Vec::with_capacity(8 << 10);
        let read = file.take(MAX_STATE).read_to_end(&mut bytes);
        read.map_err(|error| Error::io("state of the container", self.path(STATE))(&error))?;
        let record = Record::parse(&bytes).map_err(wrong)?;
        match record.id == self.id {
            true => Ok(record),
            false => Err(wrong(format!("is that of {:?}", record.id))),
        }
    }

    /// What is known of the container without its record.
    pub(crate) fn pieces(&self) -> Option<Pieces> {
        let text = readlinkat(&self.fd, PIECES, Vec::new()).ok()?;
        serde_json::from_slice(text.to_bytes()).ok()
    }

    /// A link is made and read as a whole, and is not mistaken for something to be edited.
    fn write_pieces(&self, record: &Record) -> Result<()> {
        let Ok(text) = serde_json::to_string(&record.pieces()) else { return Ok(()) };
        let made = match symlinkat(&text, &self.fd, NEW_PIECES) {
            // Of somebody who was killed before the next step.
            Err(Errno::EXIST) => {
                self.remove_file(NEW_PIECES)?;
                symlinkat(&text, &self.fd, NEW_PIECES)
            }
            made => made,
        };
        match made {
            Ok(()) => {}
            // Very long paths do not fit; the record has them.
            Err(Errno::NAMETOOLONG) => return Ok(()),
            Err(errno) => return Err(self.failed(NEW_PIECES)(errno)),
        }
        renameat(&self.fd, NEW_PIECES, &self.fd, PIECES).map_err(self.failed(PIECES))
    }

    /// Whether there is a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Stores a record, whole or not at all. Needs the lock.
    ///
    /// Nothing is synced: no container outlasts the machine, and one whose record is broken then can be deleted by force.
    pub(crate) fn write(&self, record: &Record, lock: &Lock) -> Result<()> {
        self.stage(record, lock)?.commit()
    }

    /// Stores a record beside the one that holds, so that only its name has to be changed.
    pub(crate) fn stage(&self, record: &Record, _: &Lock) -> Result<Staged<'_>> {
        self.write_pieces(record)?;
        let bytes = record.to_bytes().map_err(|reason| Error::State { path: self.path(STATE), reason })?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.fd, NEW_STATE, flags, mode).map_err(self.failed(NEW_STATE))?);
        file.write_all(&bytes)
            .map_err(|error| Error::io("state of the container", self.path(NEW_STATE))(&error))?;
        Ok(Staged(self))
    }

    /// Removes a file of it; one that is not there is no error.
    pub(crate) fn remove_file(&self, name: &str) -> Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(name)(errno)),
        }
    }

    /// Removes it with all that is in it. The record goes last, so that a removal that was interrupted can be repeated.
    pub(crate) fn remove(&self, _: &Lock) -> Result<()> {
        // For want of descriptors it may have got no record, and could not be read now either.
        if !self.has(STATE) {
            for name in [NEW_STATE, NEW_PIECES, PIECES] {
                self.remove_file(name)?;
            }
            if unlinkat(&self.root.fd, &self.id, AtFlags::REMOVEDIR).is_ok() {
                return Ok(());
            }
        }
        empty(self.fd.as_fd(), &[STATE], 8).map_err(self.failed("."))?;
        empty(self.fd.as_fd(), &[], 8).map_err(self.failed("."))?;
        match unlinkat(&self.root.fd, &self.id, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed(".")(errno)),
        }
    }
}

/// Empties a directory, but for these names.
fn empty(directory: BorrowedFd<'_>, keep: &[&str], depth: u32) -> Result<(), Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"."
            && name.as_bytes() != b".."
            && !keep.iter().any(|kept| name.to_bytes() == kept.as_bytes())
        {
            names.push(name);
        }
    }
    for name in names {
        match unlinkat(directory, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR) if depth > 0 => {}
            Err(errno) => return Err(errno),
        }
        let below = openat(directory, &name, DIRECTORY, Mode::empty())?;
        empty(below.as_fd(), &[], depth - 1)?;
        unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}
