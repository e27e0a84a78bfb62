//! What happens to a container, one event after the other.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cofferdam_cgroups::{Cgroup, Controller, Error as CgroupError, Event as Happened, Watch, WatchOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::stats::Stats;
use super::v1;
use crate::oci::Result;
use crate::oci::rdt::ResourceGroup;

/// Something to tell about a container.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// What it uses.
    Stats(Box<Stats>),
    /// It had no memory left.
    Oom,
}

impl Event {
    /// One line of JSON, as `runc events` prints it.
    pub fn to_json(&self, id: &str) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            r#type: &'a str,
            id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Stats>,
        }
        let (kind, data) = match self {
            Self::Stats(stats) => ("stats", Some(&**stats)),
            Self::Oom => ("oom", None),
        };
        // Numbers, strings, and maps with strings as keys can always be written.
        serde_json::to_string(&Line { r#type: kind, id, data }).unwrap_or_default()
    }
}

/// The events of a container: its statistics again and again, and each time that it runs out of memory. The iterator ends
/// with the container's first process, or its cgroup.
///
/// ```no_run
/// use cofferdam::oci::Container;
/// use std::time::Duration;
///
/// # fn run(container: Container) -> Result<(), cofferdam::oci::Error> {
/// for event in container.events(Duration::from_secs(5))? {
///     println!("{}", event?.to_json(container.id()));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Events {
    cgroup: Cgroup,
    /// It polls readable when the container has ended.
    process: Option<OwnedFd>,
    group: Option<ResourceGroup>,
    watch: Watch,
    interval: Duration,
    next: Instant,
    /// v1 tells that memory ran out, v2 how many were killed for it.
    kills: bool,
    ended: bool,
}

impl Events {
    /// Begins to watch a cgroup, as long as a process lives, of which this is the pidfd. The first statistics come after
    /// the interval.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container) if it cannot be watched.
    ///
    /// # Privileges
    /// On v1 write access to `cgroup.event_control`.
    pub fn new(cgroup: Cgroup, process: Option<OwnedFd>, interval: Duration) -> Result<Self> {
        let options = WatchOptions::new().removal();
        let watch = match Watch::new(&cgroup, &options.clone().memory()) {
            // Without a controller for memory nobody runs out of it.
            Err(CgroupError::NoController { .. }) => Watch::new(&cgroup, &options)?,
            watch => watch?,
        };
        let kills = !v1::is_v1(&cgroup, Controller::Memory);
        let next = Instant::now() + interval;
        Ok(Self { watch, group: None, process, interval, next, kills, ended: false, cgroup })
    }

    /// Statistics of a group of resctrl along with those of the cgroup.
    #[must_use]
    pub fn with_group(self, group: Option<ResourceGroup>) -> Self {
        Self { group, ..self }
    }

    fn advance(&mut self) -> Result<Option<Event>> {
        loop {
            // What happened before the end is told, and then the end.
            while let Some(happened) = self.watch.wait(Some(Duration::ZERO))? {
                match happened {
                    Happened::OomKill(_) if self.kills => return Ok(Some(Event::Oom)),
                    Happened::Oom(_) if !self.kills => return Ok(Some(Event::Oom)),
                    Happened::Removed => self.ended = true,
                    _ => {}
                }
            }
            if self.ended || self.watch.has_ended() {
                return Ok(None);
            }
            let left = self.next.saturating_duration_since(Instant::now());
            // The end is seen as well where looking takes longer than the interval.
            if left.is_zero() && !self.wait(Duration::ZERO)? {
                return self.tick();
            }
            self.ended = self.wait(left)?;
        }
    }

    /// Until something happens or the time is up; true if the process has ended.
    fn wait(&self, timeout: Duration) -> Result<bool> {
        let watch = self.watch.as_fd();
        let mut fds = vec![PollFd::new(&watch, PollFlags::IN)];
        fds.extend(self.process.as_ref().map(|process| PollFd::new(process, PollFlags::IN)));
        // A time that does not fit is for ever.
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(crate::Error::call("poll")(errno).into()),
        }
        Ok(fds.get(1).is_some_and(|process| !process.revents().is_empty()))
    }

    fn tick(&mut self) -> Result<Option<Event>> {
        self.next = Instant::now() + self.interval;
        match Stats::read(&self.cgroup) {
            Ok(mut stats) => {
                if let Some(group) = &self.group {
                    stats.intel_rdt = group.statistics()?;
                }
                Ok(Some(Event::Stats(Box::new(stats))))
            }
            Err(error) => match self.cgroup.exists() {
                true => Err(error),
                false => {
                    self.ended = true;
                    Ok(None)
                }
            },
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("cgroup", &self.cgroup)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
