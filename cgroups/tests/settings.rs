//! Settings are written and read back, on whichever version the host has.

mod common;

use cofferdam_cgroups::{
    Bytes, Cgroup, Controller, Cpu, CpuSet, DeviceRules, Io, Limit, Memory, Resources, Setting, Version,
};
use std::time::Duration;

/// Applies one setting and expects to read it back.
#[track_caller]
fn check(cgroup: &Cgroup, setting: impl Into<Setting>) {
    let setting = setting.into();
    let outcome = cgroup.apply(&Resources::new().must(setting.clone())).expect("as always");
    assert!(outcome.is_complete() && outcome.applied().len() == 1);
    for written in &outcome.applied()[0].written {
        assert!(written.path.exists(), "{written:?}");
    }
    let now = cgroup.settings(setting.controller().expect("as always")).expect("as always");
    assert!(now.contains(&setting), "{setting} is not in {now:?}");
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn processor_time() {
    let cgroup = test_cgroup!(Controller::Cpu);
    match common::version_of(Controller::Cpu) {
        Some(Version::V1) => check(&cgroup, Cpu::Shares(512)),
        _ => check(&cgroup, Cpu::Weight(59)),
    }
    let max = |quota, period| Cpu::Max { quota: Some(quota), period: Some(period) };
    check(&cgroup, max(Limit::Value(ms(50)), ms(100)));
    // A quota that the period before would not allow, and back: some order works.
    check(&cgroup, max(Limit::Value(ms(2)), ms(4)));
    check(&cgroup, max(Limit::Value(ms(900)), ms(1000)));
    check(&cgroup, Cpu::Burst(ms(10)));
    check(&cgroup, max(Limit::Max, ms(100)));
    check(&cgroup, Cpu::Idle(true));
    check(&cgroup, Cpu::Idle(false));
}

#[test]
fn one_half_of_the_processor_limit_leaves_the_other() {
    let cgroup = test_cgroup!(Controller::Cpu);
    let read = || cgroup.settings(Controller::Cpu).unwrap();
    let set = |quota, period| {
        cgroup.apply(&Resources::new().must(Cpu::Max { quota, period })).unwrap();
    };
    let max = |quota, period| Setting::from(Cpu::Max { quota: Some(quota), period: Some(period) });
    set(Some(Limit::Value(ms(30))), Some(ms(100)));
    set(None, Some(ms(50)));
    assert!(read().contains(&max(Limit::Value(ms(30)), ms(50))), "{:?}", read());
    set(Some(Limit::Value(ms(20))), None);
    assert!(read().contains(&max(Limit::Value(ms(20)), ms(50))), "{:?}", read());
    set(Some(Limit::Max), None);
    assert!(read().contains(&max(Limit::Max, ms(50))), "{:?}", read());
}

#[test]
fn processors_and_memory_nodes() {
    let cgroup = test_cgroup!(Controller::CpuSet);
    check(&cgroup, CpuSet::Cpus("0".parse().unwrap()));
    check(&cgroup, CpuSet::Mems("0".parse().unwrap()));
}

#[test]
fn memory() {
    let cgroup = test_cgroup!(Controller::Memory);
    check(&cgroup, Memory::max(Bytes::mib(64)));
    check(&cgroup, Memory::Low(Bytes::mib(16).into()));
    check(&cgroup, Memory::max(Bytes::mib(128)));
    check(&cgroup, Memory::Max(Limit::Max));
    if common::version_of(Controller::Memory) == Some(Version::V2) {
        check(&cgroup, Memory::High(Bytes::mib(32).into()));
        check(&cgroup, Memory::Min(Bytes::mib(4).into()));
        check(&cgroup, Memory::OomGroup(true));
    } else {
        check(&cgroup, Memory::OomKill(false));
        check(&cgroup, Memory::OomKill(true));
        check(&cgroup, Memory::Swappiness(10));
        check(&cgroup, Memory::KernelTcp(Bytes::mib(8).into()));
        check(&cgroup, Memory::UseHierarchy(true));
    }
}

/// v1 has one limit of both, which must not be below that of memory at any moment.
#[test]
fn memory_and_swap_together_grow_and_shrink() {
    let cgroup = test_cgroup!(Controller::Memory);
    let swap_is_accounted =
        cgroup.settings(Controller::Memory).unwrap().contains(&Memory::Swap(Limit::Max).into());
    require!(swap_is_accounted, "accounting of swap");
    for (memory, swap) in [(64, 64), (16, 0), (256, 16), (32, 512)] {
        let memory = Setting::from(Memory::max(Bytes::mib(memory)));
        let swap = Setting::from(Memory::Swap(Bytes::mib(swap).into()));
        cgroup.apply(&Resources::new().must(memory.clone()).must(swap.clone())).unwrap();
        let now = cgroup.settings(Controller::Memory).unwrap();
        assert!(now.contains(&memory) && now.contains(&swap), "{now:?}");
    }
    check(&cgroup, Memory::Swap(Bytes::mib(8).into()));
    cgroup.apply(&Resources::new().must(Memory::Max(Limit::Max)).must(Memory::Swap(Limit::Max))).unwrap();
    let alone = cgroup.apply(&Resources::new().must(Memory::Swap(Bytes::mib(8).into())));
    if common::version_of(Controller::Memory) == Some(Version::V1) {
        let text = alone.unwrap_err().to_string();
        assert_eq!(text, "memory.swap.max cannot be 8388608: set together with a limit of memory, on v1");
    }
}

#[test]
fn processes() {
    let cgroup = test_cgroup!(Controller::Pids);
    check(&cgroup, Setting::Pids(Limit::Value(32)));
    check(&cgroup, Setting::Pids(Limit::Max));
}

#[test]
fn devices() {
    require_root!();
    let cgroup = test_cgroup!(Controller::Devices);
    let rules: DeviceRules = "deny a *:* rwm\nallow c 1:3 rwm".parse().unwrap();
    let outcome = cgroup.apply(&Resources::new().must(rules.clone())).unwrap();
    assert_eq!(outcome.applied()[0].setting, Setting::Devices(rules));
    let read = cgroup.settings(Controller::Devices);
    match common::version_of(Controller::Devices) {
        Some(Version::V1) => {
            let Setting::Devices(rules) = &read.unwrap()[0] else { panic!("no rules") };
            use cofferdam_cgroups::{Access, DeviceKind};
            assert!(rules.decide(DeviceKind::Char, 1, 3, Access::READ));
            assert!(!rules.decide(DeviceKind::Char, 1, 5, Access::READ));
        }
        _ => assert_eq!(read.unwrap_err().to_string(), "cgroup v2 has no list of the rules for devices"),
    }
}

#[test]
fn huge_pages() {
    let cgroup = test_cgroup!(Controller::HugeTlb);
    let settings = cgroup.settings(Controller::HugeTlb).unwrap();
    require!(!settings.is_empty(), "a size of huge pages");
    for setting in settings {
        let size = match &setting {
            Setting::HugeTlb(cofferdam_cgroups::HugeTlb::Max(size, _)) => *size,
            _ => continue,
        };
        check(&cgroup, cofferdam_cgroups::HugeTlb::Max(size, Bytes(0).into()));
        check(&cgroup, cofferdam_cgroups::HugeTlb::ReservedMax(size, size.into()));
        check(&cgroup, cofferdam_cgroups::HugeTlb::ReservedMax(size, Limit::Max));
    }
}

#[test]
fn block_devices_without_a_limit_have_no_line() {
    let cgroup = test_cgroup!(Controller::Io);
    let settings = cgroup.settings(Controller::Io).unwrap();
    assert!(!settings.iter().any(|setting| matches!(setting, Setting::Io(Io::Max(..)))), "{settings:?}");
}

#[test]
fn a_controller_that_has_no_directory_is_named() {
    let cgroup = test_cgroup!(Controller::Pids);
    if common::version_of(Controller::Pids) != Some(Version::V1) {
        absent!("only on v1 a cgroup has directories of some controllers alone");
    }
    let text = cgroup.settings(Controller::Memory).unwrap_err().to_string();
    assert!(text.starts_with("no controller memory for the cgroup /"), "{text}");
}

/// Everything there is, by one plan, on a new cgroup.
#[test]
fn a_new_cgroup_gets_a_whole_plan() {
    let parent = test_cgroup!(Controller::Cpu, Controller::Memory, Controller::Pids, Controller::CpuSet);
    let plan = Resources::new()
        .must(Memory::max(Bytes::mib(64)))
        .must(Setting::Pids(Limit::Value(16)))
        .must(Cpu::cpus(0.5))
        .must(Cpu::Weight(50))
        .must(CpuSet::Cpus("0".parse().unwrap()))
        .if_available(Memory::Swap(Bytes(0).into()));
    let (child, outcome) = parent.create_with("child", &plan).unwrap();
    assert_eq!(outcome.applied().len() + outcome.left_out().len(), 6);
    assert!(child.settings(Controller::Pids).unwrap().contains(&Setting::Pids(Limit::Value(16))));
    assert!(child.settings(Controller::Memory).unwrap().contains(&Memory::max(Bytes::mib(64)).into()));
    child.remove(common::SOON).unwrap();
}
