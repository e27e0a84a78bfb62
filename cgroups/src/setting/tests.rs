//! What settings become on each version.

use super::*;
use crate::resources::Operation;
use crate::{Bytes, DeviceNumber};
use std::time::Duration;

const DISK: DeviceNumber = DeviceNumber::new(8, 0);

/// `file=value` for each write.
fn lowered(setting: impl Into<Setting>, version: Version) -> String {
    let setting = setting.into();
    let all = Resources::new().must(setting.clone());
    match setting.lower(version, &all) {
        Ok(operations) => operations.iter().map(text).collect::<Vec<_>>().join(", "),
        Err(error) => error.to_string(),
    }
}

fn text(operation: &Operation) -> String {
    match operation {
        Operation::Write(write) | Operation::Validated(write) => format!("{}={}", write.file, write.value),
        Operation::First(writes) => {
            let texts: Vec<_> = writes.iter().map(|w| format!("{}={}", w.file, w.value)).collect();
            texts.join(" or ")
        }
        other => format!("{other:?}"),
    }
}

fn check(setting: impl Into<Setting>, v1: &str, v2: &str) {
    let setting = setting.into();
    assert_eq!(lowered(setting.clone(), Version::V1), v1, "{setting} on v1");
    assert_eq!(lowered(setting.clone(), Version::V2), v2, "{setting} on v2");
    assert_eq!(setting.validate(), Ok(()));
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn processor_time() {
    check(Cpu::Shares(1024), "cpu.shares=1024", "cpu.weight=100");
    check(Cpu::Weight(10_000), "cpu.shares=262144", "cpu.weight=10000");
    check(Cpu::cpus(0.5), "cpu.cfs_period_us=100000, cpu.cfs_quota_us=50000", "cpu.max=50000 100000");
    let lifted = Cpu::Max { quota: Some(Limit::Max), period: None };
    check(lifted, "cpu.cfs_quota_us=-1", "cpu.max=max");
    let period = Cpu::Max { quota: None, period: Some(ms(20)) };
    check(period, "cpu.cfs_period_us=20000", "Period(20ms)");
    check(Cpu::Burst(ms(5)), "cpu.cfs_burst_us=5000", "cpu.max.burst=5000");
    check(Cpu::Idle(true), "cpu.idle=1", "cpu.idle=1");
    check(
        Cpu::RealtimeRuntime(ms(1)),
        "cpu.rt_runtime_us=1000",
        "cgroup v2 has no limit of realtime threads",
    );
}

#[test]
fn processors() {
    let list: List = "0-1".parse().unwrap();
    check(CpuSet::Cpus(list.clone()), "cpuset.cpus=0-1", "cpuset.cpus=0-1");
    check(CpuSet::Mems(List::default()), "cpuset.mems=\n", "cpuset.mems=\n");
    check(
        CpuSet::Partition(Partition::Root),
        "cgroup v1 has no partitions of processors",
        "cpuset.cpus.partition=root",
    );
}

#[test]
fn memory() {
    check(Memory::max(Bytes::mib(1)), "memory.limit_in_bytes=1048576", "memory.max=1048576");
    check(Memory::Max(Limit::Max), "memory.limit_in_bytes=-1", "memory.max=max");
    check(Memory::Low(Bytes(4096).into()), "memory.soft_limit_in_bytes=4096", "memory.low=4096");
    check(Memory::High(Limit::Max), "cgroup v1 has no memory.high", "memory.high=max");
    check(Memory::Swap(Limit::Max), "memory.memsw.limit_in_bytes=-1", "memory.swap.max=max");
    check(Memory::Swap(Bytes(4096).into()), "SwapBeyondMemory(Value(Bytes(4096)))", "memory.swap.max=4096");
    check(
        Memory::OomKill(false),
        "memory.oom_control=1",
        "cgroup v2 has no switch for the out of memory killer",
    );
    check(Memory::OomGroup(true), "cgroup v1 has no memory.oom.group", "memory.oom.group=1");
    check(Memory::UseHierarchy(true), "memory.use_hierarchy=1", "");
}

#[test]
fn swap_is_added_to_the_limit_of_memory_on_v1() {
    let swap = Setting::from(Memory::Swap(Bytes(50).into()));
    let sum = |max| {
        let all = Resources::new().must(swap.clone()).must(Memory::Max(max));
        swap.lower(Version::V1, &all).unwrap().iter().map(text).collect::<String>()
    };
    assert_eq!(sum(Bytes(100).into()), "memory.memsw.limit_in_bytes=150");
    assert_eq!(sum(Limit::Max), "memory.memsw.limit_in_bytes=-1");
}

#[test]
fn block_devices() {
    check(
        Io::BlkioWeight(500),
        "blkio.bfq.weight=500 or blkio.weight=500",
        "io.bfq.weight=default 500 or io.weight=default 4950",
    );
    check(
        Io::DeviceWeight(DISK, 10_000),
        "blkio.bfq.weight_device=8:0 1000 or blkio.weight_device=8:0 1000",
        "io.weight=8:0 10000 or io.bfq.weight=8:0 1000",
    );
    check(
        Io::Max(DISK, Rate::ReadBytes, Limit::Value(600)),
        "blkio.throttle.read_bps_device=8:0 600",
        "io.max=8:0 rbps=600",
    );
    check(
        Io::Max(DISK, Rate::Writes, Limit::Max),
        "blkio.throttle.write_iops_device=8:0 0",
        "io.max=8:0 wiops=max",
    );
    check(
        Io::LeafWeight(10),
        "blkio.leaf_weight=10",
        "cgroup v2 has no weight of a cgroup's own processes beside its children",
    );
}

#[test]
fn all_others() {
    check(Setting::Pids(Limit::Value(7)), "pids.max=7", "pids.max=7");
    let two_mib = Bytes::mib(2);
    check(HugeTlb::Max(two_mib, Limit::Max), "hugetlb.2MB.limit_in_bytes=-1", "hugetlb.2MB.max=max");
    check(
        HugeTlb::ReservedMax(two_mib, Bytes(0).into()),
        "hugetlb.2MB.rsvd.limit_in_bytes=0",
        "hugetlb.2MB.rsvd.max=0",
    );
    check(NetCls(0x10_0001), "net_cls.classid=1048577", "cgroup v2 has no classes of packets");
    let prio = NetPrio { interface: "eth0".to_owned(), priority: 5 };
    check(prio, "net_prio.ifpriomap=eth0 5", "cgroup v2 has no priorities of packets");
    let rdma =
        Rdma { device: "mlx4_0".to_owned(), hca_handle: Some(Limit::Value(2)), hca_object: Some(Limit::Max) };
    let line = "rdma.max=mlx4_0 hca_handle=2 hca_object=max";
    check(rdma, line, line);
    check(Misc { resource: "sev".to_owned(), max: Limit::Value(3) }, "misc.max=sev 3", "misc.max=sev 3");
    check(
        Unified::new("io.max", "8:0 rbps=1\n8:16 wbps=2\n"),
        "cgroup v1 has no files named as on v2",
        "io.max=8:0 rbps=1, io.max=8:16 wbps=2",
    );
}

#[test]
fn values_out_of_range_are_named() {
    let texts: [(Setting, &str); 12] = [
        (Cpu::Weight(0).into(), "cpu.weight cannot be 0: 1 to 10000"),
        (Cpu::Shares(1).into(), "cpu.shares cannot be 1: 2 to 262144, more counts as that"),
        (Cpu::cpus(0.0).into(), "the quota of cpu.max cannot be 0ns: at least 1 ms, or no limit"),
        (Cpu::cpus(f64::NAN).into(), "the quota of cpu.max cannot be 0ns: at least 1 ms, or no limit"),
        (Memory::Swappiness(101).into(), "memory.swappiness cannot be 101: 0 to 100"),
        (Io::Weight(0).into(), "io.weight cannot be 0: 1 to 10000"),
        (Io::BlkioWeight(5).into(), "blkio.weight cannot be 5: 10 to 1000"),
        (Io::Max(DISK, Rate::Reads, Limit::Value(0)).into(), "io.max cannot be 0: at least 1, or no limit"),
        (
            Misc { resource: "a b".to_owned(), max: Limit::Max }.into(),
            "the resource of misc.max cannot be \"a b\": a name without white space",
        ),
        (
            Unified::new("../memory.max", "1").into(),
            "the file cannot be \"../memory.max\": a control file such as memory.high",
        ),
        (
            Unified::new("cgroup.procs", "1").into(),
            "the file cannot be cgroup.procs: a file with a limit or a weight",
        ),
        (
            Unified::new("memory.max", " \n").into(),
            "the value for a control file cannot be \" \\n\": some text",
        ),
    ];
    for (setting, text) in texts {
        assert_eq!(setting.validate().unwrap_err().to_string(), text);
    }
}

#[test]
fn a_later_setting_replaces_an_earlier_one() {
    let plan = Resources::new()
        .must(Cpu::Weight(5))
        .must(Io::Max(DISK, Rate::Reads, Limit::Value(1)))
        .must(Io::Max(DISK, Rate::Writes, Limit::Value(2)))
        .if_available(Cpu::Shares(1024));
    let texts: Vec<_> = plan.settings().map(Setting::to_string).collect();
    assert_eq!(texts, ["io.max riops of 8:0 1", "io.max wiops of 8:0 2", "cpu.weight 100 (of 1024 shares)"]);
    assert!(plan.requires(Controller::Io) && !plan.requires(Controller::Cpu));
}
