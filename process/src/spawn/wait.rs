//! The end of a process, by its pidfd.

use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};

use crate::{Error, ExitStatus, sys};

/// Whether to wait for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until it has ended.
    Block,
    /// Only look.
    Poll,
}

/// Also children whose end sends another signal than `SIGCHLD`, or none, as before an exec.
const WALL: WaitIdOptions = WaitIdOptions::from_bits_retain(libc::__WALL.unsigned_abs());

/// How the process ended; reaps it. `None` while it runs.
pub(crate) fn wait(pidfd: BorrowedFd<'_>, pid: u32, how: Wait) -> Result<Option<ExitStatus>, Error> {
    let hang = if how == Wait::Poll { WaitIdOptions::NOHANG } else { WaitIdOptions::empty() };
    let options = WaitIdOptions::EXITED | WALL | hang;
    match retry_on_intr(|| waitid(WaitId::PidFd(pidfd), options)) {
        Ok(status) => Ok(status.as_ref().map(exit_status)),
        // Somebody else reaped it, or the kernel did because SIGCHLD is ignored; or it never was a child of ours.
        Err(Errno::CHILD) if how == Wait::Poll && !has_ended(pidfd)? => Ok(None),
        Err(Errno::CHILD) => {
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
            retry_on_intr(|| poll(&mut fds, None)).map_err(Error::call("poll"))?;
            let status = status_of_other(pidfd).ok_or(Error::StatusLost { pid })?;
            Ok(Some(ExitStatus::from_raw(status)))
        }
        Err(errno) => Err(Error::call("waitid")(errno)),
    }
}

/// How the process of somebody else ended: the kernel tells it once its parent has reaped it, which is about to happen.
fn status_of_other(pidfd: BorrowedFd<'_>) -> Option<i32> {
    const ATTEMPTS: u32 = 200;
    for _ in 0..ATTEMPTS {
        // Before Linux 6.13 it tells nothing, and before 6.15 not this.
        if let Some(status) = sys::pidfd_exit_info(pidfd)? {
            return Some(status);
        }
        // Nothing tells when that happens.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    None
}

fn has_ended(pidfd: BorrowedFd<'_>) -> Result<bool, Error> {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = retry_on_intr(|| poll(&mut fds, Some(&now))).map_err(Error::call("poll"))?;
    Ok(ready > 0)
}

fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    const CORE: i32 = 0x80;
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | if status.dumped() { CORE } else { 0 },
        (None, None) => 0,
    };
    ExitStatus::from_raw(raw)
}

/// Ends a process that will not become the program, and reaps it.
pub(crate) fn abort(pidfd: BorrowedFd<'_>, pid: u32) -> Result<Option<ExitStatus>, Error> {
    match pidfd_send_signal(pidfd, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => wait(pidfd, pid, Wait::Block),
        Err(errno) => Err(Error::call("pidfd_send_signal")(errno)),
    }
}
