//! The resources of the OCI runtime-spec.

use super::{bytes, device, limit, list, micros, quota, rule, with_huge_pages, with_memory};
use crate::devices::{Access, DeviceKind, DeviceRules};
use crate::{
    Cpu, CpuSet, Error, Io, Limit, Memory, NetCls, NetPrio, Rate, Rdma, Require, Resources, Result, Setting,
    Unified,
};
use oci_spec::runtime as oci;
use std::time::Duration;

impl Resources {
    /// A plan from `linux.resources` of a runtime-spec configuration.
    ///
    /// All of it is taken over. As in other runtimes 0 says nothing for amounts of memory and time and for shares and
    /// weights, and less than 0 means no limit. A limit of 0 processes becomes 1, as no process could be put into the cgroup.
    /// What asks for nothing that would make a difference (no limit of swap where swap is not accounted, an OOM
    /// killer that is not disabled) does not have to be available; all else is required as said. In an idle cgroup shares
    /// have no meaning, and the kernel refuses them, so they are left out.
    ///
    /// Each rule for devices comes after those before, and what none is about is denied; without any rule the plan says
    /// nothing about devices.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for what cannot be expressed: a list of processors that is none, a negative number of a device, a
    /// sum of memory and swap that is less than memory, or that is limited where memory is not. Where v2 has nothing like a
    /// setting (swappiness, an OOM killer that is disabled), applying the plan says so.
    pub fn from_oci(resources: &oci::LinuxResources, require: Require) -> Result<Self> {
        let mut plan = Self::new();
        if let Some(memory) = resources.memory() {
            plan = memory_settings(plan, memory, require)?;
        }
        if let Some(cpu) = resources.cpu() {
            plan = cpu_settings(plan, cpu, require)?;
        }
        if let Some(pids) = resources.pids() {
            plan = plan.with(Setting::Pids(limit(pids.limit()).unwrap_or(Limit::Value(1))), require);
        }
        if let Some(io) = resources.block_io() {
            plan = io_settings(plan, io, require)?;
        }
        for pages in resources.hugepage_limits().iter().flatten() {
            let limit = limit(pages.limit()).unwrap_or(Limit::Value(0));
            plan = with_huge_pages(plan, require, pages.page_size(), limit)?;
        }
        if let Some(network) = resources.network() {
            plan = network_settings(plan, network, require);
        }
        for (device, limits) in sorted(resources.rdma().iter().flatten()) {
            let hca_handle = limits.hca_handles().map(Limit::Value);
            let hca_object = limits.hca_objects().map(Limit::Value);
            plan = plan.with(Rdma { device: device.clone(), hca_handle, hca_object }, require);
        }
        plan = device_settings(plan, resources, require)?;
        // Last, as it can say the same in other words, and is the more exact one then.
        for (file, value) in sorted(resources.unified().iter().flatten()) {
            plan = plan.with(Unified::new(file, value), require);
        }
        plan.validate()?;
        Ok(plan)
    }
}

/// All of it must be had.
impl TryFrom<&oci::LinuxResources> for Resources {
    type Error = Error;

    fn try_from(resources: &oci::LinuxResources) -> Result<Self> {
        Self::from_oci(resources, Require::Must)
    }
}

/// In an order that does not change from run to run.
fn sorted<'a, T>(entries: impl Iterator<Item = (&'a String, &'a T)>) -> Vec<(&'a String, &'a T)> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(name, _)| *name);
    entries
}

fn memory_settings(plan: Resources, memory: &oci::LinuxMemory, require: Require) -> Result<Resources> {
    let max = memory.limit().and_then(bytes);
    let mut plan = with_memory(plan, require, max, memory.swap().and_then(bytes))?;
    if let Some(low) = memory.reservation().and_then(bytes) {
        plan = plan.with(Memory::Low(low), require);
    }
    // Not recommended by the specification; the first has had no effect for years, on v1 either.
    if let Some(kernel) = memory.kernel().and_then(bytes) {
        plan = plan.if_available(Memory::Kernel(kernel));
    }
    if let Some(tcp) = memory.kernel_tcp().and_then(bytes) {
        plan = plan.with(Memory::KernelTcp(tcp), unless(tcp == Limit::Max, require));
    }
    if let Some(percent) = memory.swappiness() {
        let percent = u8::try_from(percent).unwrap_or(u8::MAX);
        plan = plan.with(Memory::Swappiness(percent), require);
    }
    if let Some(disable) = memory.disable_oom_killer() {
        plan = plan.with(Memory::OomKill(!disable), unless(!disable, require));
    }
    if let Some(hierarchy) = memory.use_hierarchy() {
        plan = plan.with(Memory::UseHierarchy(hierarchy), unless(hierarchy, require));
    }
    Ok(plan.check_before_update(memory.check_before_update().unwrap_or(false)))
}

/// Nothing is lost where the default is asked for.
fn unless(is_default: bool, require: Require) -> Require {
    if is_default { Require::IfAvailable } else { require }
}

fn cpu_settings(mut plan: Resources, cpu: &oci::LinuxCpu, require: Require) -> Result<Resources> {
    let idle = cpu.idle().map(|idle| idle != 0);
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0 && idle != Some(true)) {
        plan = plan.with(Cpu::Shares(shares.max(2)), require);
    }
    let max = (cpu.quota().and_then(quota), cpu.period().and_then(micros));
    if let (quota, period) = max
        && (quota.is_some() || period.is_some())
    {
        plan = plan.with(Cpu::Max { quota, period }, require);
    }
    if let Some(burst) = cpu.burst() {
        plan = plan.with(Cpu::Burst(Duration::from_micros(burst)), require);
    }
    if let Some(idle) = idle {
        plan = plan.with(Cpu::Idle(idle), require);
    }
    if let Some(runtime) = cpu.realtime_runtime().and_then(|us| u64::try_from(us).ok()).and_then(micros) {
        plan = plan.with(Cpu::RealtimeRuntime(runtime), require);
    }
    if let Some(period) = cpu.realtime_period().and_then(micros) {
        plan = plan.with(Cpu::RealtimePeriod(period), require);
    }
    if let Some(cpus) = list("cpus", cpu.cpus().as_deref().unwrap_or_default())? {
        plan = plan.with(CpuSet::Cpus(cpus), require);
    }
    if let Some(mems) = list("mems", cpu.mems().as_deref().unwrap_or_default())? {
        plan = plan.with(CpuSet::Mems(mems), require);
    }
    Ok(plan)
}

fn io_settings(mut plan: Resources, io: &oci::LinuxBlockIo, require: Require) -> Result<Resources> {
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        plan = plan.with(Io::BlkioWeight(weight), require);
    }
    if let Some(weight) = io.leaf_weight().filter(|weight| *weight != 0) {
        plan = plan.with(Io::LeafWeight(weight), require);
    }
    for entry in io.weight_device().iter().flatten() {
        let device = device(entry.major(), entry.minor())?;
        if let Some(weight) = entry.weight().filter(|weight| *weight != 0) {
            plan = plan.with(Io::DeviceBlkioWeight(device, weight), require);
        }
        if let Some(weight) = entry.leaf_weight().filter(|weight| *weight != 0) {
            plan = plan.with(Io::DeviceLeafWeight(device, weight), require);
        }
    }
    let rates = [
        (Rate::ReadBytes, io.throttle_read_bps_device()),
        (Rate::WriteBytes, io.throttle_write_bps_device()),
        (Rate::Reads, io.throttle_read_iops_device()),
        (Rate::Writes, io.throttle_write_iops_device()),
    ];
    for (rate, entries) in rates {
        for entry in entries.iter().flatten() {
            // On v1 a rate of 0 takes the limit away.
            let limit = if entry.rate() == 0 { Limit::Max } else { Limit::Value(entry.rate()) };
            plan = plan.with(Io::Max(device(entry.major(), entry.minor())?, rate, limit), require);
        }
    }
    Ok(plan)
}

fn network_settings(mut plan: Resources, network: &oci::LinuxNetwork, require: Require) -> Resources {
    if let Some(class) = network.class_id() {
        plan = plan.with(NetCls(class), require);
    }
    for entry in network.priorities().iter().flatten() {
        let interface = entry.name().clone();
        plan = plan.with(NetPrio { interface, priority: entry.priority() }, require);
    }
    plan
}

fn device_settings(plan: Resources, resources: &oci::LinuxResources, require: Require) -> Result<Resources> {
    let Some(entries) = resources.devices().as_ref().filter(|entries| !entries.is_empty()) else {
        return Ok(plan);
    };
    let mut rules = DeviceRules::deny_all();
    for entry in entries {
        let kind = match entry.typ().unwrap_or_default() {
            oci::LinuxDeviceType::A => DeviceKind::All,
            oci::LinuxDeviceType::B => DeviceKind::Block,
            oci::LinuxDeviceType::C | oci::LinuxDeviceType::U => DeviceKind::Char,
            // Pipes are no devices; no rule can be about them.
            oci::LinuxDeviceType::P => {
                return Err(Error::Value {
                    what: "the type of a rule for devices",
                    value: "p".to_owned(),
                    expected: "a, b or c",
                });
            }
        };
        let access = match entry.access().as_deref() {
            None | Some("") => Access::ALL,
            Some(text) => text.parse().map_err(|_| Error::Value {
                what: "the access of a rule for devices",
                value: text.to_owned(),
                expected: "some of r, w and m",
            })?,
        };
        rules = rules.with(rule(entry.allow(), kind, (entry.major(), entry.minor()), access)?);
    }
    Ok(plan.with(rules, require))
}
