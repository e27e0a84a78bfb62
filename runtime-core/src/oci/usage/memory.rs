//! Memory, in the form that engines know.

use std::collections::BTreeMap;

use cofferdam_cgroups::{
    Bytes, KernelMemory, Limit, Memory, MemoryStat, MemoryStatistics, PressureStatistics, Setting,
};
use serde::Serialize;

use super::{Psi, psi};

/// Memory and swap, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Cached data of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<u64>,
    /// Memory.
    pub usage: MemoryEntry,
    /// Memory and swap together.
    pub swap: MemoryEntry,
    /// The kernel's memory.
    pub kernel: MemoryEntry,
    /// Buffers of TCP.
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// The lines of `memory.stat`, by the names of cgroup v2.
    pub raw: BTreeMap<&'static str, u64>,
    /// Time lost by waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// Memory of one kind, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryEntry {
    /// How much there may be; the largest number without a limit.
    pub limit: u64,
    /// How much is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// How much was used at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// How often the limit was reached.
    pub failcnt: u64,
}

impl Default for MemoryEntry {
    fn default() -> Self {
        Self { limit: u64::MAX, usage: None, max: None, failcnt: 0 }
    }
}

/// The limits of memory, of swap alone, and of buffers of TCP.
#[derive(Clone, Copy, Debug)]
struct Limits {
    memory: Limit<Bytes>,
    swap: Limit<Bytes>,
    tcp: Limit<Bytes>,
}

impl Limits {
    fn of(settings: &[Setting]) -> Self {
        let mut limits = Self { memory: Limit::Max, swap: Limit::Max, tcp: Limit::Max };
        for setting in settings {
            match setting {
                Setting::Memory(Memory::Max(limit)) => limits.memory = *limit,
                Setting::Memory(Memory::Swap(limit)) => limits.swap = *limit,
                Setting::Memory(Memory::KernelTcp(limit)) => limits.tcp = *limit,
                _ => {}
            }
        }
        limits
    }

    /// Memory and swap.
    fn sum(self) -> u64 {
        match (self.memory, self.swap) {
            (Limit::Value(memory), Limit::Value(swap)) => memory.0.saturating_add(swap.0),
            _ => u64::MAX,
        }
    }
}

fn number(limit: Limit<Bytes>) -> u64 {
    match limit {
        Limit::Value(bytes) => bytes.0,
        Limit::Max => u64::MAX,
    }
}

impl MemoryUsage {
    pub(super) fn new(
        statistics: Option<&MemoryStatistics>,
        settings: &[Setting],
        pressure: Option<PressureStatistics>,
    ) -> Self {
        let Some(memory) = statistics else { return Self::default() };
        let limits = Limits::of(settings);
        let (usage, peak) = (memory.usage.map(|bytes| bytes.0), memory.peak.map(|bytes| bytes.0));
        let failcnt = memory.events.and_then(|events| events.max).unwrap_or(0);
        Self {
            cache: memory.stat.file.map(|bytes| bytes.0),
            usage: MemoryEntry { limit: number(limits.memory), usage, max: peak, failcnt },
            swap: swap(memory, limits.sum()),
            kernel: memory.kernel.map(|kernel| kernel_entry(kernel, u64::MAX)).unwrap_or_default(),
            kernel_tcp: memory.tcp.map(|tcp| kernel_entry(tcp, number(limits.tcp))).unwrap_or_default(),
            raw: raw(&memory.stat),
            psi: pressure.map(psi),
        }
    }
}

fn kernel_entry(kernel: KernelMemory, limit: u64) -> MemoryEntry {
    let (usage, max) = (kernel.usage.map(|bytes| bytes.0), kernel.peak.map(|bytes| bytes.0));
    MemoryEntry { limit, usage, max, failcnt: kernel.failures.unwrap_or(0) }
}

/// Both together, as v1 counts them; v2 counts swap alone.
fn swap(memory: &MemoryStatistics, limit: u64) -> MemoryEntry {
    let Some(swap) = memory.swap else { return MemoryEntry { limit, ..MemoryEntry::default() } };
    let sum = memory.usage.zip(swap.usage).map(|(memory, swap)| Bytes(memory.0.saturating_add(swap.0)));
    MemoryEntry {
        limit,
        usage: swap.memsw_usage.or(sum).map(|bytes| bytes.0),
        max: swap.memsw_peak.map(|bytes| bytes.0),
        failcnt: swap.memsw_failures.or(swap.max).unwrap_or(0),
    }
}

/// A function that lists fields with their names.
macro_rules! fields {
    ($function:ident: $type:ty; $($field:ident),* $(,)?) => {
        fn $function(stat: &MemoryStat) -> impl Iterator<Item = (&'static str, $type)> {
            [$((stringify!($field), stat.$field)),*].into_iter().filter_map(|(name, value)| Some((name, value?)))
        }
    };
}

fields! {
    amounts: Bytes;
    anon, file, kernel, kernel_stack, pagetables, sec_pagetables, percpu, sock, vmalloc, shmem, zswap,
    zswapped, hugetlb, file_mapped, file_dirty, file_writeback, swap, swapcached, anon_thp, file_thp,
    shmem_thp, inactive_anon, active_anon, inactive_file, active_file, unevictable, slab_reclaimable,
    slab_unreclaimable, slab,
}

fields! {
    counts: u64;
    workingset_refault_anon, workingset_refault_file, workingset_activate_anon, workingset_activate_file,
    workingset_restore_anon, workingset_restore_file, workingset_nodereclaim, pswpin, pswpout, pgscan,
    pgsteal, pgscan_kswapd, pgscan_direct, pgsteal_kswapd, pgsteal_direct, pgfault, pgmajfault, pgpgin,
    pgpgout, pgrefill, pgactivate, pgdeactivate, pglazyfree, pglazyfreed, zswpin, zswpout, zswpwb,
    thp_fault_alloc, thp_collapse_alloc,
}

fn raw(stat: &MemoryStat) -> BTreeMap<&'static str, u64> {
    amounts(stat).map(|(name, bytes)| (name, bytes.0)).chain(counts(stat)).collect()
}
