//! The end of a child process, with what it used.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::Duration;
use std::{mem, os::unix::process::ExitStatusExt};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The most memory that it, or one of the processes that it waited for, had at once, in KiB.
    pub(crate) peak_rss_kib: u64,
}

/// Waits for a child; none if it did not end within `limit`, and then it still runs.
pub(crate) fn wait(child: &Child, limit: Duration) -> io::Result<Option<Ended>> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    if !ends(pid, limit)? {
        return Ok(None);
    }
    let mut status = 0;
    // SAFETY: all zeros is a value of this struct of numbers.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes the two values that are pointed to. The process is a child that nobody has waited for,
    // as who waits for it owns it.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let peak_rss_kib = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    Ok(Some(Ended { status: ExitStatus::from_raw(status), peak_rss_kib }))
}

/// Whether a child ends within `limit`. It stays to be waited for.
fn ends(pid: i32, limit: Duration) -> io::Result<bool> {
    // SAFETY: numbers only.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let raw = i32::try_from(raw).ok().filter(|raw| *raw >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one pollfd, which the kernel reads and writes.
    match unsafe { libc::poll(&raw mut poll, 1, limit) } {
        count if count < 0 => Err(io::Error::last_os_error()),
        count => Ok(count > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    #[expect(clippy::zombie_processes, reason = "what is tested is the wait")]
    fn the_end_and_the_memory_are_told() {
        let child = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        let ended = wait(&child, Duration::from_secs(20)).unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(ended.peak_rss_kib > 0);
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "what is tested is the wait")]
    fn what_does_not_end_still_runs() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert_eq!(wait(&child, Duration::from_millis(20)).unwrap(), None);
        child.kill().unwrap();
        assert!(wait(&child, Duration::from_secs(20)).unwrap().unwrap().status.signal().is_some());
    }
}
