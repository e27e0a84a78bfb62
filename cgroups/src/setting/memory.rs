//! Memory and swap.

use super::{out_of_range, unsupported};
use crate::convert::sum_from_swap;
use crate::resources::{Operation, Operations, Resources, Write, or_minus_one};
use crate::{Bytes, Limit, Result, Setting, Version};

/// A setting of the memory controller.
///
/// See cgroup-v2 "Memory" and cgroup-v1/memory of the kernel's documentation. Amounts are rounded down to whole pages by
/// the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// The limit at which processes are killed when nothing can be reclaimed: `memory.max`, on v1
    /// `memory.limit_in_bytes`.
    Max(Limit<Bytes>),
    /// v2 only: the limit above which processes are slowed down: `memory.high`.
    High(Limit<Bytes>),
    /// What is reclaimed only if there is nothing else: `memory.low`; on v1 the closest thing,
    /// `memory.soft_limit_in_bytes`.
    Low(Limit<Bytes>),
    /// v2 only: what is never reclaimed: `memory.min`.
    Min(Limit<Bytes>),
    /// How much swap may be used, beside memory: `memory.swap.max`. On v1, which limits both together in
    /// `memory.memsw.limit_in_bytes`, it is added to the limit of memory.
    Swap(Limit<Bytes>),
    /// v2 only: whether all processes are killed together: `memory.oom.group`. Linux 4.19.
    OomGroup(bool),
    /// v1 only: whether processes are killed at the limit, or else wait: `memory.oom_control`.
    OomKill(bool),
    /// v1 only: how readily memory is swapped out, 0 to 100: `memory.swappiness`.
    Swappiness(u8),
    /// v1 only, and without effect since Linux 6.1, where the file is still there: memory of the kernel itself,
    /// `memory.kmem.limit_in_bytes`.
    Kernel(Limit<Bytes>),
    /// v1 only: buffers of TCP connections, `memory.kmem.tcp.limit_in_bytes`.
    KernelTcp(Limit<Bytes>),
    /// v1 only: whether children count: `memory.use_hierarchy`. Since Linux 5.11 they always do, and only `true` is taken.
    UseHierarchy(bool),
}

impl Memory {
    /// At most so much memory; what there is of swap is not limited by it.
    pub fn max(bytes: impl Into<Bytes>) -> Self {
        Self::Max(Limit::Value(bytes.into()))
    }

    fn file(&self) -> &'static str {
        match self {
            Self::Max(_) => "memory.max",
            Self::High(_) => "memory.high",
            Self::Low(_) => "memory.low",
            Self::Min(_) => "memory.min",
            Self::Swap(_) => "memory.swap.max",
            Self::OomGroup(_) => "memory.oom.group",
            Self::OomKill(_) => "memory.oom_control",
            Self::Swappiness(_) => "memory.swappiness",
            Self::Kernel(_) => "memory.kmem.limit_in_bytes",
            Self::KernelTcp(_) => "memory.kmem.tcp.limit_in_bytes",
            Self::UseHierarchy(_) => "memory.use_hierarchy",
        }
    }

    pub(super) fn subject(&self) -> String {
        self.file().to_owned()
    }

    pub(super) fn value_text(&self) -> String {
        match self {
            Self::Max(limit)
            | Self::High(limit)
            | Self::Low(limit)
            | Self::Min(limit)
            | Self::Swap(limit)
            | Self::Kernel(limit)
            | Self::KernelTcp(limit) => limit.to_string(),
            Self::OomGroup(on) | Self::UseHierarchy(on) => u8::from(*on).to_string(),
            // The file says whether killing is disabled.
            Self::OomKill(on) => u8::from(!*on).to_string(),
            Self::Swappiness(percent) => percent.to_string(),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        match self {
            Self::Swappiness(percent) if *percent > 100 => out_of_range(self.file(), percent, "0 to 100"),
            _ => Ok(()),
        }
    }

    pub(super) fn lower(&self, version: Version, all: &Resources) -> Result<Operations> {
        match version {
            Version::V1 => self.lower_v1(all),
            Version::V2 => self.lower_v2(),
        }
    }

    fn lower_v1(&self, all: &Resources) -> Result<Operations> {
        let version = Version::V1;
        let write = match self {
            Self::Max(limit) => Write::value("memory.limit_in_bytes", or_minus_one(*limit)),
            Self::Low(limit) => Write::value("memory.soft_limit_in_bytes", or_minus_one(*limit)),
            Self::Swap(swap) => return Ok(vec![lower_swap_v1(*swap, all)]),
            Self::Kernel(limit) | Self::KernelTcp(limit) => Write::value(self.file(), or_minus_one(*limit)),
            Self::OomKill(_) | Self::Swappiness(_) | Self::UseHierarchy(_) => {
                Write::value(self.file(), self.value_text())
            }
            Self::High(_) => return unsupported(version, "memory.high"),
            Self::Min(_) => return unsupported(version, "memory.min"),
            Self::OomGroup(_) => return unsupported(version, "memory.oom.group"),
        };
        Ok(vec![write.into()])
    }

    fn lower_v2(&self) -> Result<Operations> {
        let version = Version::V2;
        match self {
            Self::OomKill(_) => unsupported(version, "switch for the out of memory killer"),
            Self::Swappiness(_) => unsupported(version, "swappiness of a cgroup"),
            Self::Kernel(_) => unsupported(version, "limit of kernel memory alone"),
            Self::KernelTcp(_) => unsupported(version, "limit of TCP buffers alone"),
            // There it has never been different.
            Self::UseHierarchy(true) => Ok(Vec::new()),
            Self::UseHierarchy(false) => unsupported(version, "accounting without children"),
            _ => Ok(vec![Write::value(self.file(), self.value_text()).into()]),
        }
    }
}

/// The limit of both together, if that of memory is set as well; else it depends on what the file says.
fn lower_swap_v1(swap: Limit<Bytes>, all: &Resources) -> Operation {
    let memory = all.settings().find_map(|setting| match setting {
        Setting::Memory(Memory::Max(limit)) => Some(*limit),
        _ => None,
    });
    match (memory, swap) {
        (None, Limit::Value(_)) => Operation::SwapBeyondMemory(swap),
        (memory, swap) => {
            let sum = sum_from_swap(swap, memory.unwrap_or(Limit::Max));
            Write::value("memory.memsw.limit_in_bytes", or_minus_one(sum)).into()
        }
    }
}
