//! What only v1 has.

use cofferdam_cgroups::{Cgroup, Controller, Version};

use super::stats::{CpuSets, CpuUsage, MemoryEntry, MemoryUsage};
use crate::oci::Result;

/// Whether v1 serves a controller of this cgroup.
pub(super) fn is_v1(cgroup: &Cgroup, controller: Controller) -> bool {
    cgroup.paths().any(|(hierarchy, _)| {
        hierarchy.version() == Version::V1 && hierarchy.controllers().contains(controller)
    })
}

/// A file of v1; empty if there is none.
pub(super) fn file(cgroup: &Cgroup, controller: Controller, name: &str) -> Result<String> {
    if !is_v1(cgroup, controller) {
        return Ok(String::new());
    }
    Ok(cgroup.control_file(controller, name)?.unwrap_or_default())
}

fn number(cgroup: &Cgroup, controller: Controller, name: &str) -> Result<u64> {
    Ok(file(cgroup, controller, name)?.trim().parse().unwrap_or(0))
}

/// `cpuacct.usage_all`: a line of headings, then one for each processor: its number, in programs, in the kernel.
pub(super) fn per_processor(cgroup: &Cgroup, usage: &mut CpuUsage) -> Result<()> {
    let text = file(cgroup, Controller::CpuAcct, "cpuacct.usage_percpu")?;
    usage.percpu = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let text = file(cgroup, Controller::CpuAcct, "cpuacct.usage_all")?;
    for line in text.lines().skip(1) {
        let mut numbers = line.split_ascii_whitespace().skip(1).filter_map(|word| word.parse().ok());
        if let (Some(user), Some(kernel)) = (numbers.next(), numbers.next()) {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(kernel);
        }
    }
    Ok(())
}

/// The flags of a cpuset.
pub(super) fn flags(cgroup: &Cgroup, sets: &mut CpuSets) -> Result<()> {
    let flag = |name: &str| number(cgroup, Controller::CpuSet, &format!("cpuset.{name}"));
    sets.cpu_exclusive = flag("cpu_exclusive")?;
    sets.mem_hardwall = flag("mem_hardwall")?;
    sets.mem_exclusive = flag("mem_exclusive")?;
    sets.memory_migrate = flag("memory_migrate")?;
    sets.memory_spread_page = flag("memory_spread_page")?;
    sets.memory_spread_slab = flag("memory_spread_slab")?;
    sets.memory_pressure = flag("memory_pressure")?;
    sets.sched_load_balance = flag("sched_load_balance")?;
    let level = file(cgroup, Controller::CpuSet, "cpuset.sched_relax_domain_level")?;
    sets.sched_relax_domain_level = level.trim().parse().unwrap_or(0);
    Ok(())
}

/// Each kind of memory has the same four files.
pub(super) fn memory(cgroup: &Cgroup, usage: &mut MemoryUsage) -> Result<()> {
    let entry = |kind: &str| -> Result<MemoryEntry> {
        let read = |what: &str| number(cgroup, Controller::Memory, &format!("memory.{kind}{what}"));
        Ok(MemoryEntry {
            limit: read("limit_in_bytes")?,
            usage: read("usage_in_bytes")?,
            max: read("max_usage_in_bytes")?,
            failcnt: read("failcnt")?,
        })
    };
    usage.usage = entry("")?;
    usage.swap = entry("memsw.")?;
    usage.kernel = entry("kmem.")?;
    usage.kernel_tcp = entry("kmem.tcp.")?;
    Ok(())
}
