//! Settings of all kinds, sensible and not, and what the documentation says of their ranges.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use cofferdam_cgroups::{
    Access, Bytes, ControlFile, Controller, Cpu, CpuSet, DeviceKind, DeviceNumber, DeviceRule, DeviceRules,
    HugeTlb, Io, Limit, List, Memory, Misc, NetCls, NetPrio, Partition, Rate, Rdma, Require, Resources,
    Setting, Unified,
};
use proptest::prelude::*;
use std::time::Duration;

/// Names of files, devices and the like that settings can be about.
#[derive(Clone, Debug)]
pub struct Names {
    pub files: Vec<String>,
    /// Whether others come up, too.
    pub others: bool,
}

/// The one device, resource and interface that there always is.
pub const DEVICE: DeviceNumber = DeviceNumber::new(8, 0);
pub const NAME: &str = "name0";

/// Numbers near the ends of ranges, and any others.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..12_u64, 98..102_u64, 990..1030_u64, 9_990..10_010_u64, 262_140..262_150_u64, any::<u64>()]
}

fn small() -> impl Strategy<Value = u16> {
    number().prop_map(|number| u16::try_from(number).unwrap_or(u16::MAX))
}

fn limit<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Limit<T>> {
    prop::option::of(value).prop_map(|value| value.map_or(Limit::Max, Limit::Value))
}

fn bytes() -> impl Strategy<Value = Limit<Bytes>> {
    limit(number().prop_map(Bytes))
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..3_000_u64).prop_map(Duration::from_micros),
        (0..3_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn list() -> impl Strategy<Value = List> {
    prop::collection::vec(prop_oneof![9 => 0..300_u32, 1 => 65_530..65_540_u32, 1 => any::<u32>()], 0..20)
        .prop_map(|numbers| numbers.into_iter().collect())
}

fn cpu() -> impl Strategy<Value = Cpu> {
    use prop::option::of;
    prop_oneof![
        number().prop_map(Cpu::Weight),
        number().prop_map(Cpu::Shares),
        (of(limit(duration())), of(duration())).prop_map(|(quota, period)| Cpu::Max { quota, period }),
        any::<f64>().prop_map(Cpu::cpus),
        duration().prop_map(Cpu::Burst),
        any::<bool>().prop_map(Cpu::Idle),
        duration().prop_map(Cpu::RealtimeRuntime),
        duration().prop_map(Cpu::RealtimePeriod),
    ]
}

fn cpuset() -> impl Strategy<Value = CpuSet> {
    prop_oneof![
        list().prop_map(CpuSet::Cpus),
        list().prop_map(CpuSet::Mems),
        prop::sample::select(vec![Partition::Member, Partition::Root, Partition::Isolated])
            .prop_map(CpuSet::Partition),
        any::<bool>().prop_map(CpuSet::CpuExclusive),
        any::<bool>().prop_map(CpuSet::MemExclusive),
        any::<bool>().prop_map(CpuSet::MemoryMigrate),
    ]
}

fn memory() -> impl Strategy<Value = Memory> {
    prop_oneof![
        bytes().prop_map(Memory::Max),
        bytes().prop_map(Memory::High),
        bytes().prop_map(Memory::Low),
        bytes().prop_map(Memory::Min),
        bytes().prop_map(Memory::Swap),
        any::<bool>().prop_map(Memory::OomGroup),
        any::<bool>().prop_map(Memory::OomKill),
        (0..=110_u8).prop_map(Memory::Swappiness),
        bytes().prop_map(Memory::Kernel),
        bytes().prop_map(Memory::KernelTcp),
        any::<bool>().prop_map(Memory::UseHierarchy),
    ]
}

fn io() -> impl Strategy<Value = Io> {
    let rate = prop::sample::select(Rate::ALL.to_vec());
    prop_oneof![
        small().prop_map(Io::Weight),
        small().prop_map(Io::BlkioWeight),
        small().prop_map(|weight| Io::DeviceWeight(DEVICE, weight)),
        small().prop_map(|weight| Io::DeviceBlkioWeight(DEVICE, weight)),
        small().prop_map(Io::LeafWeight),
        small().prop_map(|weight| Io::DeviceLeafWeight(DEVICE, weight)),
        (rate, limit(number())).prop_map(|(rate, limit)| Io::Max(DEVICE, rate, limit)),
    ]
}

fn huge_pages() -> impl Strategy<Value = HugeTlb> {
    let size = prop_oneof![(0..64_u32).prop_map(|shift| 1 << shift), number()].prop_map(Bytes);
    (size, bytes(), any::<bool>()).prop_map(|(size, limit, reserved)| match reserved {
        true => HugeTlb::ReservedMax(size, limit),
        false => HugeTlb::Max(size, limit),
    })
}

fn name(others: bool) -> BoxedStrategy<String> {
    match others {
        true => prop_oneof![Just(NAME.to_owned()), "[a-z0-9:/. \n]{0,18}", ".{0,4}"].boxed(),
        false => Just(NAME.to_owned()).boxed(),
    }
}

fn named(others: bool) -> impl Strategy<Value = Setting> {
    use prop::option::of;
    let handles = || of(limit(any::<u32>()));
    prop_oneof![
        any::<u32>().prop_map(|class| NetCls(class).into()),
        (name(others), any::<u32>()).prop_map(|(interface, priority)| NetPrio { interface, priority }.into()),
        (name(others), handles(), handles()).prop_map(|(device, hca_handle, hca_object)| Rdma {
            device,
            hca_handle,
            hca_object
        }
        .into()),
        (name(others), limit(any::<u64>())).prop_map(|(resource, max)| Misc { resource, max }.into()),
    ]
}

fn files(names: &Names) -> impl Strategy<Value = Setting> + use<> {
    let known = prop::sample::select(names.files.clone());
    let file = match names.others {
        true => prop_oneof![known, "[a-z]{0,6}\\.?[a-z.]{0,8}", ".{0,10}", Just("cgroup.procs".to_owned())]
            .boxed(),
        false => known.boxed(),
    };
    let value = || prop_oneof!["[a-z0-9 =:-]{0,30}", "([a-z0-9]{0,9}\n){0,3}", "\\PC{0,20}"];
    let controller = prop::sample::select(Controller::ALL.to_vec());
    (file, value(), prop::option::of(controller)).prop_map(|(file, value, controller)| match controller {
        Some(controller) => ControlFile::new(controller, file, value).into(),
        None => Unified::new(file, value).into(),
    })
}

fn rules() -> impl Strategy<Value = DeviceRules> {
    let kind = prop::sample::select(vec![DeviceKind::All, DeviceKind::Char, DeviceKind::Block]);
    let part = || prop::option::of(prop_oneof![0..8_u32, 4_090..4_100_u32, any::<u32>()]);
    let access =
        prop::collection::vec(prop::sample::select(vec![Access::READ, Access::WRITE, Access::MKNOD]), 0..3);
    let rule =
        (any::<bool>(), kind, part(), part(), access).prop_map(|(allow, kind, major, minor, access)| {
            let access = access.into_iter().fold(Access::EMPTY, Access::or);
            DeviceRule { allow, kind, major, minor, access }
        });
    prop::collection::vec(rule, 0..4).prop_map(DeviceRules::from)
}

/// Any setting at all. Boxed, as the values of so many would not fit on a stack.
pub fn setting(names: &Names) -> BoxedStrategy<Setting> {
    prop_oneof![
        3 => cpu().prop_map(Setting::from).boxed(),
        2 => cpuset().prop_map(Setting::from).boxed(),
        4 => memory().prop_map(Setting::from).boxed(),
        3 => io().prop_map(Setting::from).boxed(),
        1 => limit(number()).prop_map(Setting::Pids).boxed(),
        1 => huge_pages().prop_map(Setting::from).boxed(),
        2 => named(names.others).boxed(),
        2 => files(names).boxed(),
        1 => rules().prop_map(Setting::from).boxed(),
    ]
    .boxed()
}

/// A plan of some of them.
pub fn plan(setting: impl Strategy<Value = Setting>) -> impl Strategy<Value = Resources> {
    let require = prop::sample::select(vec![Require::Must, Require::IfAvailable, Require::IfAvailable]);
    let with = |plan: Resources, (setting, require)| plan.with(setting, require);
    prop::collection::vec((setting, require), 0..6)
        .prop_map(move |entries| entries.into_iter().fold(Resources::new(), with))
}

/// Whether a value is in the range that the documentation of its setting gives.
pub fn is_in_range(setting: &Setting) -> bool {
    let milliseconds = |time: &Duration, range: std::ops::RangeInclusive<u64>| {
        Duration::from_millis(*range.start()) <= *time && *time <= Duration::from_millis(*range.end())
    };
    match setting {
        Setting::Cpu(Cpu::Weight(weight)) => (1..=10_000).contains(weight),
        Setting::Cpu(Cpu::Shares(shares)) => *shares >= 2,
        Setting::Cpu(Cpu::Max { quota, period }) => {
            !matches!(quota, Some(Limit::Value(quota)) if !milliseconds(quota, 1..=u64::MAX))
                && period.is_none_or(|period| milliseconds(&period, 1..=1000))
        }
        Setting::CpuSet(CpuSet::Cpus(list) | CpuSet::Mems(list)) => {
            list.last().is_none_or(|last| last <= 65_536)
        }
        Setting::Memory(Memory::Swappiness(percent)) => *percent <= 100,
        Setting::Io(Io::Weight(weight) | Io::DeviceWeight(_, weight)) => (1..=10_000).contains(weight),
        Setting::Io(
            Io::BlkioWeight(weight)
            | Io::DeviceBlkioWeight(_, weight)
            | Io::LeafWeight(weight)
            | Io::DeviceLeafWeight(_, weight),
        ) => (10..=1000).contains(weight),
        Setting::Io(Io::Max(.., limit)) => *limit != Limit::Value(0),
        Setting::HugeTlb(HugeTlb::Max(size, _) | HugeTlb::ReservedMax(size, _)) => {
            size.0 >= 1024 && size.0.is_power_of_two()
        }
        Setting::NetPrio(NetPrio { interface, .. }) => {
            !["", ".", ".."].contains(&interface.as_str())
                && interface.len() < 16
                && !interface.chars().any(|c| "/:\0".contains(c) || c.is_whitespace())
        }
        Setting::Rdma(Rdma { device, hca_handle, hca_object }) => {
            is_word(device) && (hca_handle.is_some() || hca_object.is_some())
        }
        Setting::Misc(Misc { resource, .. }) => is_word(resource),
        Setting::Unified(Unified { file, value }) | Setting::ControlFile(ControlFile { file, value, .. }) => {
            is_setting(file) && (file.starts_with("cpuset.") || !value.trim().is_empty())
        }
        Setting::Devices(rules) => rules.rules().iter().all(|rule| {
            rule.major.is_none_or(|major| major <= 4095)
                && rule.minor.is_none_or(|minor| minor <= 1_048_575)
                && rule.access != Access::EMPTY
        }),
        _ => true,
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// A name like that of a control file, and none that moves processes or changes what a cgroup is.
fn is_setting(file: &str) -> bool {
    let parts: Vec<&str> = file.split('.').collect();
    parts.len() > 1
        && !parts[0].is_empty()
        && !parts[parts.len() - 1].is_empty()
        && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && file != "cgroup.procs"
}
