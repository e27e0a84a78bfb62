//! Waiting, with an end.

use crate::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A point in time up to which something is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) after: Duration,
    /// None for a time that cannot be reached.
    end: Option<Instant>,
}

impl Deadline {
    pub(super) fn after(after: Duration) -> Self {
        Self { after, end: Instant::now().checked_add(after) }
    }

    pub(super) fn left(self) -> Duration {
        self.end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// Pauses between attempts, each longer than the one before.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: Duration::from_micros(100) }
    }

    /// Sleeps for a moment; false if the time is over.
    pub(super) fn pause(&mut self, deadline: Deadline) -> bool {
        let left = deadline.left();
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.next.min(left));
        self.next = (self.next * 2).min(Duration::from_millis(10));
        true
    }
}

/// Sleeps until a control file has changed since it was last read, or a moment is over.
///
/// The kernel wakes nobody for a cgroup that is removed, so whoever waits looks again now and then.
pub(super) fn changed(file: &OwnedFd, deadline: Deadline) -> Result<()> {
    let slice = deadline.left().min(Duration::from_millis(200));
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(slice.subsec_nanos()) };
    let mut files = [PollFd::new(file, PollFlags::PRI)];
    match poll(&mut files, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::Call { call: "poll", errno: errno.into() }),
    }
}
