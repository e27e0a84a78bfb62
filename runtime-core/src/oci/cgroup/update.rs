//! Other limits for a container that runs.

use cofferdam_cgroups::{Outcome, Resources, Setting};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};

use super::{ContainerCgroup, resources};
use crate::LimitPolicy;
use crate::oci::Result;

impl ContainerCgroup {
    /// Changes the limits of a container: those that are given, and no others. What comes back are the limits that it has
    /// then, to be kept, and what of them was written.
    ///
    /// As in other runtimes an amount of 0 is one that is not given. A list, of devices say, replaces the earlier one. The
    /// change holds as a whole, or everything is as it was.
    ///
    /// # Errors
    /// [`Error::Resource`](crate::oci::Error::Resource) for a value that cannot be, or that the kernel refuses, with the property;
    /// [`Error::Container`](crate::oci::Error::Container) if there is no cgroup.
    ///
    /// # Privileges
    /// As for [`create`](Self::create).
    pub fn update(
        &self,
        current: &LinuxResources,
        change: &LinuxResources,
    ) -> Result<(LinuxResources, Outcome)> {
        self.update_announced(current, change, |_| Ok(()))
    }

    /// The same; `announce` is told the limits before anything is changed, and nothing is if that fails.
    pub(crate) fn update_announced(
        &self,
        current: &LinuxResources,
        change: &LinuxResources,
        announce: impl FnOnce(&LinuxResources) -> Result<()>,
    ) -> Result<(LinuxResources, Outcome)> {
        let merged = merge(current, change);
        let all = resources::plan(&merged, LimitPolicy::Required)?;
        let given = Sections::of(change, current);
        let check = merged.memory().is_some_and(|memory| memory.check_before_update() == Some(true));
        let plan = all
            .entries()
            .filter(|(setting, _)| given.have(setting))
            .fold(Resources::new(), |plan, (setting, require)| plan.with(setting.clone(), require))
            .check_before_update(check);
        let cgroup = self.required()?;
        announce(&merged)?;
        let outcome = cgroup.apply(&plan).map_err(|error| resources::located(&merged, error))?;
        Ok((merged, outcome))
    }
}

/// The parts of the resources that a change is about. Within one the values depend on each other, such as swap on memory.
struct Sections<'a> {
    change: &'a LinuxResources,
    devices: bool,
}

impl<'a> Sections<'a> {
    fn of(change: &'a LinuxResources, current: &LinuxResources) -> Self {
        // Engines send all that a container was made with. Rules that are the same already are not set again, as on v1
        // that cannot be done at once.
        let devices = change.devices().is_some() && change.devices() != current.devices();
        Self { change, devices }
    }

    fn have(&self, setting: &Setting) -> bool {
        let change = self.change;
        let processors =
            |cpu: &LinuxCpu| cpu.cpus().as_ref().or(cpu.mems().as_ref()).is_some_and(|text| !text.is_empty());
        match setting {
            Setting::Cpu(_) => change.cpu().is_some(),
            Setting::CpuSet(_) => change.cpu().as_ref().is_some_and(processors),
            Setting::Memory(_) => change.memory().is_some(),
            Setting::Io(_) => change.block_io().is_some(),
            Setting::Pids(_) => change.pids().is_some(),
            Setting::HugeTlb(_) => change.hugepage_limits().is_some(),
            Setting::NetCls(_) | Setting::NetPrio(_) => change.network().is_some(),
            Setting::Rdma(_) => change.rdma().is_some(),
            Setting::Unified(file) => {
                change.unified().as_ref().is_some_and(|files| files.contains_key(&file.file))
            }
            Setting::Devices(_) => self.devices,
            _ => false,
        }
    }
}

/// What holds after a change.
fn merge(current: &LinuxResources, change: &LinuxResources) -> LinuxResources {
    let mut merged = current.clone();
    macro_rules! replace {
        ($($get:ident $set:ident),*) => {$(
            if change.$get().is_some() {
                merged.$set(change.$get().clone());
            }
        )*};
    }
    replace!(devices set_devices, hugepage_limits set_hugepage_limits, network set_network);
    if change.pids().is_some() {
        merged.set_pids(*change.pids());
    }
    if let Some(memory) = change.memory() {
        merged.set_memory(Some(merge_memory(current.memory().unwrap_or_default(), memory)));
    }
    if let Some(cpu) = change.cpu() {
        merged.set_cpu(Some(merge_cpu(current.cpu().clone().unwrap_or_default(), cpu)));
    }
    if let Some(io) = change.block_io() {
        merged.set_block_io(Some(merge_io(current.block_io().clone().unwrap_or_default(), io)));
    }
    for (device, limits) in change.rdma().iter().flatten() {
        let mut all = merged.rdma().clone().unwrap_or_default();
        all.insert(device.clone(), *limits);
        merged.set_rdma(Some(all));
    }
    for (file, value) in change.unified().iter().flatten() {
        let mut all = merged.unified().clone().unwrap_or_default();
        all.insert(file.clone(), value.clone());
        merged.set_unified(Some(all));
    }
    merged
}

/// Takes over what is given and not 0.
macro_rules! overlay {
    ($into:ident, $change:ident; $($get:ident $set:ident),*) => {$(
        if let Some(value) = $change.$get().filter(|value| *value != 0) {
            $into.$set(Some(value));
        }
    )*};
}

/// Takes over what is given.
macro_rules! overlay_any {
    ($into:ident, $change:ident; $($get:ident $set:ident),*) => {$(
        if $change.$get().is_some() {
            $into.$set($change.$get().clone());
        }
    )*};
}

fn merge_memory(mut memory: LinuxMemory, change: &LinuxMemory) -> LinuxMemory {
    // Who lifts the limit of memory means that of memory and swap together, too, unless it says otherwise.
    if change.limit() == Some(-1) && change.swap().is_none_or(|swap| swap == 0) {
        memory.set_swap(Some(-1));
    }
    overlay!(memory, change; limit set_limit, reservation set_reservation, swap set_swap, kernel set_kernel,
        kernel_tcp set_kernel_tcp);
    overlay_any!(memory, change; swappiness set_swappiness, disable_oom_killer set_disable_oom_killer,
        use_hierarchy set_use_hierarchy, check_before_update set_check_before_update);
    memory
}

fn merge_cpu(mut cpu: LinuxCpu, change: &LinuxCpu) -> LinuxCpu {
    overlay!(cpu, change; shares set_shares, quota set_quota, period set_period,
        realtime_runtime set_realtime_runtime, realtime_period set_realtime_period);
    overlay_any!(cpu, change; burst set_burst, idle set_idle);
    if change.cpus().as_ref().is_some_and(|text| !text.is_empty()) {
        cpu.set_cpus(change.cpus().clone());
    }
    if change.mems().as_ref().is_some_and(|text| !text.is_empty()) {
        cpu.set_mems(change.mems().clone());
    }
    cpu
}

fn merge_io(mut io: LinuxBlockIo, change: &LinuxBlockIo) -> LinuxBlockIo {
    overlay!(io, change; weight set_weight, leaf_weight set_leaf_weight);
    overlay_any!(io, change; weight_device set_weight_device,
        throttle_read_bps_device set_throttle_read_bps_device,
        throttle_write_bps_device set_throttle_write_bps_device,
        throttle_read_iops_device set_throttle_read_iops_device,
        throttle_write_iops_device set_throttle_write_iops_device);
    io
}
