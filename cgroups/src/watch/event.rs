//! What can happen to a cgroup.

use super::Pressure;
use crate::Bytes;
use std::fmt;
use std::time::Duration;

/// Whose events a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Of the cgroup and all below it.
    Subtree,
    /// Of the cgroup alone.
    Own,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Count {
    /// Whose events these are.
    pub scope: Scope,
    /// How often in all: since the cgroup was made, or, where the kernel keeps no such number, since the watch began.
    pub total: u64,
    /// How often since the last event of this kind, or since the watch began.
    pub new: u64,
}

/// How hard it is to find memory, as v1 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryLevel {
    /// Memory is being reclaimed.
    Low,
    /// Pages that are in use are reclaimed.
    Medium,
    /// Processes are about to be killed.
    Critical,
}

impl fmt::Display for MemoryLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Critical => "critical",
        })
    }
}

/// Something that happened to a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A limit of memory was reached, and nothing could be reclaimed. v2 `oom` of `memory.events`; v1 a notice of
    /// `memory.oom_control`, which the kernel does not count.
    Oom(Count),
    /// Processes were killed for want of memory. v2 `oom_kill` of `memory.events`; v1 of `memory.oom_control`.
    OomKill(Count),
    /// A whole cgroup was killed. v2 `oom_group_kill`, 5.17; not on v1.
    OomGroupKill(Count),
    /// Protected memory was reclaimed. v2 `low`; not on v1.
    MemoryLow(Count),
    /// `memory.high` was exceeded, and processes were held back. v2 `high`; not on v1.
    MemoryHigh(Count),
    /// `memory.max` was about to be exceeded. v2 `max`; not on v1.
    MemoryMax(Count),
    /// A fork was refused by the limit. Both versions `pids.events`.
    PidsMax(Count),
    /// Whether there are processes in it or below now. v2 `cgroup.events`; not on v1.
    Populated(bool),
    /// Whether all of them are stopped now. v2 `cgroup.events`; not on v1.
    Frozen(bool),
    /// A pressure trigger fired.
    Pressure {
        /// The trigger.
        trigger: Pressure,
        /// All time lost since the cgroup was made.
        total: Duration,
        /// Of it, since the last event of this trigger, or since the watch began.
        new: Duration,
    },
    /// Memory became hard to find. v1 `memory.pressure_level`; not on v2.
    MemoryLevel {
        /// How hard.
        level: MemoryLevel,
        /// How often since the last event.
        new: u64,
    },
    /// The use of memory crossed a threshold, in one direction or the other. v1 only.
    MemoryThreshold {
        /// The threshold.
        threshold: Bytes,
        /// What is used now.
        usage: Bytes,
    },
    /// The cgroup was removed. Nothing comes after it.
    Removed,
}
