//! Statistics as other runtimes print them. Engines parse this: names and types are those of `types.Stats` of runc 1.3, and
//! what is 0 there is left out where runc leaves it out.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::oci::rdt::RdtStats;

/// What a container uses: `data` of an event of the type `stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Processor time.
    pub cpu: Processors,
    /// Processors and memory nodes.
    pub cpuset: CpuSets,
    /// Memory and swap.
    pub memory: MemoryUsage,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices.
    pub blkio: BlockDevices,
    /// Huge pages by their size, such as `2MB`.
    pub hugetlb: BTreeMap<String, HugePages>,
    /// Resource Director Technology.
    pub intel_rdt: RdtStats,
    /// Interfaces that the runtime itself has made: none, ever, as networks are the engine's.
    pub network_interfaces: Option<Vec<NetworkInterface>>,
}

/// Processor time; all times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Processors {
    /// How much.
    pub usage: CpuUsage,
    /// How much it was held back.
    pub throttling: Throttling,
    /// Time lost by waiting; v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Stalls>,
}

/// Processor time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CpuUsage {
    /// All of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u64,
    /// By processor; v1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// In the kernel, by processor; v1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    /// In programs, by processor; v1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In programs.
    pub user: u64,
}

/// How much a container was held back by its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Throttling {
    /// Periods that have passed.
    #[serde(skip_serializing_if = "is_zero")]
    pub periods: u64,
    /// Periods in which the quota was used up.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_periods: u64,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_time: u64,
}

/// Processors and memory nodes that may be used, and the flags of v1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the file of v1 of its name, see cpuset(7)")]
pub struct CpuSets {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

/// Memory and swap in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Cached data of files.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache: u64,
    /// Memory.
    pub usage: MemoryEntry,
    /// Memory and swap together.
    pub swap: MemoryEntry,
    /// Memory of the kernel; v1.
    pub kernel: MemoryEntry,
    /// Buffers of TCP; v1.
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// The lines of `memory.stat`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    /// Time lost by waiting; v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Stalls>,
    /// What happened at the limits; v2.
    pub event_count: EventCount,
}

/// One kind of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryEntry {
    /// How much may be used; the largest number for no limit, on v1 the largest in whole pages.
    pub limit: u64,
    /// How much is used.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// How much was used at most.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was reached.
    pub failcnt: u64,
}

/// The file `memory.events` of v2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventCount {
    /// Protected memory was reclaimed.
    #[serde(skip_serializing_if = "is_zero")]
    pub low: u64,
    /// `memory.high` was exceeded.
    #[serde(skip_serializing_if = "is_zero")]
    pub high: u64,
    /// The limit was about to be exceeded.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// The limit was reached, and nothing could be reclaimed.
    #[serde(skip_serializing_if = "is_zero")]
    pub oom: u64,
    /// Processes were killed.
    #[serde(skip_serializing_if = "is_zero")]
    pub oom_kill: u64,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    /// How many there may be; 0 for no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// Block devices, in lists of the kernel's lines. Most of them only old kernels have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the file of v1 of its name; on v2 the first two are of io.stat")]
pub struct BlockDevices {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_queue_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlockEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlockEntry>,
    /// Time lost by waiting; v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Stalls>,
}

/// A number about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockEntry {
    /// Of the device.
    #[serde(skip_serializing_if = "is_zero")]
    pub major: u64,
    /// Of the device.
    #[serde(skip_serializing_if = "is_zero")]
    pub minor: u64,
    /// `Read`, `Write` and others.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The number.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: u64,
}

/// Huge pages of one size, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HugePages {
    /// How much is used, or reserved where the kernel counts that.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// How much was used at most; v1.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was reached.
    pub failcnt: u64,
}

/// Time lost by waiting for one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stalls {
    /// While at least one task waited.
    pub some: Stall,
    /// While all of them did.
    pub full: Stall,
}

/// One line of a pressure file: averages in percent, and microseconds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stall {
    /// Over ten seconds.
    pub avg10: f64,
    /// Over a minute.
    pub avg60: f64,
    /// Over five minutes.
    pub avg300: f64,
    /// In all.
    pub total: u64,
}

/// An interface of a network that the runtime has made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the words of the kernel's statistics of a link")]
pub struct NetworkInterface {
    pub name: String,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}
