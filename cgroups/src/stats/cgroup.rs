//! The cgroup itself.

use super::keyed::keyed;
use std::ops::RangeInclusive;

keyed! {
    /// What the kernel says about a cgroup as such; v2 only.
    pub struct CgroupStatistics {
        /// Visible cgroups below it. v2 `nr_descendants` of `cgroup.stat`; not of v1.
        descendants: count = b"nr_descendants",
        /// Cgroups below it that were removed, and that something still holds. v2 `nr_dying_descendants` of
        /// `cgroup.stat`; not of v1.
        dying_descendants: count = b"nr_dying_descendants",
        /// Whether there are processes in it or below. v2 `populated` of `cgroup.events`; not of v1.
        populated: flag = b"populated",
        /// Whether all of them are stopped. v2 `frozen` of `cgroup.events`; not of v1.
        frozen: flag = b"frozen",
        /// How long it was frozen, all in all. v2 `frozen_usec` of `cgroup.stat.local`, 6.18; not of v1.
        frozen_time: micros = b"frozen_usec",
    }
}

/// What may be used in fact, after all that the cgroups above it and the machine leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuSetStatistics {
    /// Processors. v2 `cpuset.cpus.effective`; v1 `cpuset.effective_cpus`.
    pub cpus: Vec<RangeInclusive<u32>>,
    /// Memory nodes. v2 `cpuset.mems.effective`; v1 `cpuset.effective_mems`.
    pub mems: Vec<RangeInclusive<u32>>,
}
