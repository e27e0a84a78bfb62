//! The resources of the crate cgroups-rs.

use super::{bytes, device, limit, list, micros, quota, rule, with_huge_pages, with_memory};
use crate::devices::{Access, DeviceKind, DeviceRules};
use crate::{
    ControlFile, Controller, Cpu, CpuSet, Error, Io, Limit, Memory, NetCls, NetPrio, Rate, Require,
    Resources, Result, Setting,
};
use cgroups_rs::fs as theirs;
use std::collections::HashMap;
use std::time::Duration;

impl Resources {
    /// A plan from the resources of cgroups-rs.
    ///
    /// All of it is taken over, `attrs` as files by their names. 0 and less than 0 have the meaning that they have in the
    /// OCI runtime-spec: nothing is said, and no limit. (cgroups-rs itself writes a 0 as it is.) Without rules nothing is said
    /// about devices.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for what cannot be expressed, such as a negative number of a device.
    pub fn from_cgroups_rs(resources: &theirs::Resources, require: Require) -> Result<Self> {
        let plan = memory_settings(Self::new(), &resources.memory, require)?;
        let mut plan = cpu_settings(plan, &resources.cpu, require)?;
        if let Some(pids) = resources.pid.maximum_number_of_processes {
            let limit = match pids {
                theirs::MaxValue::Max => Limit::Max,
                theirs::MaxValue::Value(value) => u64::try_from(value).map_or(Limit::Max, Limit::Value),
            };
            plan = plan.with(Setting::Pids(limit), require);
        }
        plan = io_settings(plan, &resources.blkio, require)?;
        for pages in &resources.hugepages.limits {
            plan = with_huge_pages(plan, require, &pages.size, Limit::Value(pages.limit))?;
        }
        plan = network_settings(plan, &resources.network, require)?;
        plan = device_settings(plan, &resources.devices, require)?;
        plan.validate()?;
        Ok(plan)
    }
}

/// All of it must be had.
impl TryFrom<&theirs::Resources> for Resources {
    type Error = Error;

    fn try_from(resources: &theirs::Resources) -> Result<Self> {
        Self::from_cgroups_rs(resources, Require::Must)
    }
}

/// Files by their names, in an order that does not change from run to run.
fn with_attributes(
    mut plan: Resources,
    controller: Controller,
    attributes: &HashMap<String, String>,
    require: Require,
) -> Resources {
    let mut attributes: Vec<_> = attributes.iter().collect();
    attributes.sort();
    for (file, value) in attributes {
        plan = plan.with(ControlFile::new(controller, file, value), require);
    }
    plan
}

fn memory_settings(plan: Resources, memory: &theirs::MemoryResources, require: Require) -> Result<Resources> {
    let max = memory.memory_hard_limit.and_then(bytes);
    let mut plan = with_memory(plan, require, max, memory.memory_swap_limit.and_then(bytes))?;
    if let Some(low) = memory.memory_soft_limit.and_then(bytes) {
        plan = plan.with(Memory::Low(low), require);
    }
    if let Some(kernel) = memory.kernel_memory_limit.and_then(bytes) {
        plan = plan.if_available(Memory::Kernel(kernel));
    }
    if let Some(tcp) = memory.kernel_tcp_memory_limit.and_then(bytes) {
        plan = plan.with(Memory::KernelTcp(tcp), require);
    }
    if let Some(percent) = memory.swappiness {
        plan = plan.with(Memory::Swappiness(u8::try_from(percent).unwrap_or(u8::MAX)), require);
    }
    Ok(with_attributes(plan, Controller::Memory, &memory.attrs, require))
}

fn cpu_settings(mut plan: Resources, cpu: &theirs::CpuResources, require: Require) -> Result<Resources> {
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        plan = plan.with(Cpu::Shares(shares.max(2)), require);
    }
    let (quota, period) = (cpu.quota.and_then(quota), cpu.period.and_then(micros));
    if quota.is_some() || period.is_some() {
        plan = plan.with(Cpu::Max { quota, period }, require);
    }
    if let Some(runtime) = cpu.realtime_runtime.and_then(|us| u64::try_from(us).ok()) {
        plan = plan.with(Cpu::RealtimeRuntime(Duration::from_micros(runtime)), require);
    }
    if let Some(period) = cpu.realtime_period.and_then(micros) {
        plan = plan.with(Cpu::RealtimePeriod(period), require);
    }
    if let Some(cpus) = list("cpus", cpu.cpus.as_deref().unwrap_or_default())? {
        plan = plan.with(CpuSet::Cpus(cpus), require);
    }
    if let Some(mems) = list("mems", cpu.mems.as_deref().unwrap_or_default())? {
        plan = plan.with(CpuSet::Mems(mems), require);
    }
    Ok(with_attributes(plan, Controller::Cpu, &cpu.attrs, require))
}

fn io_settings(mut plan: Resources, io: &theirs::BlkIoResources, require: Require) -> Result<Resources> {
    let number = |major: u64, minor: u64| {
        device(i64::try_from(major).unwrap_or(-1), i64::try_from(minor).unwrap_or(-1))
    };
    if let Some(weight) = io.weight.filter(|weight| *weight != 0) {
        plan = plan.with(Io::BlkioWeight(weight), require);
    }
    if let Some(weight) = io.leaf_weight.filter(|weight| *weight != 0) {
        plan = plan.with(Io::LeafWeight(weight), require);
    }
    for entry in &io.weight_device {
        let device = number(entry.major, entry.minor)?;
        if let Some(weight) = entry.weight.filter(|weight| *weight != 0) {
            plan = plan.with(Io::DeviceBlkioWeight(device, weight), require);
        }
        if let Some(weight) = entry.leaf_weight.filter(|weight| *weight != 0) {
            plan = plan.with(Io::DeviceLeafWeight(device, weight), require);
        }
    }
    let rates = [
        (Rate::ReadBytes, &io.throttle_read_bps_device),
        (Rate::WriteBytes, &io.throttle_write_bps_device),
        (Rate::Reads, &io.throttle_read_iops_device),
        (Rate::Writes, &io.throttle_write_iops_device),
    ];
    for (rate, entries) in rates {
        for entry in entries {
            let limit = limit(i64::try_from(entry.rate).unwrap_or(-1)).unwrap_or(Limit::Max);
            plan = plan.with(Io::Max(number(entry.major, entry.minor)?, rate, limit), require);
        }
    }
    Ok(with_attributes(plan, Controller::Io, &io.attrs, require))
}

fn network_settings(
    mut plan: Resources,
    network: &theirs::NetworkResources,
    require: Require,
) -> Result<Resources> {
    let narrow = |what, number: u64| {
        let refuse = |_| Error::Value { what, value: number.to_string(), expected: "at most 32 bits" };
        u32::try_from(number).map_err(refuse)
    };
    if let Some(class) = network.class_id {
        plan = plan.with(NetCls(narrow("net_cls.classid", class)?), require);
    }
    for entry in &network.priorities {
        let priority = narrow("the priority of net_prio.ifpriomap", entry.priority)?;
        plan = plan.with(NetPrio { interface: entry.name.clone(), priority }, require);
    }
    Ok(plan)
}

fn device_settings(
    plan: Resources,
    devices: &theirs::DeviceResources,
    require: Require,
) -> Result<Resources> {
    use theirs::devices::{DevicePermissions, DeviceType};
    if devices.devices.is_empty() {
        return Ok(plan);
    }
    let mut rules = DeviceRules::allow_all();
    for entry in &devices.devices {
        let kind = match entry.devtype {
            DeviceType::All => DeviceKind::All,
            DeviceType::Char => DeviceKind::Char,
            DeviceType::Block => DeviceKind::Block,
        };
        let access = entry.access.iter().fold(Access::EMPTY, |access, one| {
            access.or(match one {
                DevicePermissions::Read => Access::READ,
                DevicePermissions::Write => Access::WRITE,
                DevicePermissions::MkNod => Access::MKNOD,
            })
        });
        rules = rules.with(rule(entry.allow, kind, (Some(entry.major), Some(entry.minor)), access)?);
    }
    Ok(plan.with(rules, require))
}
