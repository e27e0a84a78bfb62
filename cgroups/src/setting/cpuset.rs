//! Which processors and memory nodes may be used.

use super::{List, out_of_range, unsupported};
use crate::resources::{Operation, Operations, Resources, Write};
use crate::{Result, Version};
use std::fmt;

/// A setting of the cpuset controller.
///
/// See cgroup-v2 "Cpuset" of the kernel's documentation, and `cpuset(7)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuSet {
    /// The processors: `cpuset.cpus`. On v2 an empty list means those of the parent, on v1 it is refused once there are
    /// processes.
    Cpus(List),
    /// The memory nodes: `cpuset.mems`; the same holds.
    Mems(List),
    /// v2 only: whether the processors are taken from the parent for this cgroup alone: `cpuset.cpus.partition`.
    Partition(Partition),
    /// v1 only: whether siblings must have other processors, `cpuset.cpu_exclusive`.
    CpuExclusive(bool),
    /// v1 only: whether siblings must have other memory nodes, `cpuset.mem_exclusive`.
    MemExclusive(bool),
    /// v1 only: whether pages are moved when the nodes change, `cpuset.memory_migrate`. v2 always does so.
    MemoryMigrate(bool),
}

/// How a cgroup's processors relate to its parent's. Linux 5.0, isolated 5.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Partition {
    /// A part of the parent's.
    Member,
    /// Of its own, with a scheduling domain of its own.
    Root,
    /// Of its own, and without balancing of load between them.
    Isolated,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Member => "member",
            Self::Root => "root",
            Self::Isolated => "isolated",
        })
    }
}

impl CpuSet {
    fn file(&self) -> &'static str {
        match self {
            Self::Cpus(_) => "cpuset.cpus",
            Self::Mems(_) => "cpuset.mems",
            Self::Partition(_) => "cpuset.cpus.partition",
            Self::CpuExclusive(_) => "cpuset.cpu_exclusive",
            Self::MemExclusive(_) => "cpuset.mem_exclusive",
            Self::MemoryMigrate(_) => "cpuset.memory_migrate",
        }
    }

    pub(super) fn subject(&self) -> String {
        self.file().to_owned()
    }

    pub(super) fn value_text(&self) -> String {
        match self {
            Self::Cpus(list) | Self::Mems(list) => list.to_string(),
            Self::Partition(partition) => partition.to_string(),
            Self::CpuExclusive(on) | Self::MemExclusive(on) | Self::MemoryMigrate(on) => {
                u8::from(*on).to_string()
            }
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        // More than the kernel can be built for, and a list of them would only fill memory.
        const LAST: u32 = 1 << 16;
        match self {
            Self::Cpus(list) | Self::Mems(list) if list.last().is_some_and(|last| last > LAST) => {
                out_of_range(self.file(), list, "numbers of processors or memory nodes")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        // The kernel takes an empty line, not an empty write.
        let value = match self {
            Self::Cpus(list) | Self::Mems(list) if list.is_empty() => "\n".to_owned(),
            _ => self.value_text(),
        };
        let write = Write::value(self.file(), value);
        match (self, version) {
            (Self::Cpus(_) | Self::Mems(_), _) => Ok(vec![write.into()]),
            (Self::Partition(_), Version::V2) => Ok(vec![Operation::Validated(write)]),
            (Self::Partition(_), Version::V1) => unsupported(version, "partitions of processors"),
            (_, Version::V1) => Ok(vec![write.into()]),
            (Self::CpuExclusive(_) | Self::MemExclusive(_), Version::V2) => {
                unsupported(version, "exclusive flags of cpusets")
            }
            (Self::MemoryMigrate(_), Version::V2) => unsupported(version, "switch for moving pages"),
        }
    }
}
