//! First processes of containers are no zombies of this program once it has deleted them.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cofferdam_process::Child;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::{Error, Result};

/// Also children whose end sends another signal than `SIGCHLD`.
const ANY_SIGNAL: WaitIdOptions = WaitIdOptions::from_bits_retain(libc::__WALL.unsigned_abs());

/// Children that are killed and have not ended: the kernel waits until somebody takes the statuses of others in their pid
/// namespaces, which this program may have started there.
static LEFT: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Waits for the end of a process, but no longer than this.
pub(super) fn wait_for_end(pidfd: BorrowedFd<'_>, timeout: Duration) -> Result<()> {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let limit = Timespec::try_from(timeout).ok();
    retry_on_intr(|| poll(&mut fds, limit.as_ref())).map_err(Error::call("poll"))?;
    Ok(())
}

/// Takes the status of a child of this program that ends within this time. That of somebody else's is told only after its
/// parent took it, which may be late, and nobody wants it here.
pub(super) fn reap(child: &mut Child, timeout: Duration) -> Result<()> {
    wait_for_end(child.pidfd(), timeout)?;
    if is_ours(child) {
        child.try_wait()?;
    }
    Ok(())
}

/// Whether its status was not taken yet and can be.
fn is_ours(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | ANY_SIGNAL;
    retry_on_intr(|| waitid(WaitId::PidFd(child.pidfd()), options)).is_ok()
}

/// The same for a process that nobody holds any more: if it takes longer, it is taken later.
pub(super) fn take(mut child: Child, timeout: Duration) {
    // Where that fails it is tried again.
    drop(reap(&mut child, timeout));
    if is_ours(&child) {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(child);
    }
}

/// Takes the statuses of those that have ended meanwhile.
pub(super) fn take_left() {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}
