//! Waiting for the end of a child.

use std::time::{Duration, Instant};

use super::calls;
use crate::sys::syscall;

/// Reaps `pid`; answers with its exit status, or 128 + n for signal n.
pub(super) fn reap(pid: i32) -> Result<i32, i32> {
    // SAFETY: a siginfo is plain data for which zeros are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: the kernel writes one siginfo; the usage is not asked for.
        let raw = unsafe {
            syscall!(libc::SYS_waitid, libc::P_PID, pid, &raw mut info, libc::WEXITED, std::ptr::null::<u8>())
        };
        match calls::answer(raw) {
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid has filled the fields of a SIGCHLD.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { status } else { 128 + status })
}

/// Waits until `pid`, an unreaped child, has ended; false if it has not within `limit`.
pub(super) fn ended_within(pid: i32, limit: Duration) -> Result<bool, i32> {
    // SAFETY: numbers only.
    let pidfd = calls::answer(unsafe { syscall!(libc::SYS_pidfd_open, pid, 0) })?;
    let ended = poll(i32::try_from(pidfd).map_err(|_| libc::EBADF)?, limit);
    // SAFETY: the descriptor was opened above and is not used again.
    let closed = calls::answer(unsafe { syscall!(libc::SYS_close, pidfd) });
    closed.and(ended)
}

fn poll(fd: i32, limit: Duration) -> Result<bool, i32> {
    let end = Instant::now() + limit;
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one pollfd, which the kernel reads and writes.
        let raw = unsafe { syscall!(libc::SYS_poll, &raw mut poll, 1, left) };
        match calls::answer(raw) {
            Err(libc::EINTR) => {}
            other => return other.map(|ready| ready > 0),
        }
    }
}
