//! Whether two entries have the same content.

use super::change::EntryType;
use crate::whiteout::fault;
use crate::{Error, Result};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};

/// How much of each file is in memory.
const CHUNK: usize = 128 * 1024;

/// An entry of a directory.
pub(super) struct Place<'a> {
    pub(super) dir: BorrowedFd<'a>,
    pub(super) name: &'a OsStr,
    pub(super) stat: &'a Stat,
}

impl Place<'_> {
    pub(super) fn entry(&self) -> EntryType {
        EntryType::of(self.stat.st_mode)
    }

    fn link(&self) -> Result<Vec<u8>> {
        let target = readlinkat(self.dir, self.name, Vec::new());
        target.map(std::ffi::CString::into_bytes).map_err(|raw| fault("readlinkat", self.name, raw))
    }

    /// Opens a regular file. Whatever has taken its place since is not waited for, nor read.
    fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(self.dir, self.name, flags, Mode::empty())
            .map_err(|raw| fault("openat", self.name, raw))?;
        let stat = fstat(&file).map_err(|raw| fault("fstat", self.name, raw))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            return Ok(file);
        }
        let value = self.name.to_string_lossy().into_owned();
        Err(Error::Invalid { what: "file", value, reason: "became something else meanwhile".to_owned() })
    }
}

/// Whether what is not a directory has the same type and content.
pub(super) fn same_content(upper: &Place<'_>, lower: &Place<'_>) -> Result<bool> {
    if upper.entry() != lower.entry() {
        return Ok(false);
    }
    match upper.entry() {
        EntryType::File => same_bytes(upper, lower),
        EntryType::Symlink => Ok(upper.link()? == lower.link()?),
        EntryType::CharacterDevice | EntryType::BlockDevice => Ok(upper.stat.st_rdev == lower.stat.st_rdev),
        EntryType::Fifo | EntryType::Socket => Ok(true),
        EntryType::Directory | EntryType::Unknown => Ok(false),
    }
}

fn same_bytes(upper: &Place<'_>, lower: &Place<'_>) -> Result<bool> {
    if upper.stat.st_size != lower.stat.st_size {
        return Ok(false);
    }
    let of = |place: &Place<'_>| (place.stat.st_dev, place.stat.st_ino);
    if upper.stat.st_size == 0 || of(upper) == of(lower) {
        return Ok(true);
    }
    let (one, other) = (upper.open()?, lower.open()?);
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let read = fill(&one, &mut left).map_err(|raw| fault("read", upper.name, raw))?;
        if read != fill(&other, &mut right).map_err(|raw| fault("read", lower.name, raw))?
            || left[..read] != right[..read]
        {
            return Ok(false);
        }
        if read < CHUNK {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::retry_on_intr(|| rustix::io::read(file, &mut buffer[filled..]))? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
