//! From the statistics of a cgroup to those that are printed.

use std::time::Duration;

use cofferdam_cgroups::{
    Bytes, Cgroup, Controller, CpuStatistics, HugeTlbStatistics, Limit, MemoryEvents, PressureStatistics,
    Statistics,
};

use super::stats::{
    CpuSets, CpuUsage, EventCount, HugePages, MemoryEntry, MemoryUsage, Pids, Processors, Stall, Stalls,
    Stats, Throttling,
};
use super::{Events, blocks, v1};
use crate::oci::{Container, Error, Result};

impl Container {
    /// What the container uses, in the form that engines know.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it has no cgroup; [`Error::Container`].
    pub fn usage(&self) -> Result<Stats> {
        let mut stats = Stats::read(&cgroup_of(self)?)?;
        if let Some(group) = self.group()? {
            stats.intel_rdt = group.statistics()?;
        }
        Ok(stats)
    }

    /// What the container uses, each time that the interval is over, and that it has no memory left, until it ends.
    ///
    /// # Errors
    /// As [`usage`](Self::usage).
    ///
    /// # Privileges
    /// On v1 write access to `cgroup.event_control`.
    pub fn events(&self, interval: Duration) -> Result<Events> {
        let process = self.pidfd().map(|process| process.try_clone_to_owned()).transpose();
        let process = process.map_err(|error| {
            let errno = crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO));
            Error::from(crate::Error::Call { call: "fcntl(F_DUPFD_CLOEXEC)", errno })
        })?;
        Ok(Events::new(cgroup_of(self)?, process, interval)?.with_group(self.group()?))
    }
}

fn cgroup_of(container: &Container) -> Result<Cgroup> {
    let none = || Error::Unsupported { what: "statistics of a container without a cgroup".to_owned() };
    container.cgroup()?.into_cgroup().ok_or_else(none)
}

impl Stats {
    /// What a container uses now. A value that the kernel does not give is 0, as in other runtimes.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container), if the cgroup is gone, say.
    pub fn read(cgroup: &Cgroup) -> Result<Self> {
        let read = cgroup.statistics()?;
        let mut stats = Self {
            cpu: processors(cgroup, &read)?,
            cpuset: cpusets(cgroup, &read)?,
            memory: memory(cgroup, &read)?,
            blkio: blocks::read(cgroup, &read)?,
            ..Self::default()
        };
        if let Some(pids) = &read.pids {
            let limit = match pids.limit {
                Some(Limit::Value(limit)) => limit,
                _ => 0,
            };
            stats.pids = Pids { current: pids.current.unwrap_or(0), limit };
        }
        stats.hugetlb = read.hugetlb.iter().flatten().map(huge_pages).collect();
        Ok(stats)
    }
}

/// Nanoseconds.
fn nanos(time: Option<Duration>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn bytes(bytes: Option<Bytes>) -> u64 {
    bytes.map_or(0, |bytes| bytes.0)
}

fn processors(cgroup: &Cgroup, read: &Statistics) -> Result<Processors> {
    let cpu = read.cpu.unwrap_or_default();
    let CpuStatistics { periods, throttled_periods, throttled, .. } = cpu;
    let mut usage = CpuUsage {
        total: nanos(cpu.usage),
        kernel: nanos(cpu.system),
        user: nanos(cpu.user),
        ..CpuUsage::default()
    };
    v1::per_processor(cgroup, &mut usage)?;
    let throttling = Throttling {
        periods: periods.unwrap_or(0),
        throttled_periods: throttled_periods.unwrap_or(0),
        throttled_time: nanos(throttled),
    };
    Ok(Processors { usage, throttling, psi: stalls(read.pressure.and_then(|all| all.cpu)) })
}

fn cpusets(cgroup: &Cgroup, read: &Statistics) -> Result<CpuSets> {
    let mut sets = CpuSets::default();
    if let Some(cpuset) = &read.cpuset {
        let list = |ranges: &[std::ops::RangeInclusive<u32>]| -> Vec<u16> {
            ranges.iter().cloned().flatten().filter_map(|number| u16::try_from(number).ok()).collect()
        };
        (sets.cpus, sets.mems) = (list(&cpuset.cpus), list(&cpuset.mems));
    }
    v1::flags(cgroup, &mut sets)?;
    Ok(sets)
}

fn memory(cgroup: &Cgroup, read: &Statistics) -> Result<MemoryUsage> {
    let Some(memory) = &read.memory else { return Ok(MemoryUsage::default()) };
    let mut usage =
        MemoryUsage { psi: stalls(read.pressure.and_then(|all| all.memory)), ..MemoryUsage::default() };
    let text = cgroup.control_file(Controller::Memory, "memory.stat")?.unwrap_or_default();
    let line = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    usage.raw = text.lines().filter_map(line).collect();
    let of = |name: &str| usage.raw.get(name).copied();
    usage.cache = of("cache").or_else(|| of("file")).unwrap_or(0);
    if v1::is_v1(cgroup, Controller::Memory) {
        v1::memory(cgroup, &mut usage)?;
        return Ok(usage);
    }
    let limit = |file| -> Result<u64> {
        let text = cgroup.control_file(Controller::Memory, file)?.unwrap_or_default();
        Ok(match text.trim() {
            "max" => u64::MAX,
            text => text.parse().unwrap_or(0),
        })
    };
    usage.usage = MemoryEntry {
        limit: limit("memory.max")?,
        usage: bytes(memory.usage),
        max: bytes(memory.peak),
        failcnt: 0,
    };
    // As v1 has it: both together. One that has no limit makes that the sum has none.
    let swap = memory.swap.unwrap_or_default();
    usage.swap = MemoryEntry {
        limit: limit("memory.swap.max")?.saturating_add(usage.usage.limit),
        usage: bytes(swap.usage).saturating_add(usage.usage.usage),
        max: bytes(swap.peak),
        failcnt: 0,
    };
    usage.event_count = event_count(memory.events.unwrap_or_default());
    Ok(usage)
}

fn event_count(events: MemoryEvents) -> EventCount {
    EventCount {
        low: events.low.unwrap_or(0),
        high: events.high.unwrap_or(0),
        max: events.max.unwrap_or(0),
        oom: events.oom.unwrap_or(0),
        oom_kill: events.oom_kill.unwrap_or(0),
    }
}

fn huge_pages(pages: &HugeTlbStatistics) -> (String, HugePages) {
    let size = pages.page_size.0;
    let name = match size {
        size if size >= 1 << 30 => format!("{}GB", size >> 30),
        size if size >= 1 << 20 => format!("{}MB", size >> 20),
        size => format!("{}KB", size >> 10),
    };
    let usage = bytes(pages.reserved.or(pages.usage));
    (name, HugePages { usage, max: bytes(pages.peak), failcnt: pages.refused.unwrap_or(0) })
}

pub(super) fn stalls(pressure: Option<PressureStatistics>) -> Option<Stalls> {
    let pressure = pressure?;
    let stall = |stall: Option<cofferdam_cgroups::Stall>| {
        let stall = stall.unwrap_or_default();
        Stall {
            avg10: stall.avg10.percent(),
            avg60: stall.avg60.percent(),
            avg300: stall.avg300.percent(),
            total: u64::try_from(stall.total.as_micros()).unwrap_or(u64::MAX),
        }
    };
    Some(Stalls { some: stall(pressure.some), full: stall(pressure.full) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_huge_pages_are_named_as_the_kernel_names_them() {
        // All fields but the size are none.
        let text = |kib: u64| {
            let json = serde_json::to_value(HugePages::default()).unwrap();
            assert_eq!(json, serde_json::json!({"failcnt": 0}));
            let size = Bytes(kib << 10);
            match size.0 {
                s if s >= 1 << 30 => format!("{}GB", s >> 30),
                s if s >= 1 << 20 => format!("{}MB", s >> 20),
                s => format!("{}KB", s >> 10),
            }
        };
        assert_eq!([64, 2048, 1 << 20].map(text), ["64KB", "2MB", "1GB"]);
    }

    #[test]
    fn pressure_is_in_percent_and_microseconds() {
        assert_eq!(stalls(None), None);
        let stalls = stalls(Some(PressureStatistics::default())).unwrap();
        let json = serde_json::to_value(stalls).unwrap();
        let none = serde_json::json!({"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0});
        assert_eq!(json, serde_json::json!({"some": none, "full": none}));
    }
}
