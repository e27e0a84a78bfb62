//! Controllers, and sets of them.

use crate::Version;
use std::fmt;

/// A controller of cgroups: the part of the kernel that a group of files belongs to.
///
/// Some have two names, and some exist on one version only; see [`Controller::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Controller {
    /// Time on the processors: weight, quota.
    Cpu,
    /// Accounting of processor time; v1 only, a part of every cgroup on v2.
    CpuAcct,
    /// Which processors and memory nodes may be used.
    CpuSet,
    /// Memory and swap.
    Memory,
    /// Block devices: `blkio` on v1, `io` on v2.
    Io,
    /// The number of processes and threads.
    Pids,
    /// Access to device nodes; lists on v1, an eBPF program on v2, where it is no controller of the kernel.
    Devices,
    /// Stopping all processes; v1 only, a part of every cgroup on v2.
    Freezer,
    /// Huge pages.
    HugeTlb,
    /// A class for the packets of the processes; v1 only.
    NetCls,
    /// The priority of packets by network interface; v1 only.
    NetPrio,
    /// Counters of `perf` by cgroup; nothing to set.
    PerfEvent,
    /// Handles and objects of remote direct memory access.
    Rdma,
    /// Scalar resources of the machine, such as encrypted guests' address space identifiers; 5.13.
    Misc,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Cpu,
        Self::CpuAcct,
        Self::CpuSet,
        Self::Memory,
        Self::Io,
        Self::Pids,
        Self::Devices,
        Self::Freezer,
        Self::HugeTlb,
        Self::NetCls,
        Self::NetPrio,
        Self::PerfEvent,
        Self::Rdma,
        Self::Misc,
    ];

    /// The kernel's name of it on a version, as in `cgroup.controllers` or as an option of a v1 mount; none where
    /// that version has no such controller.
    pub const fn name(self, version: Version) -> Option<&'static str> {
        Some(match (self, version) {
            (Self::Cpu, _) => "cpu",
            (Self::CpuSet, _) => "cpuset",
            (Self::Memory, _) => "memory",
            (Self::Io, Version::V1) => "blkio",
            (Self::Io, Version::V2) => "io",
            (Self::Pids, _) => "pids",
            (Self::HugeTlb, _) => "hugetlb",
            (Self::PerfEvent, _) => "perf_event",
            (Self::Rdma, _) => "rdma",
            (Self::Misc, _) => "misc",
            (Self::CpuAcct, Version::V1) => "cpuacct",
            (Self::Devices, Version::V1) => "devices",
            (Self::Freezer, Version::V1) => "freezer",
            (Self::NetCls, Version::V1) => "net_cls",
            (Self::NetPrio, Version::V1) => "net_prio",
            (Self::CpuAcct | Self::Devices | Self::Freezer | Self::NetCls | Self::NetPrio, Version::V2) => {
                return None;
            }
        })
    }

    /// The controller that has this name on a version.
    pub fn from_name(name: &str, version: Version) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.name(version) == Some(name))
    }
}

/// The v1 name where there is one, as that is what most people call it; `io` is `io`.
impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name(Version::V2).or(self.name(Version::V1)).unwrap_or("?"))
    }
}

/// A set of controllers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Controllers(u16);

impl Controllers {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// All that this crate knows.
    pub const ALL: Self = Self((1 << Controller::ALL.len()) - 1);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, controller: Controller) -> Self {
        Self(self.0 | 1 << controller as u8)
    }

    /// This set without one.
    #[must_use]
    pub const fn without(self, controller: Controller) -> Self {
        Self(self.0 & !(1 << controller as u8))
    }

    /// Whether it is in the set.
    pub const fn contains(self, controller: Controller) -> bool {
        self.0 & 1 << controller as u8 != 0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in one or the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of [`Controller::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |controller| self.contains(*controller))
    }

    /// Reads names separated by white space or commas, as the kernel prints them; unknown ones are left out.
    pub fn parse(names: &str, version: Version) -> Self {
        names
            .split(|c: char| c.is_ascii_whitespace() || c == ',')
            .filter_map(|name| Controller::from_name(name, version))
            .collect()
    }
}

impl From<Controller> for Controllers {
    fn from(controller: Controller) -> Self {
        Self::EMPTY.with(controller)
    }
}

impl FromIterator<Controller> for Controllers {
    fn from_iter<I: IntoIterator<Item = Controller>>(controllers: I) -> Self {
        controllers.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Names separated by spaces.
impl fmt::Display for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, controller) in self.iter().enumerate() {
            write!(f, "{}{controller}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        assert_eq!(Controller::Io.name(Version::V1), Some("blkio"));
        assert_eq!(Controller::Io.name(Version::V2), Some("io"));
        assert_eq!(Controller::Devices.name(Version::V2), None);
        assert_eq!(Controller::from_name("cpuacct", Version::V2), None);
        for controller in Controller::ALL {
            let name = controller.name(Version::V1).unwrap();
            assert_eq!(Controller::from_name(name, Version::V1), Some(controller));
        }
    }

    #[test]
    fn sets_behave_like_sets() {
        let set = Controllers::parse("cpu,cpuacct nonsense memory\n", Version::V1);
        assert_eq!(set.to_string(), "cpu cpuacct memory");
        assert_eq!(set.without(Controller::Cpu).iter().count(), 2);
        assert_eq!(set.minus(Controller::Memory.into()).and(set).to_string(), "cpu cpuacct");
        assert_eq!(Controllers::ALL.iter().count(), Controller::ALL.len());
        assert!(Controllers::EMPTY.is_empty() && Controllers::parse("", Version::V2).is_empty());
    }
}
