//! Directories of the layer are changed while it is completed, and are afterwards as they were.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, Stat};

use crate::layer::unpack::attributes::{time_of, timestamps};
use crate::layer::unpack::beneath;
use crate::layer::unpack::fault::{Call, Result};
use crate::layer::unpack::name::Path;

/// The directories that were opened to be changed, as they were then.
pub(super) struct Restore<'f> {
    layer: BorrowedFd<'f>,
    before: BTreeMap<Path, Stat>,
}

impl<'f> Restore<'f> {
    pub(super) fn new(layer: BorrowedFd<'f>) -> Self {
        Self { layer, before: BTreeMap::new() }
    }

    /// Opens a directory of the layer in which something is to be made, by a caller whom its mode may keep out.
    pub(super) fn open(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let handle = beneath::handle(self.layer, path).call("open")?;
        if !self.before.contains_key(path) {
            let stat = rustix::fs::fstat(&handle).call("fstat")?;
            let mode = Mode::from_raw_mode(stat.st_mode);
            if !mode.contains(Mode::RWXU) {
                beneath::chmod(handle.as_fd(), mode | Mode::RWXU).call("chmod")?;
            }
            self.before.insert(path.to_vec(), stat);
        }
        Ok(handle)
    }

    /// Those in a directory come before it.
    pub(super) fn finish(self) -> Result<()> {
        for (path, stat) in self.before.iter().rev() {
            let fd = beneath::directory(self.layer, path).call("open")?;
            let (atime, mtime) = time_of(stat);
            rustix::fs::futimens(&fd, &timestamps(atime, mtime)).call("futimens")?;
            let mode = Mode::from_raw_mode(stat.st_mode);
            if !mode.contains(Mode::RWXU) {
                rustix::fs::fchmod(&fd, mode).call("fchmod")?;
            }
        }
        Ok(())
    }
}
