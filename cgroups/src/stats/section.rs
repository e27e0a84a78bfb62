//! What of the statistics is read.

use crate::Controller;
use std::fmt;

/// A part of [`Statistics`](crate::Statistics) that is read or left out as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Section {
    /// [`Statistics::cpu`](crate::Statistics::cpu): v2 `cpu.stat`; v1 `cpuacct.usage`, `cpuacct.stat`, `cpu.stat`.
    Cpu,
    /// How much memory is used and for what: v2 `memory.current`, `memory.peak`, `memory.stat`; v1
    /// `memory.usage_in_bytes`, `memory.max_usage_in_bytes`, `memory.stat`.
    Memory,
    /// What happened at the limits of memory: v2 `memory.events`, `memory.events.local`; v1 `memory.failcnt`,
    /// `memory.oom_control`.
    MemoryEvents,
    /// Swap: v2 `memory.swap.current`, `memory.swap.peak`, `memory.swap.events`, `memory.zswap.current`; v1
    /// `memory.memsw.usage_in_bytes`, `memory.memsw.max_usage_in_bytes`, `memory.memsw.failcnt`.
    Swap,
    /// The kernel's memory as v1 accounts it: `memory.kmem.usage_in_bytes`, `memory.kmem.max_usage_in_bytes`,
    /// `memory.kmem.failcnt`, and the same three below `memory.kmem.tcp`. Nothing on v2.
    KernelMemory,
    /// [`Statistics::io`](crate::Statistics::io): v2 `io.stat`; v1 `blkio.throttle.io_service_bytes_recursive`,
    /// `blkio.throttle.io_serviced_recursive`, and the same two below `blkio.bfq`.
    Io,
    /// [`Statistics::pids`](crate::Statistics::pids): `pids.current`, `pids.peak`, `pids.max`, `pids.events`.
    Pids,
    /// [`Statistics::hugetlb`](crate::Statistics::hugetlb): for each page size, v2 `current`, `events`,
    /// `rsvd.current`; v1 `usage_in_bytes`, `max_usage_in_bytes`, `failcnt`, `rsvd.usage_in_bytes`.
    HugeTlb,
    /// [`Statistics::rdma`](crate::Statistics::rdma): `rdma.current`.
    Rdma,
    /// [`Statistics::misc`](crate::Statistics::misc): `misc.current`, `misc.peak`, `misc.events`.
    Misc,
    /// [`Statistics::pressure`](crate::Statistics::pressure): v2 `cpu.pressure`, `memory.pressure`, `io.pressure`,
    /// `irq.pressure`. Nothing on v1.
    Pressure,
    /// [`Statistics::cpuset`](crate::Statistics::cpuset): v2 `cpuset.cpus.effective`, `cpuset.mems.effective`; v1
    /// `cpuset.effective_cpus`, `cpuset.effective_mems`.
    CpuSet,
    /// [`Statistics::cgroup`](crate::Statistics::cgroup): v2 `cgroup.stat`, `cgroup.stat.local`, `cgroup.events`.
    /// Nothing on v1.
    Cgroup,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Cpu,
        Self::Memory,
        Self::MemoryEvents,
        Self::Swap,
        Self::KernelMemory,
        Self::Io,
        Self::Pids,
        Self::HugeTlb,
        Self::Rdma,
        Self::Misc,
        Self::Pressure,
        Self::CpuSet,
        Self::Cgroup,
    ];

    /// The controller whose files these are; none where they are a part of every v2 cgroup.
    pub const fn controller(self) -> Option<Controller> {
        Some(match self {
            Self::Cpu => Controller::Cpu,
            Self::Memory | Self::MemoryEvents | Self::Swap | Self::KernelMemory => Controller::Memory,
            Self::Io => Controller::Io,
            Self::Pids => Controller::Pids,
            Self::HugeTlb => Controller::HugeTlb,
            Self::Rdma => Controller::Rdma,
            Self::Misc => Controller::Misc,
            Self::CpuSet => Controller::CpuSet,
            Self::Pressure | Self::Cgroup => return None,
        })
    }
}

/// A set of sections.
///
/// ```
/// use cofferdam_cgroups::{Section, Sections};
///
/// let often: Sections = [Section::Cpu, Section::Memory, Section::Pids].into_iter().collect();
/// assert!(often.contains(Section::Cpu) && !often.contains(Section::Io));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sections(u16);

impl Sections {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// All that there are.
    pub const ALL: Self = Self((1 << Section::ALL.len()) - 1);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, section: Section) -> Self {
        Self(self.0 | 1 << section as u8)
    }

    /// This set without one.
    #[must_use]
    pub const fn without(self, section: Section) -> Self {
        Self(self.0 & !(1 << section as u8))
    }

    /// Whether it is in the set.
    pub const fn contains(self, section: Section) -> bool {
        self.0 & 1 << section as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of [`Section::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Section> {
        Section::ALL.into_iter().filter(move |section| self.contains(*section))
    }
}

impl From<Section> for Sections {
    fn from(section: Section) -> Self {
        Self::EMPTY.with(section)
    }
}

impl FromIterator<Section> for Sections {
    fn from_iter<I: IntoIterator<Item = Section>>(sections: I) -> Self {
        sections.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_sections_behave_like_sets() {
        assert_eq!(Sections::ALL.iter().count(), Section::ALL.len());
        assert_eq!(Section::ALL.into_iter().collect::<Sections>(), Sections::ALL);
        let set = Sections::from(Section::Cpu).with(Section::Pids);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Section::Cpu, Section::Pids]);
        assert!(set.without(Section::Cpu).without(Section::Pids).is_empty());
        assert_eq!(format!("{set:?}"), "{Cpu, Pids}");
    }
}
