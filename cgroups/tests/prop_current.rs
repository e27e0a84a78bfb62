//! What is set is read from whatever the files contain: settings, or an error that names the file; never a panic.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use cofferdam_cgroups::{
    Bytes, Cgroup, CgroupPath, Controller, Error, HugeTlb, Limit, Resources, Setting, Version,
};
use common::FakeTree;
use proptest::prelude::*;

/// As kernels print them.
const V2: [(&str, &str); 28] = [
    ("cpu.idle", "0\n"),
    ("cpu.max", "max 100000\n"),
    ("cpu.max.burst", "0\n"),
    ("cpu.weight", "100\n"),
    ("cpuset.cpus", "0-3,7\n"),
    ("cpuset.cpus.partition", "root invalid (Cpu list in cpuset.cpus not exclusive)\n"),
    ("cpuset.mems", "\n"),
    ("hugetlb.1GB.max", "1073741824\n"),
    ("hugetlb.1GB.rsvd.max", "max\n"),
    ("hugetlb.2MB.max", "9223372036854771712\n"),
    ("hugetlb.2MB.rsvd.max", "max\n"),
    ("io.bfq.weight", "default 100\n8:16 300\n"),
    ("io.max", "8:16 rbps=2097152 wbps=max riops=max wiops=120\n254:0 rbps=max wbps=1 riops=1 wiops=1\n"),
    ("io.weight", "default 100\n8:16 200\n"),
    ("memory.high", "max\n"),
    ("memory.low", "0\n"),
    ("memory.max", "67108864\n"),
    ("memory.min", "0\n"),
    ("memory.oom.group", "1\n"),
    ("memory.swap.max", "max\n"),
    ("misc.max", "res_a max\nres_b 4\n"),
    ("pids.max", "max\n"),
    ("rdma.max", "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 hca_object=max\n"),
    // Of others, which must not be taken for these.
    ("cpu.max.other", "1 2 3\n"),
    ("hugetlb.max", "x\n"),
    ("hugetlb.2MB.numa_stat", "total=0 N0=0\n"),
    ("hugetlb.MB.max", "1\n"),
    ("misc.capacity", "res_a 50\n"),
];

const V1: [(&str, &str); 31] = [
    ("blkio.bfq.weight", "100\n"),
    ("blkio.bfq.weight_device", "default 100\n8:16 300\n"),
    ("blkio.throttle.read_bps_device", "8:0 1048576\n8:16 5\n"),
    ("blkio.throttle.read_iops_device", ""),
    ("blkio.throttle.write_bps_device", "8:0 1048576\n"),
    ("blkio.throttle.write_iops_device", "8:0 4294967295\n"),
    ("cpu.cfs_burst_us", "0\n"),
    ("cpu.cfs_period_us", "100000\n"),
    ("cpu.cfs_quota_us", "-1\n"),
    ("cpu.idle", "0\n"),
    ("cpu.rt_period_us", "1000000\n"),
    ("cpu.rt_runtime_us", "0\n"),
    ("cpu.shares", "1024\n"),
    ("cpuset.cpu_exclusive", "0\n"),
    ("cpuset.cpus", "0-1\n"),
    ("cpuset.mem_exclusive", "0\n"),
    ("cpuset.memory_migrate", "1\n"),
    ("cpuset.mems", "0\n"),
    ("hugetlb.2MB.limit_in_bytes", "9223372036852678656\n"),
    ("hugetlb.2MB.rsvd.limit_in_bytes", "2097152\n"),
    ("memory.kmem.tcp.limit_in_bytes", "9223372036854771712\n"),
    ("memory.limit_in_bytes", "67108864\n"),
    ("memory.memsw.limit_in_bytes", "9223372036854771712\n"),
    ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"),
    ("memory.soft_limit_in_bytes", "9223372036854771712\n"),
    ("memory.swappiness", "60\n"),
    ("memory.use_hierarchy", "1\n"),
    ("net_cls.classid", "1048577\n"),
    ("net_prio.ifpriomap", "lo 0\neth0 5\n"),
    ("pids.max", "4096\n"),
    ("misc.max", "res_a max\nres_b 4\n"),
];

fn files(version: Version) -> &'static [(&'static str, &'static str)] {
    if version == Version::V1 { &V1 } else { &V2 }
}

/// A cgroup with all files of a version.
fn cgroup(version: Version) -> (FakeTree, Cgroup) {
    const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc";
    let mut tree = FakeTree::new();
    if version == Version::V2 {
        tree = tree.v2("/sys/fs/cgroup", CONTROLLERS).cgroup2("/sys/fs/cgroup/job", CONTROLLERS);
    } else {
        for controller in Controller::ALL {
            let name = controller.name(Version::V1).unwrap();
            tree = tree.v1(&format!("/sys/fs/cgroup/{name}"), name);
            tree = tree.file(&format!("/sys/fs/cgroup/{name}/job/cgroup.procs"), "");
        }
    }
    for (file, content) in files(version) {
        tree = tree.file(&path_of(version, file), content);
    }
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    (tree, job)
}

thread_local! {
    /// Made once for each test, as files take the most time.
    static HOSTS: [(FakeTree, Cgroup); 2] = [Version::V1, Version::V2].map(cgroup);
}

fn path_of(version: Version, file: &str) -> String {
    match version {
        Version::V1 => format!("/sys/fs/cgroup/{}/job/{file}", file.split('.').next().unwrap()),
        Version::V2 => format!("/sys/fs/cgroup/job/{file}"),
    }
}

/// All but devices, whose lists are not read where there is no cgroup file system.
fn controllers(version: Version) -> impl Iterator<Item = Controller> {
    Controller::ALL
        .into_iter()
        .filter(move |controller| *controller != Controller::Devices && controller.name(version).is_some())
}

/// A content with a few bytes changed, cut off, or replaced as a whole.
fn mutated(content: &'static str) -> impl Strategy<Value = Vec<u8>> {
    use prop::sample::Index;
    let byte =
        prop_oneof![Just(b'\n'), Just(b' '), Just(b'='), Just(b':'), Just(b'-'), Just(b'9'), any::<u8>()];
    let flips = prop::collection::vec((any::<Index>(), byte), 0..4);
    let cut = prop::option::of(any::<Index>());
    let same = (flips, cut, any::<bool>()).prop_map(move |(flips, cut, again)| {
        let mut new = content.as_bytes().to_vec();
        for (at, byte) in flips {
            if let Some(old) = new.get_mut(at.index(content.len() + 1)) {
                *old = byte;
            }
        }
        if let Some(at) = cut {
            new.truncate(at.index(content.len() + 1));
        }
        if again { [new.clone(), new].concat() } else { new }
    });
    prop_oneof![8 => same, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn mutation(version: Version) -> impl Strategy<Value = (usize, Vec<u8>)> {
    (0..files(version).len()).prop_flat_map(move |index| {
        mutated(files(version)[index].1).prop_map(move |content| (index, content))
    })
}

fn check(version: Version, index: usize, content: &[u8]) -> Result<(), TestCaseError> {
    let (file, original) = files(version)[index];
    HOSTS.with(|hosts| {
        let (tree, job) = &hosts[usize::from(version == Version::V2)];
        let path = tree.path(path_of(version, file));
        std::fs::write(&path, content).unwrap();
        let found: Vec<_> = controllers(version).map(|controller| job.settings(controller)).collect();
        std::fs::write(&path, original).unwrap();
        for settings in found {
            match settings {
                Ok(settings) => prop_assert!(settings.iter().all(|setting| !setting.to_string().is_empty())),
                Err(Error::Parse { path, .. }) => prop_assert!(path.ends_with(file), "{:?}", path),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        Ok(())
    })
}

proptest! {
    #[test]
    fn changed_files_of_v2_are_read_or_named((index, content) in mutation(Version::V2)) {
        check(Version::V2, index, &content)?;
    }

    #[test]
    fn changed_files_of_v1_are_read_or_named((index, content) in mutation(Version::V1)) {
        check(Version::V1, index, &content)?;
    }
}

/// Of what real files say all is understood, and can be set again.
#[test]
fn what_is_read_can_be_set() {
    for (version, expected) in [(Version::V1, 32), (Version::V2, 32)] {
        let (_tree, job) = cgroup(version);
        let settings: Vec<Setting> =
            controllers(version).flat_map(|controller| job.settings(controller).unwrap()).collect();
        assert_eq!(settings.len(), expected, "{settings:#?}");
        let plan = settings.iter().cloned().fold(Resources::new(), Resources::must);
        plan.validate().unwrap();
        assert_eq!(plan.settings().count(), settings.len());
    }
}

/// It is rounded to whole pages, of 4 KiB or of the size that the limit is about.
#[test]
fn the_largest_number_is_no_limit_of_huge_pages() {
    let size = Bytes::mib(2);
    for version in [Version::V1, Version::V2] {
        let (_tree, job) = cgroup(version);
        let now = job.settings(Controller::HugeTlb).unwrap();
        assert!(now.contains(&HugeTlb::Max(size, Limit::Max).into()), "{now:?}");
    }
}
