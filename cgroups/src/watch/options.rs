//! What to watch, as a plain value.

use super::{MemoryLevel, Pressure};
use crate::{Bytes, Error, Result};

/// What a [`Watch`](super::Watch) waits for.
///
/// ```
/// use cofferdam_cgroups::{Pressure, PressureResource, WatchOptions};
/// use std::time::Duration;
///
/// let trigger = Pressure::some(PressureResource::Memory, Duration::from_millis(200), Duration::from_secs(2));
/// let options = WatchOptions::new().memory().population().removal().pressure(trigger);
/// assert!(options.memory && !options.pids);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchOptions {
    /// Memory that ran out, and processes killed for it; on v2 all other counts of `memory.events` too.
    pub memory: bool,
    /// The same of the cgroup without those below it; v2 `memory.events.local`, 5.2.
    pub own_memory: bool,
    /// The first process, the last one, and freezing; v2 only.
    pub population: bool,
    /// Forks that were refused. v1 tells nobody about them from 6.11 on, so there the number is read once a second.
    pub pids: bool,
    /// The end of the cgroup. It takes one of the user's instances of inotify. Without it an end is seen when
    /// something else that is watched wakes up.
    pub removal: bool,
    /// Time lost by waiting; v2 only.
    pub pressures: Vec<Pressure>,
    /// Levels of memory pressure; v1 only.
    pub levels: Vec<MemoryLevel>,
    /// Thresholds of memory; v1 only.
    pub thresholds: Vec<Bytes>,
}

impl WatchOptions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also [memory](WatchOptions::memory).
    #[must_use]
    pub fn memory(mut self) -> Self {
        self.memory = true;
        self
    }

    /// Also [memory of the cgroup alone](WatchOptions::own_memory).
    #[must_use]
    pub fn own_memory(mut self) -> Self {
        self.own_memory = true;
        self
    }

    /// Also [processes that come and go](WatchOptions::population).
    #[must_use]
    pub fn population(mut self) -> Self {
        self.population = true;
        self
    }

    /// Also [refused forks](WatchOptions::pids).
    #[must_use]
    pub fn pids(mut self) -> Self {
        self.pids = true;
        self
    }

    /// Also [the end of the cgroup](WatchOptions::removal).
    #[must_use]
    pub fn removal(mut self) -> Self {
        self.removal = true;
        self
    }

    /// Also a [trigger](WatchOptions::pressures).
    #[must_use]
    pub fn pressure(mut self, trigger: Pressure) -> Self {
        self.pressures.push(trigger);
        self
    }

    /// Also a [level](WatchOptions::levels).
    #[must_use]
    pub fn level(mut self, level: MemoryLevel) -> Self {
        self.levels.push(level);
        self
    }

    /// Also a [threshold](WatchOptions::thresholds).
    #[must_use]
    pub fn threshold(mut self, threshold: Bytes) -> Self {
        self.thresholds.push(threshold);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if *self == Self::default() {
            let value = "nothing".to_owned();
            return Err(Error::Value { what: "what is watched", value, expected: "at least one subject" });
        }
        self.pressures.iter().try_for_each(Pressure::check)
    }
}
