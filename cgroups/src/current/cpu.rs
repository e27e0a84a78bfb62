//! Processor time and processors.

use super::Files;
use crate::{Cpu, CpuSet, Limit, Partition, Result, Setting, Version};
use std::time::Duration;

pub(super) fn read_cpu(files: &Files<'_>) -> Result<Vec<Setting>> {
    let mut found = match files.version() {
        Version::V1 => read_cpu_v1(files)?,
        Version::V2 => read_cpu_v2(files)?,
    };
    found.extend(files.flag("cpu.idle")?.map(Cpu::Idle));
    Ok(found.into_iter().map(Setting::Cpu).collect())
}

fn read_cpu_v1(files: &Files<'_>) -> Result<Vec<Cpu>> {
    let mut found = Vec::new();
    // An idle cgroup shows fewer shares than can be set.
    let shares = files.value("cpu.shares", "a number")?;
    found.extend(shares.filter(|shares| *shares >= 2).map(Cpu::Shares));
    let quota: Option<i64> = files.value("cpu.cfs_quota_us", "microseconds or -1")?;
    let quota = quota.map(|quota| u64::try_from(quota).map_or(Limit::Max, |us| Limit::Value(micros(us))));
    let period = files.value("cpu.cfs_period_us", "microseconds")?.map(micros);
    if quota.is_some() || period.is_some() {
        found.push(Cpu::Max { quota, period });
    }
    found.extend(files.value("cpu.cfs_burst_us", "microseconds")?.map(micros).map(Cpu::Burst));
    // -1, no limit, cannot be told apart from a setting by anyone but the root; it is left out.
    let runtime: Option<i64> = files.value("cpu.rt_runtime_us", "microseconds or -1")?;
    found.extend(runtime.and_then(|us| u64::try_from(us).ok()).map(micros).map(Cpu::RealtimeRuntime));
    found.extend(files.value("cpu.rt_period_us", "microseconds")?.map(micros).map(Cpu::RealtimePeriod));
    Ok(found)
}

fn read_cpu_v2(files: &Files<'_>) -> Result<Vec<Cpu>> {
    let mut found = Vec::new();
    let weight = files.value("cpu.weight", "a number")?;
    found.extend(weight.filter(|weight| *weight > 0).map(Cpu::Weight));
    if let Some(text) = files.text("cpu.max")? {
        const EXPECTED: &str = "a quota or max, and a period, in microseconds";
        let mut words = text.split_whitespace();
        let (Some(quota), Some(period)) = (words.next(), words.next()) else {
            return Err(files.fault("cpu.max", text.trim(), EXPECTED));
        };
        let quota: Limit<u64> = files.parse("cpu.max", quota, EXPECTED)?;
        let period: u64 = files.parse("cpu.max", period, EXPECTED)?;
        found.push(Cpu::Max { quota: Some(quota.map(micros)), period: Some(micros(period)) });
    }
    found.extend(files.value("cpu.max.burst", "microseconds")?.map(micros).map(Cpu::Burst));
    Ok(found)
}

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

pub(super) fn read_cpuset(files: &Files<'_>) -> Result<Vec<Setting>> {
    const LIST: &str = "a list such as 0-3,7";
    let mut found = Vec::new();
    found.extend(files.value("cpuset.cpus", LIST)?.map(CpuSet::Cpus));
    found.extend(files.value("cpuset.mems", LIST)?.map(CpuSet::Mems));
    match files.version() {
        Version::V1 => {
            found.extend(files.flag("cpuset.cpu_exclusive")?.map(CpuSet::CpuExclusive));
            found.extend(files.flag("cpuset.mem_exclusive")?.map(CpuSet::MemExclusive));
            found.extend(files.flag("cpuset.memory_migrate")?.map(CpuSet::MemoryMigrate));
        }
        Version::V2 => {
            if let Some(text) = files.text("cpuset.cpus.partition")? {
                // What is set, be it valid or not: `root invalid (reason)`.
                let partition = match text.split_whitespace().next() {
                    Some("member") => Partition::Member,
                    Some("root") => Partition::Root,
                    Some("isolated") => Partition::Isolated,
                    _ => {
                        let expected = "member, root or isolated";
                        return Err(files.fault("cpuset.cpus.partition", text.trim(), expected));
                    }
                };
                found.push(CpuSet::Partition(partition));
            }
        }
    }
    Ok(found.into_iter().map(Setting::CpuSet).collect())
}
