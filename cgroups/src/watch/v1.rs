//! Notices of v1: an eventfd for each, registered by a line in `cgroup.event_control`.

use super::open::Opening;
use super::source::{Failure, Kind, Source, counters, set_timer};
use super::{MemoryLevel, counters::Counters};
use crate::cgroup::Part;
use crate::{Bytes, Error, Result, Version};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::OFlags;
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// How often a file is read that tells nobody when it changes.
const PERIOD: Duration = Duration::from_secs(1);

impl<'c> Opening<'c> {
    /// Out-of-memory notices, and the kills that follow them.
    pub(super) fn oom(&mut self, part: &'c Part) -> Result<()> {
        let file = "memory.oom_control";
        let control = self.file(part, file, None)?;
        let path = part.dir.path_of(file);
        let last = self.base(&control, part, file)?;
        let fd = register(part, &control, "")?;
        let of =
            self.push(part, Source { fd, path, part: None, kind: Kind::Oom { control, signals: 0, last } })?;
        let timer = timer()?;
        self.push(
            part,
            Source { fd: timer, path: part.dir.path_of(file), part: None, kind: Source::looks(of) },
        )?;
        Ok(())
    }

    pub(super) fn level(&mut self, part: &'c Part, level: MemoryLevel) -> Result<()> {
        let file = "memory.pressure_level";
        let target = self.file(part, file, Some("levels of memory pressure"))?;
        let fd = register(part, &target, &format!(" {level}"))?;
        let path = part.dir.path_of(file);
        self.push(part, Source { fd, path, part: None, kind: Kind::Level(level) })?;
        Ok(())
    }

    pub(super) fn threshold(&mut self, part: &'c Part, threshold: Bytes) -> Result<()> {
        let file = "memory.usage_in_bytes";
        let usage = self.file(part, file, None)?;
        let fd = register(part, &usage, &format!(" {threshold}"))?;
        let path = part.dir.path_of(file);
        self.push(part, Source { fd, path, part: None, kind: Kind::Threshold { usage, threshold } })?;
        Ok(())
    }

    /// Looks at another source once in a while.
    pub(super) fn regularly(&mut self, part: &'c Part, of: usize) -> Result<()> {
        let fd = timer()?;
        set_timer(&fd, PERIOD, PERIOD)?;
        let kind = Kind::Timer { of, next: PERIOD, until: Duration::ZERO };
        self.push(part, Source { fd, path: part.dir.path().to_owned(), part: None, kind })?;
        Ok(())
    }

    /// What a file of counters says before anybody waits.
    pub(super) fn base(&self, fd: &OwnedFd, part: &Part, file: &str) -> Result<Counters> {
        let path = part.dir.path_of(file);
        counters(fd, &path).map_err(|failure| match failure {
            Failure::Gone => Error::Read { path, errno: crate::Errno::new(libc::ENODEV) },
            Failure::Error(error) => error,
        })
    }
}

/// An eventfd that is signalled for a file of v1.
fn register(part: &Part, target: &OwnedFd, arguments: &str) -> Result<OwnedFd> {
    if part.version == Version::V2 {
        return Err(Error::Unsupported { version: Version::V2, what: "notices by eventfd" });
    }
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|errno| Error::Call { call: "eventfd2", errno: errno.into() })?;
    let control = "cgroup.event_control";
    let line = format!("{} {}{arguments}", fd.as_raw_fd(), target.as_raw_fd());
    let writer = part.dir.open_file(control, OFlags::WRONLY)?;
    part.dir.write_to(&writer, control, &line)?;
    Ok(fd)
}

fn timer() -> Result<OwnedFd> {
    timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .map_err(|errno| Error::Call { call: "timerfd_create", errno: errno.into() })
}
