//! The same resources applied by cgroups-rs and by this crate to two siblings: what they agree on, and where they do not.
#![cfg(feature = "cgroups-rs")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod pair;

use cgroups_rs::fs as theirs;
use cofferdam_cgroups::{Bytes, Controller, Error, HugeTlb, Io, Limit, Rate, Require, Resources, Version};
use common::{directory_of, read};
use pair::version_of_theirs;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use theirs::MaxValue;
use theirs::hierarchies::auto;

fn of_memory(memory: theirs::MemoryResources) -> theirs::Resources {
    theirs::Resources { memory, ..Default::default() }
}

fn of_cpu(cpu: theirs::CpuResources) -> theirs::Resources {
    theirs::Resources { cpu, ..Default::default() }
}

fn mib(count: i64) -> Option<i64> {
    Some(count << 20)
}

#[test]
fn quota_and_period_agree() {
    let pair = pair!(Controller::Cpu);
    let files: &[&str] = match version_of_theirs() {
        Version::V1 => &["cpu.cfs_period_us", "cpu.cfs_quota_us"],
        Version::V2 => &["cpu.max"],
    };
    let max = |quota, period| of_cpu(theirs::CpuResources { quota, period, ..Default::default() });
    pair.apply(&max(Some(50_000), Some(200_000)));
    pair.agree_on(files);
    pair.apply(&max(Some(30_000), None));
    pair.apply(&max(None, Some(50_000)));
    pair.agree_on(files);
    pair.apply(&max(Some(-1), None));
    pair.agree_on(&files[..1]);
    pair.apply(&max(None, Some(100_000)));
    pair.agree_on(&[]);
}

/// On v2 cgroups-rs leaves it to the caller to convert shares, and writes them as a weight.
#[test]
fn shares_agree_on_v1_and_are_converted_by_us_on_v2() {
    let pair = pair!(Controller::Cpu);
    let shares = |shares| of_cpu(theirs::CpuResources { shares: Some(shares), ..Default::default() });
    pair.apply(&shares(512));
    if version_of_theirs() == Version::V1 {
        return pair.agree_on(&["cpu.shares"]);
    }
    assert_eq!(pair.changed("theirs").get("cpu.weight").map(String::as_str), Some("512"));
    assert_eq!(pair.changed("ours").get("cpu.weight").map(String::as_str), Some("59"));
    // The default share is the default weight; there it is ten times that.
    pair.apply(&shares(1024));
    assert_eq!(pair.changed("theirs").get("cpu.weight").map(String::as_str), Some("1024"));
    assert_eq!(pair.changed("ours"), BTreeMap::new());
    // More than a weight can be.
    assert!(pair.theirs.apply(&shares(20_000)).is_err());
    pair.apply_ours(&shares(20_000)).unwrap();
}

#[test]
fn limits_of_memory_agree() {
    let pair = pair!(Controller::Memory);
    let v1 = version_of_theirs() == Version::V1;
    let limits = |memory_hard_limit, memory_soft_limit| {
        of_memory(theirs::MemoryResources { memory_hard_limit, memory_soft_limit, ..Default::default() })
    };
    let files = if v1 {
        ["memory.limit_in_bytes", "memory.soft_limit_in_bytes"]
    } else {
        ["memory.low", "memory.max"]
    };
    pair.apply(&limits(mib(64), mib(32)));
    pair.agree_on(&files);
    pair.apply(&limits(mib(16), mib(128)));
    pair.agree_on(&files);
    if v1 {
        pair.apply(&limits(Some(-1), Some(-1)));
        pair.agree_on(&[]);
    }
}

#[test]
fn what_only_v1_has_agrees_there_and_is_refused_by_us_on_v2() {
    let pair = pair!(Controller::Memory);
    let swappiness = of_memory(theirs::MemoryResources { swappiness: Some(10), ..Default::default() });
    if version_of_theirs() == Version::V1 {
        pair.apply(&swappiness);
        let tcp = mib(8);
        pair.apply(&of_memory(theirs::MemoryResources {
            kernel_tcp_memory_limit: tcp,
            ..Default::default()
        }));
        return pair.agree_on(&["memory.kmem.tcp.limit_in_bytes", "memory.swappiness"]);
    }
    let error = pair.apply_ours(&swappiness).unwrap_err();
    assert_eq!(error.to_string(), "cgroup v2 has no swappiness of a cgroup");
    // There the percentage becomes a limit of swap in bytes.
    require!(pair.has(Controller::Memory, "memory.swap.max"), "swap");
    pair.theirs.apply(&swappiness).unwrap();
    assert_eq!(pair.changed("theirs").get("memory.swap.max").map(String::as_str), Some("0"));
    assert_eq!(pair.changed("ours"), BTreeMap::new());
}

/// cgroups-rs writes the sum as it is, also on v2, where the file is about swap alone.
#[test]
fn memory_with_swap_agrees_on_v1_and_is_swap_alone_by_us_on_v2() {
    let pair = pair!(Controller::Memory);
    let v1 = version_of_theirs() == Version::V1;
    let file = if v1 { "memory.memsw.limit_in_bytes" } else { "memory.swap.max" };
    if !pair.has(Controller::Memory, file) {
        absent!("swap is not accounted");
    }
    let limits = |memory_hard_limit, memory_swap_limit| {
        of_memory(theirs::MemoryResources { memory_hard_limit, memory_swap_limit, ..Default::default() })
    };
    pair.apply(&limits(mib(64), mib(96)));
    if !v1 {
        assert_eq!(read(pair.directory(Controller::Memory, "theirs").join(file)), (96 << 20).to_string());
        assert_eq!(read(pair.directory(Controller::Memory, "ours").join(file)), (32 << 20).to_string());
        return;
    }
    pair.agree_on(&["memory.limit_in_bytes", file]);
    pair.apply(&limits(mib(16), mib(32)));
    pair.agree_on(&["memory.limit_in_bytes", file]);
    // Memory above the present sum is refused until the sum has grown. cgroups-rs tries once, and says Ok.
    pair.apply(&limits(mib(128), mib(256)));
    let limit = |name| read(pair.directory(Controller::Memory, name).join("memory.limit_in_bytes"));
    assert_eq!([limit("theirs"), limit("ours")], [16_u64 << 20, 128 << 20].map(|bytes| bytes.to_string()));
}

#[test]
fn the_number_of_processes_agrees() {
    let pair = pair!(Controller::Pids);
    let limit = |limit| theirs::Resources {
        pid: theirs::PidResources { maximum_number_of_processes: Some(limit) },
        ..Default::default()
    };
    pair.apply(&limit(MaxValue::Value(32)));
    pair.agree_on(&["pids.max"]);
    pair.apply(&limit(MaxValue::Max));
    pair.agree_on(&[]);
}

#[test]
fn cpusets_agree_and_only_we_say_when_they_are_refused() {
    let pair = pair!(Controller::CpuSet);
    let cpus = |cpus: &str| {
        let list = || Some(cpus.to_owned());
        of_cpu(theirs::CpuResources { cpus: list(), mems: Some("0".to_owned()), ..Default::default() })
    };
    pair.apply(&cpus("0"));
    assert_eq!(pair.changed("ours"), pair.changed("theirs"));
    for name in ["ours", "theirs"] {
        let directory = pair.directory(Controller::CpuSet, name);
        assert_eq!([read(directory.join("cpuset.cpus")), read(directory.join("cpuset.mems"))], ["0", "0"]);
    }
    // Processors that no machine has.
    assert!(pair.theirs.apply(&cpus("60000")).is_ok());
    let error = pair.apply_ours(&cpus("60000")).unwrap_err();
    assert!(matches!(&error, Error::Write { value, .. } if value == "60000"), "{error}");
}

/// A whole disk, which nobody reads from here.
fn some_disk() -> Option<(u64, u64)> {
    let disks = std::fs::read_dir("/sys/dev/block").ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let (major, minor) = path.file_name()?.to_str()?.split_once(':')?;
        path.join("queue").exists().then_some((major.parse().ok()?, minor.parse().ok()?))
    });
    disks.min()
}

fn throttle(major: u64, minor: u64) -> theirs::Resources {
    let of = |rate| vec![theirs::BlkIoDeviceThrottleResource { major, minor, rate }];
    let blkio = theirs::BlkIoResources {
        throttle_read_bps_device: of(1 << 20),
        throttle_write_bps_device: of(2 << 20),
        throttle_read_iops_device: of(100),
        throttle_write_iops_device: of(200),
        ..Default::default()
    };
    theirs::Resources { blkio, ..Default::default() }
}

#[test]
fn limits_of_disks_agree() {
    let pair = pair!(Controller::Io);
    let Some((major, minor)) = some_disk() else { absent!("no block device") };
    pair.apply(&throttle(major, minor));
    match version_of_theirs() {
        Version::V1 => pair.agree_on(&[
            "blkio.throttle.read_bps_device",
            "blkio.throttle.read_iops_device",
            "blkio.throttle.write_bps_device",
            "blkio.throttle.write_iops_device",
        ]),
        Version::V2 => pair.agree_on(&["io.max"]),
    }
    let device = format!("{major}:{minor}").parse().unwrap();
    let now = pair.ours.settings(Controller::Io).unwrap();
    let expected =
        [(Rate::ReadBytes, 1 << 20), (Rate::WriteBytes, 2 << 20), (Rate::Reads, 100), (Rate::Writes, 200)];
    for (rate, limit) in expected {
        assert!(now.contains(&Io::Max(device, rate, Limit::Value(limit)).into()), "{rate} {limit}: {now:?}");
    }
}

#[test]
fn a_disk_that_is_not_there_is_an_error_of_ours_only() {
    let pair = pair!(Controller::Io);
    pair.theirs.apply(&throttle(4000, 7)).unwrap();
    let error = pair.apply_ours(&throttle(4000, 7)).unwrap_err().to_string();
    assert!(error.starts_with("write \"4000:7 ") && error.ends_with("ENODEV (No such device)"), "{error}");
    pair.agree_on(&[]);
}

/// One page of each size. We limit reservations as well, so that a program over its limit is told by `mmap`, not killed.
fn huge_pages(directory: &Path) -> (theirs::Resources, Vec<(Bytes, String)>) {
    let names =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let size = |name: String| Some(name.strip_prefix("hugetlb.")?.split_once('.')?.0.to_owned());
    let mut sizes: Vec<String> = names.filter_map(size).collect();
    sizes.sort();
    sizes.dedup();
    let bytes = |size: &str| size.trim_end_matches('B').parse::<Bytes>().unwrap();
    let limits =
        sizes.iter().map(|size| theirs::HugePageResource { size: size.clone(), limit: bytes(size).0 });
    let hugepages = theirs::HugePageResources { limits: limits.collect() };
    let sizes = sizes.into_iter().map(|size| (bytes(&size), size)).collect();
    (theirs::Resources { hugepages, ..Default::default() }, sizes)
}

#[test]
fn huge_pages_agree_and_reservations_are_limited_by_us_only() {
    let pair = pair!(Controller::HugeTlb);
    let (resources, sizes) = huge_pages(&pair.directory(Controller::HugeTlb, "untouched"));
    require!(!sizes.is_empty(), "a size of huge pages");
    pair.apply(&resources);
    let end = if version_of_theirs() == Version::V1 { "limit_in_bytes" } else { "max" };
    let (mut ours, theirs) = (pair.changed("ours"), pair.changed("theirs"));
    for (bytes, size) in sizes {
        assert_eq!(ours.remove(&format!("hugetlb.{size}.rsvd.{end}")), Some(bytes.to_string()));
    }
    assert_eq!(ours, theirs);
}

/// On a hybrid host cgroups-rs uses v1 alone.
#[test]
fn what_is_on_v2_beside_v1_is_limited_by_us_only() {
    require_root!();
    let parent = test_cgroup!(Controller::HugeTlb);
    if (version_of_theirs(), common::version_of(Controller::HugeTlb)) != (Version::V1, Some(Version::V2)) {
        absent!("huge pages are not on v2 beside v1");
    }
    let (resources, sizes) = huge_pages(&directory_of(&parent, Controller::HugeTlb));
    require!(!sizes.is_empty(), "a size of huge pages");
    let file = directory_of(&parent, Controller::HugeTlb).join(format!("hugetlb.{}.max", sizes[0].1));
    let before = read(&file);
    let theirs = theirs::Cgroup::load(auto(), parent.path().as_path());
    theirs.apply(&resources).unwrap();
    assert_eq!(read(&file), before);
    parent.apply(&Resources::from_cgroups_rs(&resources, Require::Must).unwrap()).unwrap();
    assert_eq!(read(&file), sizes[0].0.to_string());
    let now = parent.settings(Controller::HugeTlb).unwrap();
    assert!(now.contains(&HugeTlb::Max(sizes[0].0, Limit::Value(sizes[0].0)).into()), "{now:?}");
}

fn rules_for_devices() -> theirs::Resources {
    use theirs::devices::{DevicePermissions, DeviceType};
    let rule = |allow, devtype, major, minor, access: &str| theirs::DeviceResource {
        allow,
        devtype,
        major,
        minor,
        access: DevicePermissions::from_str(access).unwrap(),
    };
    let devices = vec![
        rule(false, DeviceType::All, -1, -1, "rwm"),
        rule(true, DeviceType::Char, 1, 3, "rw"),
        rule(true, DeviceType::Char, 5, -1, "rwm"),
        rule(true, DeviceType::Block, 7, 0, "r"),
    ];
    theirs::Resources { devices: theirs::DeviceResources { devices }, ..Default::default() }
}

#[test]
fn rules_for_devices_agree_on_v1() {
    let pair = pair!(Controller::Devices);
    pair.apply(&rules_for_devices());
    let list = |name| {
        let list = read(pair.directory(Controller::Devices, name).join("devices.list"));
        let mut lines: Vec<_> = list.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(list("ours"), ["b 7:0 r", "c 1:3 rw", "c 5:* rwm"]);
    assert_eq!(list("ours"), list("theirs"));
}

/// There they are a program, for which cgroups-rs has no controller.
#[test]
fn rules_for_devices_on_v2_are_enforced_by_us_only() {
    require_root!();
    let cgroup = test_cgroup!(Controller::Devices);
    if common::version_of(Controller::Devices) != Some(Version::V2) {
        absent!("devices are a controller of v1");
    }
    let denied = || {
        let script = "read go; (: </dev/null) && ! (: </dev/zero) 2>&1";
        let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        cgroup.add(child.id()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap().success()
    };
    theirs::Cgroup::load(auto(), cgroup.path().as_path()).apply(&rules_for_devices()).unwrap();
    assert!(!denied());
    let plan = Resources::from_cgroups_rs(&rules_for_devices(), Require::Must).unwrap();
    cgroup.apply(&plan).unwrap();
    assert!(denied());
}
