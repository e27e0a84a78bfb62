//! Resources, by what the kernel says in the files of the container's cgroup.

use std::path::{Path, PathBuf};

use cofferdam_cgroups::{Controller, Hierarchies, Version};
use serde_json::{Value, json};

use super::bundle;
use super::common::bundle::{Bundle, busybox};
use super::common::is_root;
use crate::require;

/// A container that was created with these resources.
fn created(resources: Value) -> Bundle {
    let bundle = bundle("exit 0", |config| config["linux"]["resources"] = resources);
    bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    bundle
}

/// The file in the cgroup of the container.
fn file(bundle: &Bundle, name: &str) -> PathBuf {
    let all = bundle.cgroups();
    let found = all.iter().map(|directory| directory.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

fn read(bundle: &Bundle, name: &str) -> String {
    std::fs::read_to_string(file(bundle, name)).expect("a value").trim_end().to_owned()
}

/// The version of the hierarchy that has a controller.
fn version(controller: Controller) -> Option<Version> {
    let hierarchies = Hierarchies::discover().ok()?;
    hierarchies.hierarchy_of(controller).ok().map(|hierarchy| hierarchy.version())
}

/// Checks values: file and content on v1, and on v2.
fn check(controller: Controller, resources: Value, v1: &[(&str, &str)], v2: &[(&str, &str)]) {
    let expected = if version(controller) == Some(Version::V1) { v1 } else { v2 };
    let bundle = created(resources);
    for (name, value) in expected {
        assert_eq!(read(&bundle, name), *value, "{name}");
    }
    bundle.runtime.delete("box", true).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(bundle.cgroups().len(), 0);
}

/// The options of the host's hierarchy of v2, which belong to no single mount of it.
fn options_of_v2() -> String {
    let table = std::fs::read_to_string("/proc/self/mountinfo").expect("a table");
    let found = table.lines().find_map(|line| line.split_once(" - cgroup2 "));
    found.and_then(|(_, rest)| rest.split(' ').nth(1)).unwrap_or_default().to_owned()
}

#[test]
fn the_hosts_hierarchy_keeps_its_options_whatever_a_container_mounts() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let before = options_of_v2();
    if !before.contains("nsdelegate") {
        println!("skipped: cgroup2 has no option that could be lost");
        return;
    }
    for own in [false, true] {
        let bundle = bundle("exit 0", |config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().expect("a list");
            namespaces.retain(|namespace| namespace["type"] != "cgroup");
            namespaces.extend(own.then(|| json!({ "type": "cgroup" })));
            let mount = json!({ "destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup" });
            let mounts = config["mounts"].as_array_mut().expect("a list");
            mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
            mounts.push(mount);
        });
        bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(options_of_v2(), before, "with a cgroup namespace of its own: {own}");
        bundle.runtime.delete("box", true).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(options_of_v2(), before);
}

#[test]
fn the_cgroup_is_where_the_path_says() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let bundle = created(json!({}));
    let path = bundle.config["linux"]["cgroupsPath"].as_str().expect("a path");
    let pid = bundle.runtime.load("box").expect("it is found").pid().expect("a process");
    let table = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a table");
    // Hierarchies that are mounted nowhere are in the table too.
    let there = table.lines().filter(|line| line.ends_with(path)).count();
    assert!(there > 0 && there == bundle.cgroups().len(), "{table}");
}

#[test]
fn memory_is_limited_protected_and_swapped_as_said() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Memory).is_some(), "the memory controller");
    check(
        Controller::Memory,
        json!({ "memory": { "limit": 67_108_864, "swap": 100_663_296, "reservation": 33_554_432 } }),
        &[
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "100663296"),
            ("memory.soft_limit_in_bytes", "33554432"),
        ],
        &[("memory.max", "67108864"), ("memory.swap.max", "33554432"), ("memory.low", "33554432")],
    );
}

#[test]
fn on_v1_memory_has_more_settings() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    if version(Controller::Memory) != Some(Version::V1) {
        return println!("skipped: needs the memory controller of v1");
    }
    let bundle = created(json!({ "memory": {
        "limit": 67_108_864, "swappiness": 7, "disableOOMKiller": true, "useHierarchy": true, "kernelTCP": 16_777_216,
    } }));
    assert_eq!(read(&bundle, "memory.swappiness"), "7");
    assert!(read(&bundle, "memory.oom_control").starts_with("oom_kill_disable 1\n"));
    assert_eq!(read(&bundle, "memory.use_hierarchy"), "1");
    assert_eq!(read(&bundle, "memory.kmem.tcp.limit_in_bytes"), "16777216");
}

/// The kernel has not had such a limit since Linux 5.16; engines still write it.
#[test]
fn a_limit_of_kernel_memory_is_no_more() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Memory).is_some(), "the memory controller");
    let bundle = created(json!({ "memory": { "limit": 67_108_864, "kernel": 16_777_216 } }));
    let name =
        if version(Controller::Memory) == Some(Version::V1) { "memory.limit_in_bytes" } else { "memory.max" };
    assert_eq!(read(&bundle, name), "67108864");
}

#[test]
fn a_limit_of_memory_below_the_use_can_be_refused() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Memory).is_some(), "the memory controller");
    let bundle = bundle("exec sleep 60", |config| {
        config["linux"]["resources"] = json!({ "memory": { "limit": 67_108_864 } });
    });
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    let change = json!({ "memory": { "limit": 4096, "checkBeforeUpdate": true } });
    let error = container.update(&serde_json::from_value(change).expect("resources")).expect_err("a refusal");
    assert!(error.to_string().starts_with("config.json: linux.resources.memory"), "{error}");
    let name =
        if version(Controller::Memory) == Some(Version::V1) { "memory.limit_in_bytes" } else { "memory.max" };
    assert_eq!(read(&bundle, name), "67108864");
}

#[test]
fn processors_are_shared_limited_and_chosen_as_said() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Cpu).is_some() && version(Controller::CpuSet).is_some(), "processors");
    let cpu = json!({ "shares": 512, "quota": 20_000, "period": 50_000, "burst": 10_000, "cpus": "0", "mems": "0" });
    check(
        Controller::Cpu,
        json!({ "cpu": cpu }),
        &[
            ("cpu.shares", "512"),
            ("cpu.cfs_quota_us", "20000"),
            ("cpu.cfs_period_us", "50000"),
            ("cpu.cfs_burst_us", "10000"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
        ],
        &[
            ("cpu.weight", "59"),
            ("cpu.max", "20000 50000"),
            ("cpu.max.burst", "10000"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
        ],
    );
    check(Controller::Cpu, json!({ "cpu": { "idle": 1 } }), &[("cpu.idle", "1")], &[("cpu.idle", "1")]);
}

#[test]
fn real_time_is_given_on_v1() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    if !Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        return println!("skipped: needs groups of real-time processes");
    }
    let bundle = created(json!({ "cpu": { "realtimeRuntime": 20_000, "realtimePeriod": 500_000 } }));
    assert_eq!(read(&bundle, "cpu.rt_runtime_us"), "20000");
    assert_eq!(read(&bundle, "cpu.rt_period_us"), "500000");
}

#[test]
fn processes_are_counted() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Pids).is_some(), "the pids controller");
    for (limit, text) in [(17, "17"), (-1, "max")] {
        let file = [("pids.max", text)];
        check(Controller::Pids, json!({ "pids": { "limit": limit } }), &file, &file);
    }
}

/// The first device with blocks that can be throttled, as the kernel numbers it.
fn disk() -> Option<(u32, u32)> {
    let mut all: Vec<_> = std::fs::read_dir("/sys/block").ok()?.filter_map(Result::ok).collect();
    all.sort_by_key(std::fs::DirEntry::file_name);
    let text = std::fs::read_to_string(all.first()?.path().join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[test]
fn disks_are_throttled_each_way() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Io).is_some() && disk().is_some(), "the controller of disks and one");
    let (major, minor) = disk().expect("a disk");
    let at = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let resources = json!({ "blockIO": {
        "throttleReadBpsDevice": at(1_048_576), "throttleWriteBpsDevice": at(2_097_152),
        "throttleReadIOPSDevice": at(300), "throttleWriteIOPSDevice": at(400),
    } });
    let line = |value: &str| format!("{major}:{minor} {value}");
    let v1 = [("read_bps", "1048576"), ("write_bps", "2097152"), ("read_iops", "300"), ("write_iops", "400")]
        .map(|(name, value)| (format!("blkio.throttle.{name}_device"), line(value)));
    let v1: Vec<(&str, &str)> = v1.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let v2 = line("rbps=1048576 wbps=2097152 riops=300 wiops=400");
    check(Controller::Io, resources, &v1, &[("io.max", &v2)]);
}

#[test]
fn weights_of_disks_are_set_where_a_scheduler_has_them() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Io).is_some(), "the controller of disks");
    let probe = created(json!({}));
    let file = ["blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight"]
        .into_iter()
        .find(|name| probe.cgroups().iter().any(|directory| directory.join(name).exists()));
    probe.runtime.delete("box", true).unwrap_or_else(|error| panic!("{error}"));
    let with = bundle("exit 0", |config| {
        config["linux"]["resources"] = json!({ "blockIO": { "weight": 200 } });
    });
    match file {
        Some(name) => {
            with.create("box").unwrap_or_else(|error| panic!("{error}"));
            let value = read(&with, name);
            // On v2 without bfq it is converted.
            let expected = if name == "io.weight" { "default 1920" } else { "200" };
            assert!(value.ends_with(expected), "{name}: {value}");
        }
        None => {
            let error = with.create("box").expect_err("a refusal").to_string();
            assert!(error.starts_with("config.json: linux.resources.blockIO"), "{error}");
        }
    }
}

/// No kernel since 5.0 has them.
#[test]
fn weights_of_a_cgroups_own_processes_are_refused() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Io).is_some(), "the controller of disks");
    let (major, minor) = disk().expect("a disk");
    let of_disk = json!({ "weightDevice": [{ "major": major, "minor": minor, "leafWeight": 300 }] });
    for blocks in [json!({ "leafWeight": 300 }), of_disk] {
        let bundle = bundle("exit 0", |config| config["linux"]["resources"] = json!({ "blockIO": blocks }));
        let error = bundle.create("box").expect_err("a refusal").to_string();
        assert!(error.starts_with("config.json: linux.resources.blockIO"), "{error}");
        assert_eq!(bundle.cgroups().len(), 0);
    }
}

/// The smallest size of huge pages, as the kernel names it.
fn huge_page() -> Option<String> {
    let mut names: Vec<u64> = std::fs::read_dir("/sys/kernel/mm/hugepages")
        .ok()?
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()
        })
        .collect();
    names.sort_unstable();
    names.first().map(|kib| format!("{}MB", kib >> 10))
}

#[test]
fn huge_pages_are_limited() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::HugeTlb).is_some() && huge_page().is_some(), "huge pages");
    let size = huge_page().expect("a size");
    let resources = json!({ "hugepageLimits": [{ "pageSize": size, "limit": 4_194_304 }] });
    let (v1, v2) = (format!("hugetlb.{size}.limit_in_bytes"), format!("hugetlb.{size}.max"));
    check(Controller::HugeTlb, resources, &[(&v1, "4194304")], &[(&v2, "4194304")]);
}

/// Also on a hybrid host, where v2 has what no hierarchy of v1 has.
#[test]
fn files_of_v2_are_set_by_their_names() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::HugeTlb) == Some(Version::V2) && huge_page().is_some(), "huge pages on v2");
    let name = format!("hugetlb.{}.max", huge_page().expect("a size"));
    check(
        Controller::HugeTlb,
        json!({ "unified": { name.as_str(): "6291456" } }),
        &[],
        &[(&name, "6291456")],
    );
}

#[test]
fn packets_have_a_class_and_priorities_on_v1() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let resources =
        json!({ "network": { "classID": 0x0010_0001, "priorities": [{ "name": "lo", "priority": 5 }] } });
    if version(Controller::NetCls) == Some(Version::V1) && version(Controller::NetPrio) == Some(Version::V1) {
        let bundle = created(resources);
        assert_eq!(read(&bundle, "net_cls.classid"), "1048577");
        assert!(read(&bundle, "net_prio.ifpriomap").lines().any(|line| line == "lo 5"));
        return;
    }
    let bundle = bundle("exit 0", |config| config["linux"]["resources"] = resources);
    let error = bundle.create("box").expect_err("a refusal").to_string();
    assert!(error.starts_with("config.json: linux.resources.network"), "{error}");
}

#[test]
fn devices_can_be_used_as_the_rules_say() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(version(Controller::Devices).is_some(), "rules for devices");
    let script = "for d in allowed denied; do (: < /dev/$d) 2> /dev/null && echo $d; done; \
                  (: > /dev/allowed) 2> /dev/null && echo written; echo end";
    let text = super::inside(script, |config| {
        // The kernel's log twice, under two numbers: messages (1:11), and memory that never is (1:1).
        let node = |name: &str, minor: u32| json!({ "path": format!("/dev/{name}"), "type": "c", "major": 1, "minor": minor, "fileMode": 0o666 });
        config["linux"]["devices"] = json!([node("allowed", 11), node("denied", 1)]);
        config["linux"]["resources"] = json!({ "devices": [
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "r" },
        ] });
        super::capabilities(config, &["CAP_DAC_OVERRIDE", "CAP_SYS_RAWIO", "CAP_SYSLOG"]);
    });
    assert_eq!(text, "allowed\nend\n");
}
