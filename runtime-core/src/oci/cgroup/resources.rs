//! From `linux.resources` to a plan, and from a failure back to the property that caused it.

use std::path::Path;

use cofferdam_cgroups::{
    Access, Controller, DeviceKind, DeviceRule, DeviceRules, Error as CgroupError, Require, Resources,
    Setting,
};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};

use crate::LimitPolicy;
use crate::oci::{Error, Result};

const RESOURCES: &str = "linux.resources";

/// What to apply to the cgroup of a container. All of it must be had, but for what makes no difference, and for the default
/// rules for devices of an ordinary user.
pub(super) fn plan(wanted: &LinuxResources, policy: LimitPolicy) -> Result<Resources> {
    let plan = checked(wanted)?;
    let mut rules = DeviceRules::deny_all().with(DeviceRule::deny(DeviceKind::All));
    for setting in plan.settings() {
        if let Setting::Devices(given) = setting {
            rules = given.rules().iter().fold(rules, |rules, rule| rules.with(*rule));
        }
    }
    let rules = default_devices().into_iter().fold(rules, DeviceRules::with);
    let optional = policy == LimitPolicy::IfAvailable && is_default(wanted);
    Ok(plan.with(rules, if optional { Require::IfAvailable } else { Require::Must }))
}

/// What every container may do: make nodes of all devices, and use the harmless ones.
fn default_devices() -> Vec<DeviceRule> {
    const NULL: (u32, u32) = (1, 3);
    const ZERO: (u32, u32) = (1, 5);
    const FULL: (u32, u32) = (1, 7);
    const RANDOM: (u32, u32) = (1, 8);
    const URANDOM: (u32, u32) = (1, 9);
    const TTY: (u32, u32) = (5, 0);
    const PTMX: (u32, u32) = (5, 2);
    const PSEUDO_TERMINALS: u32 = 136;
    let used = [NULL, ZERO, FULL, RANDOM, URANDOM, TTY, PTMX];
    let mut rules = vec![
        DeviceRule::allow(DeviceKind::Char).access(Access::MKNOD),
        DeviceRule::allow(DeviceKind::Block).access(Access::MKNOD),
    ];
    rules.extend(used.map(|(major, minor)| DeviceRule::allow(DeviceKind::Char).device(major, minor)));
    rules.push(DeviceRule::allow(DeviceKind::Char).major(PSEUDO_TERMINALS));
    rules
}

/// Whether a configuration says nothing about devices beyond what holds anyhow.
fn is_default(wanted: &LinuxResources) -> bool {
    let denies_all = |entry: &LinuxDeviceCgroup| {
        let every = |number: Option<i64>| number.is_none_or(|number| number < 0);
        let kind = entry.typ().unwrap_or_default();
        !entry.allow() && kind == LinuxDeviceType::A && every(entry.major()) && every(entry.minor())
    };
    wanted.devices().iter().flatten().all(denies_all)
}

/// The plan without what every container gets. A fault names the part of the resources that has it.
pub(super) fn checked(wanted: &LinuxResources) -> Result<Resources> {
    Resources::from_oci(wanted, Require::Must).map_err(|fault| {
        let alone = sections(wanted).into_iter().find_map(|(name, section)| {
            let fault = Resources::from_oci(&section, Require::Must).err()?;
            Some(Error::Resource { path: format!("{RESOURCES}.{name}"), source: Box::new(fault) })
        });
        alone.unwrap_or(Error::Resource { path: RESOURCES.to_owned(), source: Box::new(fault) })
    })
}

/// The same resources, section by section.
fn sections(wanted: &LinuxResources) -> Vec<(&'static str, LinuxResources)> {
    macro_rules! only {
        ($name:literal, $get:ident, $set:ident) => {{
            let mut section = LinuxResources::default();
            section.$set(wanted.$get().clone());
            ($name, section)
        }};
    }
    let mut pids = LinuxResources::default();
    pids.set_pids(*wanted.pids());
    vec![
        only!("devices", devices, set_devices),
        only!("memory", memory, set_memory),
        only!("cpu", cpu, set_cpu),
        ("pids", pids),
        only!("blockIO", block_io, set_block_io),
        only!("hugepageLimits", hugepage_limits, set_hugepage_limits),
        only!("network", network, set_network),
        only!("rdma", rdma, set_rdma),
        only!("unified", unified, set_unified),
    ]
}

/// A failure to apply, with the property that it is about.
pub(super) fn located(wanted: &LinuxResources, error: CgroupError) -> Error {
    let path =
        property(wanted, &error).map_or_else(|| RESOURCES.to_owned(), |name| format!("{RESOURCES}.{name}"));
    Error::Resource { path, source: Box::new(error) }
}

/// The same where the setting is known.
pub(super) fn located_at(wanted: &LinuxResources, setting: &Setting, error: CgroupError) -> Error {
    let subject = setting.subject();
    let name = of_file(wanted, subject.split(' ').next().unwrap_or(&subject));
    let path = name.map_or_else(|| RESOURCES.to_owned(), |name| format!("{RESOURCES}.{name}"));
    Error::Resource { path, source: Box::new(error) }
}

fn property(wanted: &LinuxResources, error: &CgroupError) -> Option<String> {
    let name = |path: &Path| of_file(wanted, path.file_name()?.to_str()?);
    match error {
        CgroupError::Write { path, .. }
        | CgroupError::ShortWrite { path, .. }
        | CgroupError::Open { path, .. }
        | CgroupError::Read { path, .. }
        | CgroupError::Parse { path, .. }
        | CgroupError::NotTaken { path, .. } => name(path),
        CgroupError::NoController { controller, .. } => Some(of_controller(*controller).to_owned()),
        CgroupError::Enable { controllers, .. } => Some(of_controller(controllers.iter().next()?).to_owned()),
        CgroupError::Value { what, .. } => of_file(wanted, what),
        CgroupError::InUse { .. } => Some("memory.limit".to_owned()),
        CgroupError::DeviceRules(_) | CgroupError::DeviceProgram { .. } => Some("devices".to_owned()),
        CgroupError::Unsupported { what, .. } => Some(of_unsupported(what)?.to_owned()),
        CgroupError::NotRestored { cause, .. } => property(wanted, cause),
        _ => None,
    }
}

/// The property behind a control file, of either version.
fn of_file(wanted: &LinuxResources, file: &str) -> Option<String> {
    if wanted.unified().as_ref().is_some_and(|files| files.contains_key(file)) {
        return Some(format!("unified[{file:?}]"));
    }
    let exact = match file {
        "memory.max" | "memory.limit_in_bytes" => "memory.limit",
        "memory.swap.max" | "memory.memsw.limit_in_bytes" => "memory.swap",
        "memory.low" | "memory.soft_limit_in_bytes" => "memory.reservation",
        "memory.kmem.limit_in_bytes" => "memory.kernel",
        "memory.kmem.tcp.limit_in_bytes" => "memory.kernelTCP",
        "memory.swappiness" => "memory.swappiness",
        "memory.oom_control" => "memory.disableOOMKiller",
        "memory.use_hierarchy" => "memory.useHierarchy",
        "cpu.weight" | "cpu.shares" => "cpu.shares",
        "cpu.max" | "cpu.cfs_quota_us" => "cpu.quota",
        "cpu.cfs_period_us" => "cpu.period",
        "cpu.max.burst" | "cpu.cfs_burst_us" => "cpu.burst",
        "cpu.idle" => "cpu.idle",
        "cpu.rt_runtime_us" => "cpu.realtimeRuntime",
        "cpu.rt_period_us" => "cpu.realtimePeriod",
        "cpuset.cpus" => "cpu.cpus",
        "cpuset.mems" => "cpu.mems",
        "pids.max" => "pids.limit",
        "net_cls.classid" => "network.classID",
        "net_prio.ifpriomap" => "network.priorities",
        _ => match file.split('.').next()? {
            "memory" => "memory",
            "cpu" | "cpuset" => "cpu",
            "blkio" | "io" => "blockIO",
            "hugetlb" => "hugepageLimits",
            "rdma" => "rdma",
            "devices" => "devices",
            _ => return None,
        },
    };
    Some(exact.to_owned())
}

fn of_controller(controller: Controller) -> &'static str {
    match controller {
        Controller::Cpu | Controller::CpuAcct | Controller::CpuSet => "cpu",
        Controller::Memory => "memory",
        Controller::Io => "blockIO",
        Controller::Pids => "pids",
        Controller::Devices => "devices",
        Controller::HugeTlb => "hugepageLimits",
        Controller::NetCls => "network.classID",
        Controller::NetPrio => "network.priorities",
        Controller::Rdma => "rdma",
        _ => "unified",
    }
}

/// What a version does not have, by the words of the error.
fn of_unsupported(what: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 10] = [
        ("files named", "unified"),
        ("swappiness", "memory.swappiness"),
        ("out of memory killer", "memory.disableOOMKiller"),
        ("accounting without", "memory.useHierarchy"),
        ("TCP", "memory.kernelTCP"),
        ("kernel memory", "memory.kernel"),
        ("realtime", "cpu"),
        ("own processes", "blockIO"),
        ("classes", "network.classID"),
        ("priorities", "network.priorities"),
    ];
    WORDS.into_iter().find(|(word, _)| what.contains(word)).map(|(_, name)| name)
}
