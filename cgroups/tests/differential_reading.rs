//! What cgroups-rs and this crate read from one cgroup, beside the files themselves; and what they say where there is
//! nothing to write to.
#![cfg(feature = "cgroups-rs")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod pair;

use cgroups_rs::fs as theirs;
use cofferdam_cgroups::{
    Bytes, Cgroup, CgroupPath, Controller, Cpu, CpuSet, Limit, Memory, Require, Resources, Setting, Version,
};
use common::{FakeTree, eventually, read};
use pair::{Pair, version_of_theirs};
use std::process::{Command, Stdio};
use std::time::Duration;
use theirs::blkio::BlkIoController;
use theirs::cpu::CpuController;
use theirs::cpuacct::CpuAcctController;
use theirs::cpuset::CpuSetController;
use theirs::memory::MemController;
use theirs::pid::PidController;
use theirs::{Controller as _, MaxValue};

/// What cgroups-rs wrote is read by us.
fn open_theirs(pair: &Pair) -> Cgroup {
    pair.parent.open("theirs").unwrap()
}

#[track_caller]
fn assert_set(cgroup: &Cgroup, setting: impl Into<Setting>) {
    let setting = setting.into();
    let now = cgroup.settings(setting.controller().unwrap()).unwrap();
    assert!(now.contains(&setting), "{setting} is not in {now:?}");
}

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

#[test]
fn limits_of_time_and_processes_are_read_as_by_cgroups_rs() {
    let pair = pair!(Controller::Cpu, Controller::Pids);
    let cpu: &CpuController = pair.theirs.controller_of().unwrap();
    let pids: &PidController = pair.theirs.controller_of().unwrap();
    let theirs = open_theirs(&pair);
    cpu.set_shares(700).unwrap();
    cpu.set_cfs_period(50_000).unwrap();
    cpu.set_cfs_quota(20_000).unwrap();
    pids.set_pid_max(MaxValue::Value(17)).unwrap();
    match version_of_theirs() {
        Version::V1 => assert_set(&theirs, Cpu::Shares(700)),
        Version::V2 => assert_set(&theirs, Cpu::Weight(700)),
    }
    let max = Cpu::Max { quota: Some(Limit::Value(micros(20_000))), period: Some(micros(50_000)) };
    assert_set(&theirs, max);
    assert_set(&theirs, Setting::Pids(Limit::Value(17)));
    // And the other way round.
    let max = Cpu::Max { quota: Some(Limit::Max), period: Some(micros(80_000)) };
    let plan = Resources::new().must(max).must(Cpu::Weight(100)).must(Setting::Pids(Limit::Max));
    theirs.apply(&plan).unwrap();
    let weight = if version_of_theirs() == Version::V1 { 1024 } else { 100 };
    assert_eq!(
        (cpu.cfs_quota().unwrap(), cpu.cfs_period().unwrap(), cpu.shares().unwrap()),
        (-1, 80_000, weight)
    );
    assert_eq!(pids.get_pid_max().unwrap(), MaxValue::Max);
}

#[test]
fn limits_of_memory_are_read_as_by_cgroups_rs() {
    let pair = pair!(Controller::Memory);
    let memory: &MemController = pair.theirs.controller_of().unwrap();
    let theirs = open_theirs(&pair);
    memory.set_limit(64 << 20).unwrap();
    memory.set_soft_limit(32 << 20).unwrap();
    assert_set(&theirs, Memory::max(Bytes::mib(64)));
    assert_set(&theirs, Memory::Low(Bytes::mib(32).into()));
    let plan = Resources::new().must(Memory::Max(Limit::Max)).must(Memory::Low(Bytes::mib(8).into()));
    theirs.apply(&plan).unwrap();
    let stat = memory.memory_stat();
    // They give what v1 prints for no limit as the number that it is.
    let none = if version_of_theirs() == Version::V1 { i64::MAX - 4095 } else { -1 };
    assert_eq!((stat.limit_in_bytes, stat.soft_limit_in_bytes), (none, 8 << 20));
    assert_set(&theirs, Memory::Max(Limit::Max));
}

#[test]
fn processors_and_nodes_are_read_as_by_cgroups_rs() {
    let pair = pair!(Controller::CpuSet);
    let sets: &CpuSetController = pair.theirs.controller_of().unwrap();
    let theirs = open_theirs(&pair);
    sets.set_cpus("0").unwrap();
    assert_set(&theirs, CpuSet::Cpus("0".parse().unwrap()));
    let found = theirs.statistics().unwrap().cpuset.expect("effective processors");
    assert_eq!(found.cpus, [0..=0]);
    let directory = pair.directory(Controller::CpuSet, "theirs");
    if version_of_theirs() == Version::V1 {
        assert_eq!(sets.cpuset().effective_cpus, [(0, 0)]);
        assert_eq!(read(directory.join("cpuset.effective_cpus")), "0");
    } else {
        assert_eq!(read(directory.join("cpuset.cpus.effective")), "0");
    }
}

/// A process that works a little in a cgroup, and has ended.
fn work_in(cgroup: &Cgroup) {
    let mut child = Command::new("sh")
        .args([
            "-c",
            "read go; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; head -c 3000000 /dev/zero | wc -c",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    cgroup.add(child.id()).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn processor_time_is_that_of_cgroups_rs_and_of_the_files() {
    let pair = pair!(Controller::Cpu, Controller::CpuAcct);
    let theirs = open_theirs(&pair);
    work_in(&theirs);
    let acct: &CpuAcctController = pair.theirs.controller_of().unwrap();
    let directory = pair.directory(Controller::CpuAcct, "theirs");
    // The last of it can be booked a moment after the end of the process.
    let same = || {
        let ours = theirs.statistics().unwrap().cpu.unwrap();
        let usage = u64::try_from(ours.usage.unwrap().as_nanos()).unwrap();
        usage > 0
            && usage == acct.cpuacct().usage
            && usage.to_string() == read(directory.join("cpuacct.usage"))
            && ours.periods == Some(0)
    };
    assert!(eventually(same), "{:?} {}", theirs.statistics().unwrap().cpu, acct.cpuacct().usage);
}

#[test]
fn processor_time_on_v2_is_that_of_the_text_that_cgroups_rs_gives() {
    let pair = pair!(Controller::Cpu);
    if version_of_theirs() == Version::V1 {
        absent!("v1");
    }
    let theirs = open_theirs(&pair);
    work_in(&theirs);
    let cpu: &CpuController = pair.theirs.controller_of().unwrap();
    let same = || {
        let usage = theirs.statistics().unwrap().cpu.unwrap().usage.unwrap();
        !usage.is_zero() && cpu.cpu().stat.contains(&format!("usage_usec {}\n", usage.as_micros()))
    };
    assert!(eventually(same), "{:?} {}", theirs.statistics().unwrap().cpu, cpu.cpu().stat);
}

#[test]
fn memory_and_processes_in_use_are_those_of_cgroups_rs_and_of_the_files() {
    let pair = pair!(Controller::Memory, Controller::Pids);
    let theirs = open_theirs(&pair);
    work_in(&theirs);
    let _sleeper = pair.parent.sleeper_in(&theirs);
    let memory: &MemController = pair.theirs.controller_of().unwrap();
    let pids: &PidController = pair.theirs.controller_of().unwrap();
    let file = |controller, v1, v2| {
        let name = if version_of_theirs() == Version::V1 { v1 } else { v2 };
        std::fs::read_to_string(pair.directory(controller, "theirs").join(name))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    // Charges are settled in batches, some of them later.
    let same = || {
        let statistics = theirs.statistics().unwrap();
        let (ours, stat) = (statistics.memory.unwrap(), memory.memory_stat());
        let usage = file(Controller::Memory, "memory.usage_in_bytes", "memory.current");
        let peak = file(Controller::Memory, "memory.max_usage_in_bytes", "memory.peak");
        ours.usage.map(|usage| usage.0) == usage
            && usage == Some(stat.usage_in_bytes)
            && ours.peak.map(|peak| peak.0) == peak
            && peak.unwrap_or(0) == stat.max_usage_in_bytes
    };
    assert!(eventually(same), "{:?} {:?}", theirs.statistics().unwrap().memory, memory.memory_stat());
    let ours = theirs.statistics().unwrap().pids.unwrap();
    assert_eq!(ours.current, Some(1));
    assert_eq!((ours.current, ours.refused), (pids.get_pid_current().ok(), pids.get_pid_events().ok()));
    assert_eq!(ours.current, file(Controller::Pids, "pids.current", "pids.current"));
}

#[test]
fn devices_without_traffic_are_in_neither_list() {
    let pair = pair!(Controller::Io);
    let theirs = open_theirs(&pair);
    let io: &BlkIoController = pair.theirs.controller_of().unwrap();
    assert_eq!(theirs.statistics().unwrap().io.unwrap(), []);
    let stat = io.blkio();
    assert_eq!((stat.throttle.io_service_bytes_recursive.len(), stat.io_stat.len()), (0, 0));
}

fn some_limits() -> theirs::Resources {
    theirs::Resources {
        memory: theirs::MemoryResources { memory_hard_limit: Some(64 << 20), ..Default::default() },
        ..Default::default()
    }
}

#[test]
fn a_limit_for_a_cgroup_that_was_removed_is_an_error_of_ours_and_ok_there() {
    let pair = pair!(Controller::Memory);
    pair.ours.remove(common::SOON).unwrap();
    pair.theirs.delete().unwrap();
    assert!(!pair.directory(Controller::Memory, "theirs").exists());
    assert!(!pair.directory(Controller::Memory, "ours").exists());
    pair.theirs.apply(&some_limits()).unwrap();
    let error = pair.apply_ours(&some_limits()).unwrap_err();
    assert!(error.is_gone(), "{error}");
    let statistics = pair.theirs.controller_of::<MemController>().unwrap().memory_stat();
    assert_eq!(statistics.usage_in_bytes, 0);
    let error = pair.ours.statistics().unwrap_err();
    assert!(error.is_gone(), "{error}");
}

/// So does a host on which the file system is mounted elsewhere, or not yet.
#[test]
fn a_control_file_that_is_not_there_is_made_there_and_an_error_of_ours() {
    let tree =
        FakeTree::new().v2("/sys/fs/cgroup", "memory").own("0::/").cgroup2("/sys/fs/cgroup/job", "memory");
    let job = tree.path("/sys/fs/cgroup/job");
    let ours = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let plan = Resources::from_cgroups_rs(&some_limits(), Require::Must).unwrap();
    let error = ours.apply(&plan).unwrap_err().to_string();
    assert!(error.ends_with("memory.max: ENOENT (No such file or directory)"), "{error}");
    assert!(!job.join("memory.max").exists());
    MemController::new(job.clone(), Default::default(), true).apply(&some_limits()).unwrap();
    assert_eq!(read(job.join("memory.max")), (64 << 20).to_string());
}
