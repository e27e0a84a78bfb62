//! A mark that somebody uses a cgroup.

use super::Cgroup;
use crate::{Error, Result};
use rustix::fs::{FlockOperation, flock};

impl Cgroup {
    /// Takes the exclusive lock of the cgroup, an advisory one of `flock(2)` on each of its directories, as another
    /// process may see only some of the hierarchies. False if another handle has one of them, of this process or another.
    ///
    /// It goes with this handle, and the kernel releases it when the process ends, by whatever cause. So a lock that
    /// can be taken tells that nobody owns the cgroup any more. (A child between its fork and its exec has it, too.) Locks say nothing to who does not ask for them.
    ///
    /// # Errors
    ///
    /// [`Error::Lock`].
    pub fn lock(&self) -> Result<bool> {
        for (taken, part) in self.parts.iter().enumerate() {
            let locked =
                rustix::io::retry_on_intr(|| flock(&part.dir, FlockOperation::NonBlockingLockExclusive));
            let Err(errno) = locked else { continue };
            for part in self.parts.iter().take(taken) {
                // Giving back what was just taken cannot fail.
                flock(&part.dir, FlockOperation::Unlock).unwrap_or(());
            }
            return match errno {
                rustix::io::Errno::WOULDBLOCK => Ok(false),
                errno => Err(Error::Lock { path: part.dir.path().to_owned(), errno: errno.into() }),
            };
        }
        Ok(true)
    }
}
