//! Plans from the OCI runtime-spec, in words.

use crate::{Require, Resources};
use oci_spec::runtime::LinuxResources;

fn lines(json: &str) -> Vec<String> {
    let resources: LinuxResources = serde_json::from_str(json).unwrap();
    let plan = Resources::from_oci(&resources, Require::Must).unwrap();
    let line = |(setting, require): (&crate::Setting, Require)| match require {
        Require::Must => setting.to_string(),
        Require::IfAvailable => format!("{setting}, if available"),
    };
    plan.entries().map(line).collect()
}

fn fault(json: &str) -> String {
    let resources: LinuxResources = serde_json::from_str(json).unwrap();
    Resources::try_from(&resources).unwrap_err().to_string()
}

#[test]
fn memory() {
    let json = r#"{"memory": {"limit": 536870912, "reservation": 268435456, "swap": 805306368, "kernel": -1,
        "kernelTCP": -1, "swappiness": 0, "disableOOMKiller": false, "useHierarchy": true}}"#;
    let expected = [
        "memory.max 536870912",
        "memory.swap.max 268435456",
        "memory.low 268435456",
        "memory.kmem.limit_in_bytes max, if available",
        "memory.kmem.tcp.limit_in_bytes max, if available",
        "memory.swappiness 0",
        "memory.oom_control 0, if available",
        "memory.use_hierarchy 1, if available",
    ];
    assert_eq!(lines(json), expected);
}

#[test]
fn memory_and_swap_as_runc_and_crun_take_them() {
    let swap = |limit: &str, swap: &str| {
        lines(&format!(r#"{{"memory": {{"limit": {limit}, "swap": {swap}}}}}"#)).join("; ")
    };
    assert_eq!(swap("100", "100"), "memory.max 100; memory.swap.max 0, if available");
    assert_eq!(swap("100", "-1"), "memory.max 100; memory.swap.max max, if available");
    assert_eq!(swap("100", "0"), "memory.max 100");
    assert_eq!(swap("-1", "0"), "memory.max max; memory.swap.max max, if available");
    assert_eq!(swap("-1", "-1"), "memory.max max; memory.swap.max max, if available");
    assert_eq!(swap("0", "0"), "");
    let less = fault(r#"{"memory": {"limit": 100, "swap": 50}}"#);
    let text = "the limit of memory and swap together cannot be 50: memory and swap together at least as much as memory";
    assert_eq!(less, text);
    assert!(fault(r#"{"memory": {"swap": 50}}"#).contains("a limit of memory, when"));
}

#[test]
fn processors() {
    let json = r#"{"cpu": {"shares": 1024, "quota": 1000000, "burst": 1000000, "period": 500000,
        "realtimeRuntime": 950000, "realtimePeriod": 1000000, "cpus": "2-3", "mems": "0-7", "idle": 0}}"#;
    let expected = [
        "cpu.weight 100 (of 1024 shares)",
        "cpu.max 1000000 500000",
        "cpu.max.burst 1000000",
        "cpu.idle 0",
        "cpu.rt_runtime_us 950000",
        "cpu.rt_period_us 1000000",
        "cpuset.cpus 2-3",
        "cpuset.mems 0-7",
    ];
    assert_eq!(lines(json), expected);
    assert_eq!(lines(r#"{"cpu": {"shares": 0, "quota": -1}}"#), ["cpu.max max"]);
    assert_eq!(lines(r#"{"cpu": {"shares": 512, "idle": 1}}"#), ["cpu.idle 1"]);
    assert_eq!(fault(r#"{"cpu": {"cpus": "a"}}"#), "cpus cannot be a: a list such as 0-3,7");
}

#[test]
fn block_devices() {
    let json = r#"{"blockIO": {"weight": 10, "leafWeight": 10,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}]}}"#;
    let expected = [
        "io.weight 1 (of 10 on v1)",
        "blkio.leaf_weight 10",
        "io.weight of 8:0 4950 (of 500 on v1)",
        "blkio.leaf_weight of 8:0 300",
        "io.max rbps of 8:0 600",
        "io.max wiops of 8:16 300",
    ];
    assert_eq!(lines(json), expected);
    let silent = r#"{"blockIO": {"weight": 0, "leafWeight": 0,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 0, "leafWeight": 0}]}}"#;
    assert_eq!(lines(silent), [""; 0]);
    let negative = r#"{"blockIO": {"throttleReadBpsDevice": [{"major": -8, "minor": 0, "rate": 600}]}}"#;
    assert_eq!(fault(negative), "the number of a block device cannot be -8:0: numbers from 0");
}

#[test]
fn all_others() {
    let json = r#"{"pids": {"limit": 32771},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 209715200}],
        "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
        "rdma": {"rxe3": {"hcaObjects": 10000}, "mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
        "unified": {"memory.high": "1000", "io.max": "259:0 rbps=2097152"}}"#;
    let expected = [
        "pids.max 32771",
        "hugetlb.2MB.max 209715200",
        "hugetlb.2MB.rsvd.max 209715200, if available",
        "net_cls.classid 1048577",
        "net_prio.ifpriomap of eth0 500",
        "rdma.max of mlx5_1 hca_handle=3 hca_object=10000",
        "rdma.max of rxe3 hca_object=10000",
        "io.max 259:0 rbps=2097152",
        "memory.high 1000",
    ];
    assert_eq!(lines(json), expected);
    assert_eq!(lines(r#"{"pids": {"limit": -1}}"#), ["pids.max max"]);
    assert_eq!(lines(r#"{"pids": {"limit": 0}}"#), ["pids.max 1"]);
    assert_eq!(lines("{}"), [""; 0]);
}

#[test]
fn rules_for_devices_keep_their_order() {
    let json = r#"{"devices": [{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": true, "type": "b", "major": 8, "access": "r"}]}"#;
    let resources: LinuxResources = serde_json::from_str(json).unwrap();
    let plan = Resources::try_from(&resources).unwrap();
    let crate::Setting::Devices(rules) = plan.settings().next().unwrap() else { panic!("{plan:?}") };
    use crate::{Access, DeviceKind};
    assert!(rules.decide(DeviceKind::Char, 10, 229, Access::READ.or(Access::WRITE)));
    assert!(!rules.decide(DeviceKind::Char, 10, 229, Access::MKNOD));
    assert!(rules.decide(DeviceKind::Block, 8, 3, Access::READ));
    assert!(!rules.decide(DeviceKind::Char, 1, 3, Access::READ));
}
