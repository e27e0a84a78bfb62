//! What a container uses, in the form that engines know.

mod memory;

use std::collections::BTreeMap;
use std::time::Duration;

use cofferdam_cgroups::{
    Cgroup, Controller, CpuStatistics, IoStatistics, Limit, PidsStatistics, PressureStatistics, Setting,
    Stall, Statistics,
};
use serde::Serialize;

pub use memory::{MemoryEntry, MemoryUsage};

use super::{Container, Result};

/// What a container uses. As JSON it has the fields of `data` in `runc events`; those of which nothing is known are left
/// out, except where engines rely on them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Time on the processors.
    pub cpu: CpuUsage,
    /// The processors and memory nodes that may be used.
    pub cpuset: CpuSetUsage,
    /// Memory and swap.
    pub memory: MemoryUsage,
    /// Processes and threads.
    pub pids: PidsUsage,
    /// Block devices.
    pub blkio: BlockUsage,
    /// Huge pages by size, as `2MB`.
    pub hugetlb: BTreeMap<String, HugePageUsage>,
    /// Nothing yet; an object, as engines expect it.
    pub intel_rdt: BTreeMap<String, u64>,
    /// Not counted by cgroups.
    pub network_interfaces: Option<Vec<u64>>,
}

/// Time on the processors, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CpuUsage {
    /// How much.
    pub usage: CpuTime,
    /// How often a limit took effect.
    pub throttling: Throttling,
    /// Time lost by waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// Time on the processors, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CpuTime {
    /// All of it.
    pub total: u64,
    /// In the kernel.
    pub kernel: u64,
    /// In programs.
    pub user: u64,
}

/// How often a limit of time took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Throttling {
    /// Periods that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<u64>,
    /// Periods in which the limit was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_periods: Option<u64>,
    /// How long processes were held up, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_time: Option<u64>,
}

/// Time lost by waiting, as `/proc/pressure` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Psi {
    /// When some processes waited.
    pub some: PsiData,
    /// When all of them did.
    pub full: PsiData,
}

/// Percents of time, and a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PsiData {
    /// Of the last 10 seconds.
    pub avg10: f64,
    /// Of the last minute.
    pub avg60: f64,
    /// Of the last 5 minutes.
    pub avg300: f64,
    /// In all, in microseconds.
    pub total: u64,
}

/// What may be used in fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CpuSetUsage {
    /// Processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u32>,
    /// Memory nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u32>,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PidsUsage {
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// How many there may be; none without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BlockUsage {
    /// Bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlockEntry>,
    /// Operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlockEntry>,
    /// Time lost by waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Psi>,
}

/// A number about a block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockEntry {
    /// The number of its driver.
    pub major: u64,
    /// Its own number.
    pub minor: u64,
    /// `Read`, `Write` or `Discard`.
    pub op: &'static str,
    /// How much, or how often.
    pub value: u64,
}

/// Huge pages of one size, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HugePageUsage {
    /// How much is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// How much was used at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// How often the limit refused one.
    pub failcnt: u64,
}

impl Container {
    /// What the container uses, in the form that engines know.
    ///
    /// # Errors
    /// As [`statistics`](Self::statistics).
    pub fn usage(&self) -> Result<Usage> {
        let statistics = self.statistics()?;
        let settings = self.cgroup()?.cgroup().map(memory_settings).unwrap_or_default();
        Ok(Usage::new(&statistics, &settings))
    }
}

/// The limits of memory, where there is such a controller.
fn memory_settings(cgroup: &Cgroup) -> Vec<Setting> {
    // Statistics are of use without limits.
    cgroup.settings(Controller::Memory).unwrap_or_default()
}

impl Usage {
    fn new(statistics: &Statistics, settings: &[Setting]) -> Self {
        let pressure = statistics.pressure;
        let sets = statistics.cpuset.as_ref();
        Self {
            cpu: cpu(statistics.cpu.as_ref(), pressure.and_then(|all| all.cpu)),
            cpuset: sets.map_or_else(CpuSetUsage::default, |sets| CpuSetUsage {
                cpus: sets.cpus.iter().cloned().flatten().collect(),
                mems: sets.mems.iter().cloned().flatten().collect(),
            }),
            memory: MemoryUsage::new(
                statistics.memory.as_ref(),
                settings,
                pressure.and_then(|all| all.memory),
            ),
            pids: statistics.pids.as_ref().map(pids).unwrap_or_default(),
            blkio: blocks(statistics.io.as_deref().unwrap_or_default(), pressure.and_then(|all| all.io)),
            hugetlb: statistics.hugetlb.iter().flatten().map(huge_pages).collect(),
            intel_rdt: BTreeMap::new(),
            network_interfaces: None,
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn cpu(statistics: Option<&CpuStatistics>, pressure: Option<PressureStatistics>) -> CpuUsage {
    let Some(cpu) = statistics else { return CpuUsage::default() };
    let time = |time: Option<Duration>| time.map_or(0, nanoseconds);
    let usage = CpuTime { total: time(cpu.usage), kernel: time(cpu.system), user: time(cpu.user) };
    let throttling = Throttling {
        periods: cpu.periods,
        throttled_periods: cpu.throttled_periods,
        throttled_time: cpu.throttled.map(nanoseconds),
    };
    CpuUsage { usage, throttling, psi: pressure.map(psi) }
}

fn psi(pressure: PressureStatistics) -> Psi {
    let data = |stall: Stall| PsiData {
        avg10: stall.avg10.percent(),
        avg60: stall.avg60.percent(),
        avg300: stall.avg300.percent(),
        total: u64::try_from(stall.total.as_micros()).unwrap_or(u64::MAX),
    };
    let or_nothing = |stall: Option<Stall>| stall.map(data).unwrap_or_default();
    Psi { some: or_nothing(pressure.some), full: or_nothing(pressure.full) }
}

fn pids(pids: &PidsStatistics) -> PidsUsage {
    let limit = match pids.limit {
        Some(Limit::Value(limit)) => Some(limit),
        _ => None,
    };
    PidsUsage { current: pids.current, limit }
}

fn blocks(devices: &[IoStatistics], pressure: Option<PressureStatistics>) -> BlockUsage {
    let entry = |io: &IoStatistics, op, value| BlockEntry {
        major: io.device.major.into(),
        minor: io.device.minor.into(),
        op,
        value,
    };
    let mut usage = BlockUsage { psi: pressure.map(psi), ..BlockUsage::default() };
    for io in devices {
        let bytes = [("Read", Some(io.read)), ("Write", Some(io.written)), ("Discard", io.discarded)];
        let bytes = bytes.into_iter().filter_map(|(op, value)| Some(entry(io, op, value?.0)));
        usage.io_service_bytes_recursive.extend(bytes);
        let times = [("Read", Some(io.reads)), ("Write", Some(io.writes)), ("Discard", io.discards)];
        usage
            .io_serviced_recursive
            .extend(times.into_iter().filter_map(|(op, value)| Some(entry(io, op, value?))));
    }
    usage
}

/// With the name of the size that control files have: the largest unit that has no rest.
fn huge_pages(pages: &cofferdam_cgroups::HugeTlbStatistics) -> (String, HugePageUsage) {
    let size = pages.page_size.0;
    let units = [(30, "GB"), (20, "MB"), (10, "KB")];
    let unit = units.into_iter().find(|(shift, _)| size != 0 && size.is_multiple_of(1 << shift));
    let name = unit.map_or_else(|| format!("{size}B"), |(shift, unit)| format!("{}{unit}", size >> shift));
    let usage = HugePageUsage {
        usage: pages.usage.map(|bytes| bytes.0),
        max: pages.peak.map(|bytes| bytes.0),
        failcnt: pages.refused.unwrap_or(0),
    };
    (name, usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_cgroups::{Bytes, Memory};

    #[test]
    fn what_is_not_known_is_left_out_but_for_what_engines_rely_on() {
        let text = serde_json::to_value(Usage::new(&Statistics::default(), &[])).unwrap();
        let expected = serde_json::json!({
            "cpu": {"usage": {"total": 0, "kernel": 0, "user": 0}, "throttling": {}},
            "cpuset": {},
            "memory": {
                "usage": {"limit": u64::MAX, "failcnt": 0},
                "swap": {"limit": u64::MAX, "failcnt": 0},
                "kernel": {"limit": u64::MAX, "failcnt": 0},
                "kernelTCP": {"limit": u64::MAX, "failcnt": 0},
                "raw": {},
            },
            "pids": {},
            "blkio": {},
            "hugetlb": {},
            "intel_rdt": {},
            "network_interfaces": null,
        });
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_of_the_kernel_stand_where_engines_look() {
        let mut statistics = Statistics::default();
        let mut cpu = CpuStatistics::default();
        cpu.usage = Some(Duration::from_micros(7));
        cpu.throttled_periods = Some(2);
        statistics.cpu = Some(cpu);
        let mut memory = cofferdam_cgroups::MemoryStatistics::default();
        memory.usage = Some(Bytes::mib(3));
        memory.stat.file = Some(Bytes(4096));
        memory.stat.inactive_file = Some(Bytes(1));
        statistics.memory = Some(memory);
        let limit = Setting::Memory(Memory::Max(Limit::Value(Bytes::mib(64))));
        let text = serde_json::to_value(Usage::new(&statistics, &[limit])).unwrap();
        assert_eq!(text["cpu"]["usage"]["total"], 7000);
        assert_eq!(text["cpu"]["throttling"], serde_json::json!({"throttledPeriods": 2}));
        assert_eq!(
            text["memory"]["usage"],
            serde_json::json!({"limit": 64 << 20, "usage": 3 << 20, "failcnt": 0})
        );
        assert_eq!(text["memory"]["cache"], 4096);
        assert_eq!(text["memory"]["raw"], serde_json::json!({"inactive_file": 1, "file": 4096}));
    }
}
