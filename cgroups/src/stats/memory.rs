//! Memory and swap.

use super::keyed::keyed;
use super::memory_stat::MemoryStat;
use crate::Bytes;

/// Memory of a cgroup and all below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStatistics {
    /// How much is used, caches of files included. v2 `memory.current`; v1 `memory.usage_in_bytes`.
    pub usage: Option<Bytes>,
    /// How much was used at most. v2 `memory.peak`, 5.19; v1 `memory.max_usage_in_bytes`.
    pub peak: Option<Bytes>,
    /// For what it is used, and what happened to it, with all cgroups below. v2 `memory.stat`; v1 the lines of
    /// `memory.stat` that begin with `total_`.
    pub stat: MemoryStat,
    /// The same of this cgroup alone. v1 the other lines of `memory.stat`; not on v2.
    pub own: Option<MemoryStat>,
    /// The lowest limit of this cgroup and those above. v1 `hierarchical_memory_limit` of `memory.stat`; not on v2.
    pub hierarchical_limit: Option<Bytes>,
    /// The same of memory and swap together. v1 `hierarchical_memsw_limit` of `memory.stat`; not on v2.
    pub hierarchical_memsw_limit: Option<Bytes>,
    /// What happened at its limits, and at those of the cgroups below. v2 `memory.events`; v1 `memory.failcnt` and
    /// `memory.oom_control`.
    pub events: Option<MemoryEvents>,
    /// What happened at its own limits. v2 `memory.events.local`, 5.2; not on v1.
    pub local_events: Option<MemoryEvents>,
    /// Swap.
    pub swap: Option<SwapStatistics>,
    /// The kernel's memory. v1 `memory.kmem.*`; on v2 see [`MemoryStat::kernel`].
    pub kernel: Option<KernelMemory>,
    /// Buffers of TCP. v1 `memory.kmem.tcp.*`; on v2 see [`MemoryStat::sock`].
    pub tcp: Option<KernelMemory>,
}

impl MemoryStatistics {
    /// What cannot be taken back without anybody missing it: usage without the files that nobody used of late.
    ///
    /// It is what Kubernetes calls the working set and compares with limits. None if usage or
    /// [`MemoryStat::inactive_file`] are not known.
    pub fn working_set(&self) -> Option<Bytes> {
        Some(Bytes(self.usage?.0.saturating_sub(self.stat.inactive_file?.0)))
    }
}

keyed! {
    /// How often something happened at the limits of memory.
    pub struct MemoryEvents {
        /// Memory was reclaimed although less was used than `memory.low` protects. v2 `low`; not on v1.
        low: count = b"low",
        /// Processes were held back as more was used than `memory.high`. v2 `high`; not on v1.
        high: count = b"high",
        /// The limit was about to be exceeded. v2 `max`; v1 `memory.failcnt`.
        max: count = b"max",
        /// The limit was reached, and nothing could be reclaimed. v2 `oom`; not on v1.
        oom: count = b"oom",
        /// Processes killed for want of memory. v2 `oom_kill`; v1 `oom_kill` of `memory.oom_control`, 4.13.
        oom_kill: count = b"oom_kill",
        /// Times that the whole cgroup was killed. v2 `oom_group_kill`, 5.17; not on v1.
        oom_group_kill: count = b"oom_group_kill",
        /// Whether processes wait for memory at this moment. v1 `under_oom` of `memory.oom_control`; not on v2.
        under_oom: flag = b"under_oom",
        /// Whether nobody gets killed, and processes wait instead. v1 `oom_kill_disable` of `memory.oom_control`; not
        /// on v2.
        oom_kill_disabled: flag = b"oom_kill_disable",
    }
}

keyed! {
    /// Swap; on v1 of memory and swap together.
    pub struct SwapStatistics {
        /// Swap that is used. v2 `memory.swap.current`; v1 `total_swap` of `memory.stat`, see [`MemoryStat::swap`].
        usage: bytes,
        /// How much was used at most. v2 `memory.swap.peak`, 6.5; not on v1.
        peak: bytes,
        /// Swap was used more than `memory.swap.high`. v2 `high` of `memory.swap.events`; not on v1.
        high: count = b"high",
        /// The limit refused a page. v2 `max` of `memory.swap.events`; not on v1.
        max: count = b"max",
        /// No page could be had, by the limit or as there was none. v2 `fail` of `memory.swap.events`; not on v1.
        fail: count = b"fail",
        /// Memory that compressed pages take. v2 `memory.zswap.current`, 5.19; not on v1.
        zswap: bytes,
        /// Memory and swap that are used. v1 `memory.memsw.usage_in_bytes`; not on v2.
        memsw_usage: bytes,
        /// How much of both was used at most. v1 `memory.memsw.max_usage_in_bytes`; not on v2.
        memsw_peak: bytes,
        /// How often the limit of both was reached. v1 `memory.memsw.failcnt`; not on v2.
        memsw_failures: count,
    }
}

keyed! {
    /// Memory of the kernel, as v1 accounts it.
    pub struct KernelMemory {
        /// How much is used. v1 `usage_in_bytes`.
        usage: bytes,
        /// How much was used at most. v1 `max_usage_in_bytes`.
        peak: bytes,
        /// How often the limit was reached. v1 `failcnt`.
        failures: count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::parse::flat;

    #[test]
    fn the_working_set_is_never_negative() {
        let mut memory = MemoryStatistics { usage: Some(Bytes::mib(3)), ..MemoryStatistics::default() };
        assert_eq!(memory.working_set(), None);
        memory.stat.inactive_file = Some(Bytes::mib(1));
        assert_eq!(memory.working_set(), Some(Bytes::mib(2)));
        memory.stat.inactive_file = Some(Bytes::mib(4));
        assert_eq!(memory.working_set(), Some(Bytes(0)));
    }

    #[test]
    fn events_of_both_versions_are_read() {
        let mut events = MemoryEvents::default();
        flat(b"low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\nsock_throttled 6\n", &mut events)
            .unwrap();
        assert_eq!((events.high, events.oom_kill, events.under_oom), (Some(1), Some(4), None));
        let mut events = MemoryEvents::default();
        flat(b"oom_kill_disable 0\nunder_oom 1\noom_kill 2\n", &mut events).unwrap();
        assert_eq!((events.under_oom, events.oom_kill, events.low), (Some(true), Some(2), None));
    }
}
