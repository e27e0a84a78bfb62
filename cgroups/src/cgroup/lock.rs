//! A mark that somebody uses a cgroup.

use super::Cgroup;
use crate::{Error, Result};
use rustix::fs::{FlockOperation, flock};

impl Cgroup {
    /// Takes the exclusive lock of the cgroup, an advisory one of `flock(2)` on its first directory (v2 if it has one
    /// there). False if another handle has it, of this process or another.
    ///
    /// It goes with this handle, and the kernel releases it when the process ends, by whatever cause. So a lock that
    /// can be taken tells that nobody owns the cgroup any more. Locks say nothing to who does not ask for them.
    ///
    /// # Errors
    ///
    /// [`Error::Lock`].
    pub fn lock(&self) -> Result<bool> {
        let Some(part) = self.parts.first() else { return Ok(false) };
        match rustix::io::retry_on_intr(|| flock(&part.dir, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(Error::Lock { path: part.dir.path().to_owned(), errno: errno.into() }),
        }
    }
}
