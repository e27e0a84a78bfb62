//! One descriptor that is waited for, and what it means when it wakes up.

use super::counters::{Counters, Subject};
use super::{Count, Event, MemoryLevel, Pressure, PressureKind, Scope};
use crate::stats::PressureStatistics;
use crate::stats::parse::{Parsed, single};
use crate::{Bytes, Error};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A descriptor, and where it belongs.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) fd: OwnedFd,
    /// The control file, for messages.
    pub(crate) path: PathBuf,
    /// Index of the directory; none for what belongs to no cgroup.
    pub(crate) part: Option<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A file that is polled, and read when it says that it changed.
    File { subject: Subject, scope: Scope, last: Counters },
    /// An eventfd for `memory.oom_control` of v1.
    Oom { control: OwnedFd, signals: u64, last: Counters },
    /// An eventfd for `memory.pressure_level` of v1.
    Level(MemoryLevel),
    /// An eventfd for `memory.usage_in_bytes` of v1.
    Threshold { usage: OwnedFd, threshold: Bytes },
    /// A trigger; the file itself.
    Pressure { trigger: Pressure, last: Duration },
    /// A timer at which another source is looked at, by its index, and the next waiting times.
    Timer { of: usize, next: Duration, until: Duration },
    /// An inotify instance for the directories above.
    Removal,
}

/// How a source failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The file is gone, with its cgroup or without.
    Gone,
    Error(Error),
}

pub(crate) type Looked<T = ()> = Result<T, Failure>;

/// The time from an out-of-memory notice of v1 to the first look for who was killed: the notice comes before the kill.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// The last look comes when waiting has doubled to this.
const LAST_LOOK: Duration = Duration::from_millis(512);

impl Source {
    /// What epoll is asked for.
    pub(crate) fn flags(&self) -> EventFlags {
        match self.kind {
            Kind::File { .. } => EventFlags::PRI,
            // Asking a trigger whether it fired resets it. If the epoll descriptor itself is polled, that happens
            // before we get to ask. So every wake-up is wanted, once, whatever the trigger says by then.
            Kind::Pressure { .. } => EventFlags::PRI | EventFlags::IN | EventFlags::ET,
            _ => EventFlags::IN,
        }
    }

    /// Looks what happened.
    pub(crate) fn look(&mut self, woken: Woken, events: &mut VecDeque<Event>) -> Looked {
        match &mut self.kind {
            Kind::File { subject, scope, last } => {
                let now = counters(&self.fd, &self.path)?;
                last.advance(now, *subject, *scope, events);
            }
            Kind::Oom { control, signals, last } => {
                // On a removed cgroup the kernel signals as well, so the file decides.
                let now = counters(control, &self.path)?;
                let new = if woken.by_itself { drain(&self.fd, &self.path)? } else { 0 };
                if new > 0 {
                    *signals = signals.saturating_add(new);
                    events.push_back(Event::Oom(Count { scope: Scope::Subtree, total: *signals, new }));
                }
                last.advance(now, Subject::Memory, Scope::Own, events);
            }
            Kind::Level(level) => {
                let new = drain(&self.fd, &self.path)?;
                if new > 0 {
                    events.push_back(Event::MemoryLevel { level: *level, new });
                }
            }
            Kind::Threshold { usage, threshold } => {
                let usage = Bytes(number(usage, &self.path)?);
                if drain(&self.fd, &self.path)? > 0 {
                    events.push_back(Event::MemoryThreshold { threshold: *threshold, usage });
                }
            }
            Kind::Pressure { trigger, last } => {
                let total = lost(&self.fd, &self.path, trigger.kind)?;
                let new = total.saturating_sub(*last);
                if woken.fired || (woken.polled_outside && new >= trigger.stall / 2) {
                    *last = total;
                    events.push_back(Event::Pressure { trigger: *trigger, total, new });
                }
            }
            Kind::Timer { .. } => drop(drain(&self.fd, &self.path)?),
            Kind::Removal => discard(&self.fd, &self.path)?,
        }
        Ok(())
    }

    /// Begins the looks after an out-of-memory notice.
    pub(crate) fn begin_looking(&mut self) -> crate::Result<()> {
        if let Kind::Timer { next, .. } = &mut self.kind {
            *next = FIRST_LOOK;
        }
        self.go_on_looking()
    }

    /// Sets the timer for the next look, unless that was the last one.
    pub(crate) fn go_on_looking(&mut self) -> crate::Result<()> {
        let Kind::Timer { next, until, .. } = &mut self.kind else { return Ok(()) };
        if *next > *until {
            return Ok(());
        }
        let after = *next;
        *next *= 2;
        set_timer(&self.fd, after, Duration::ZERO)
    }

    /// The waiting times of a timer for kills.
    pub(crate) fn looks(of: usize) -> Kind {
        Kind::Timer { of, next: FIRST_LOOK, until: LAST_LOOK }
    }
}

/// Why a source is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    /// By its own descriptor, and not by a timer.
    pub(crate) by_itself: bool,
    /// With the mark of something out of the ordinary.
    pub(crate) fired: bool,
    /// Somebody else may have polled before.
    pub(crate) polled_outside: bool,
}

pub(crate) fn set_timer(fd: &OwnedFd, after: Duration, every: Duration) -> crate::Result<()> {
    let spec = |time: Duration| Timespec::try_from(time).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    let times = Itimerspec { it_interval: spec(every), it_value: spec(after) };
    timerfd_settime(fd, TimerfdTimerFlags::empty(), &times)
        .map(drop)
        .map_err(|errno| Error::Call { call: "timerfd_settime", errno: errno.into() })
}

fn failed(errno: Errno, path: &Path) -> Failure {
    match errno {
        Errno::NODEV => Failure::Gone,
        errno => Failure::Error(Error::Read { path: path.to_owned(), errno: errno.into() }),
    }
}

/// Reads a control file from its beginning; those that are watched are short.
fn with_content<T>(fd: &OwnedFd, path: &Path, take: impl FnOnce(&[u8]) -> Parsed<'_, T>) -> Looked<T> {
    let mut buffer = [0; 1024];
    let length = rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut buffer[..], 0));
    let length = length.map_err(|errno| failed(errno, path))?;
    take(buffer.get(..length).unwrap_or_default()).map_err(|fault| Failure::Error(fault.in_file(path)))
}

/// What a file of counters says.
pub(crate) fn counters(fd: &OwnedFd, path: &Path) -> Looked<Counters> {
    with_content(fd, path, Counters::parse)
}

fn number(fd: &OwnedFd, path: &Path) -> Looked<u64> {
    with_content(fd, path, single)
}

/// The time lost so far, as a pressure file says.
pub(crate) fn lost(fd: &OwnedFd, path: &Path, kind: PressureKind) -> Looked<Duration> {
    let pressure = with_content(fd, path, PressureStatistics::parse)?;
    let line = match kind {
        PressureKind::Some => pressure.some,
        PressureKind::Full => pressure.full,
    };
    Ok(line.map(|line| line.total).unwrap_or_default())
}

/// The number of an eventfd or a timer, which is 0 then; 0 if it was 0 already.
fn drain(fd: &OwnedFd, path: &Path) -> Looked<u64> {
    let mut number = [0; 8];
    match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut number)) {
        Ok(_) => Ok(u64::from_ne_bytes(number)),
        Err(Errno::AGAIN) => Ok(0),
        Err(errno) => Err(failed(errno, path)),
    }
}

/// Takes all that there is to read, unread.
fn discard(fd: &OwnedFd, path: &Path) -> Looked {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut buffer)) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(failed(errno, path)),
        }
    }
}
