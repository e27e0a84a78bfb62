//! Whatever a plan says and whatever files there are: it holds as a whole, or nothing has changed; and nothing is made.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod arbitrary;
mod common;

use arbitrary::{Names, is_in_range, plan, setting};
use cofferdam_cgroups::{
    Cgroup, CgroupPath, ControlFile, Error, Io, Require, Resources, Setting, Unified, Version,
};
use common::FakeTree;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longer than whatever is written: a plain file is not replaced by a write, as a control file is.
const LENGTH: usize = 2000;

const V2: [(&str, &str); 25] = [
    ("cpu.weight", "100"),
    ("cpu.max", "max 100000"),
    ("cpu.max.burst", "0"),
    ("cpu.idle", "0"),
    ("cpuset.cpus", "0-3"),
    ("cpuset.mems", "0"),
    ("cpuset.cpus.partition", "isolated"),
    ("memory.max", "max"),
    ("memory.high", "max"),
    ("memory.low", "0"),
    ("memory.min", "0"),
    ("memory.swap.max", "max"),
    ("memory.oom.group", "0"),
    ("io.weight", "default 100"),
    ("io.bfq.weight", "default 100"),
    ("io.max", "8:0 rbps=max wbps=max riops=max wiops=max"),
    ("pids.max", "max"),
    ("hugetlb.2MB.max", "max"),
    ("hugetlb.2MB.rsvd.max", "max"),
    ("hugetlb.1GB.max", "max"),
    ("rdma.max", "name0 hca_handle=max hca_object=max"),
    ("misc.max", "name0 max"),
    ("misc.other", "1"),
    ("cgroup.max.depth", "max"),
    ("unknown.file", "1"),
];

const V1: [(&str, &str); 31] = [
    ("cpu.shares", "1024"),
    ("cpu.cfs_quota_us", "-1"),
    ("cpu.cfs_period_us", "100000"),
    ("cpu.cfs_burst_us", "0"),
    ("cpu.idle", "0"),
    ("cpu.rt_runtime_us", "0"),
    ("cpu.rt_period_us", "1000000"),
    ("cpuset.cpus", "0-3"),
    ("cpuset.mems", "0"),
    ("cpuset.cpu_exclusive", "0"),
    ("cpuset.mem_exclusive", "0"),
    ("cpuset.memory_migrate", "0"),
    ("memory.limit_in_bytes", "9223372036854771712"),
    ("memory.soft_limit_in_bytes", "9223372036854771712"),
    ("memory.memsw.limit_in_bytes", "9223372036854771712"),
    ("memory.kmem.limit_in_bytes", "9223372036854771712"),
    ("memory.kmem.tcp.limit_in_bytes", "9223372036854771712"),
    ("memory.swappiness", "60"),
    ("memory.use_hierarchy", "1"),
    ("blkio.bfq.weight", "100"),
    ("blkio.weight", "500"),
    ("blkio.leaf_weight", "500"),
    ("blkio.throttle.read_bps_device", "8:0 1048576"),
    ("blkio.throttle.write_iops_device", "8:0 100"),
    ("pids.max", "max"),
    ("hugetlb.2MB.limit_in_bytes", "9223372036852678656"),
    ("rdma.max", "name0 hca_handle=max hca_object=max"),
    ("misc.max", "name0 max"),
    ("net_cls.classid", "0"),
    ("net_prio.ifpriomap", "name0 0"),
    ("blkio.bfq.weight_device", "8:0 100"),
];

const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc";

fn names(version: Version, others: bool) -> Names {
    let files = if version == Version::V1 { V1.as_slice() } else { V2.as_slice() };
    // Of this one a word is written back, not the line.
    let files = files.iter().map(|(file, _)| *file).filter(|file| *file != "cpuset.cpus.partition");
    Names { files: files.map(str::to_owned).collect(), others }
}

/// A host with a cgroup `job`, made once for each test, as files take the most time.
fn make(version: Version) -> (FakeTree, Cgroup) {
    let mut tree = FakeTree::new().kernel("memory\t0\t1\t1");
    if version == Version::V2 {
        tree = tree.v2("/sys/fs/cgroup", CONTROLLERS).cgroup2("/sys/fs/cgroup/job", CONTROLLERS);
    } else {
        for name in
            ["cpu", "cpuset", "memory", "blkio", "pids", "hugetlb", "rdma", "misc", "net_cls", "net_prio"]
        {
            let point = format!("/sys/fs/cgroup/{name}");
            tree = tree.v1(&point, name).file(&format!("{point}/job/cgroup.procs"), "");
        }
    }
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    (tree, job)
}

thread_local! {
    static HOSTS: [(FakeTree, Cgroup); 2] = [Version::V1, Version::V2].map(make);
}

/// The host of a version, with these files in `job`.
fn with_host<T>(version: Version, files: &[(&str, &str)], test: impl FnOnce(&FakeTree, &Cgroup) -> T) -> T {
    HOSTS.with(|hosts| {
        let (tree, job) = &hosts[usize::from(version == Version::V2)];
        let all = if version == Version::V1 { V1.as_slice() } else { V2.as_slice() };
        for (file, value) in all {
            let (path, content) = (tree.path(path_of(version, file)), format!("{value:<LENGTH$}\n"));
            match (files.contains(&(file, value)), std::fs::read(&path)) {
                (true, Ok(now)) if now == content.as_bytes() => {}
                (true, _) => std::fs::write(path, content).unwrap(),
                (false, Ok(_)) => std::fs::remove_file(path).unwrap(),
                (false, Err(_)) => {}
            }
        }
        test(tree, job)
    })
}

fn path_of(version: Version, file: &str) -> String {
    match (version, file.split('.').next()) {
        (Version::V1, Some(controller)) => format!("/sys/fs/cgroup/{controller}/job/{file}"),
        _ => format!("/sys/fs/cgroup/job/{file}"),
    }
}

/// All files below a directory with their contents.
fn contents(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.insert(path, String::from_utf8_lossy(&content).into_owned());
        }
    }
    found
}

/// Controllers that are enabled on the way stay so.
fn without_enabled(mut contents: BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, String> {
    contents.retain(|path, _| !path.ends_with("cgroup.subtree_control"));
    contents
}

/// Applies a plan, and checks what has to hold whatever came of it.
fn check(version: Version, files: &[(&str, &str)], plan: &Resources) -> Result<(), TestCaseError> {
    let (before, result, after) = with_host(version, files, |tree, job| {
        let before = contents(tree.root());
        (before, job.apply(plan), contents(tree.root()))
    });
    prop_assert!(before.keys().eq(after.keys()), "files came or went");
    if let Err(fault) = plan.validate() {
        prop_assert_eq!(result.unwrap_err(), fault);
        prop_assert_eq!(before, after);
        return Ok(());
    }
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            prop_assert!(!matches!(error, Error::NotRestored { .. }), "{}", error);
            prop_assert_eq!(without_enabled(before), without_enabled(after), "{}", error);
            return Ok(());
        }
    };
    for (setting, _) in plan.entries().filter(|(_, require)| *require == Require::Must) {
        prop_assert!(outcome.applied().iter().any(|applied| applied.setting == *setting), "{setting}");
    }
    let mut settings: Vec<&Setting> = outcome.applied().iter().map(|applied| &applied.setting).collect();
    settings.extend(outcome.left_out().iter().map(|left_out| &left_out.setting));
    prop_assert_eq!(sorted(settings.into_iter()), sorted(plan.settings()));
    // Of several writes to one file the last one holds.
    let writes = outcome.applied().iter().flat_map(|applied| &applied.written);
    let last: BTreeMap<_, _> = writes.map(|written| (written.path.clone(), &written.value)).collect();
    for (path, content) in &after {
        match last.get(path) {
            Some(value) => prop_assert!(content.starts_with(value.as_str()), "{path:?}: {content}"),
            None if path.ends_with("cgroup.subtree_control") => {}
            None => prop_assert_eq!(Some(content), before.get(path), "{:?}", path),
        }
    }
    Ok(())
}

fn sorted<'a>(settings: impl Iterator<Item = &'a Setting>) -> Vec<String> {
    let mut lines: Vec<_> = settings.map(|setting| format!("{setting:?}")).collect();
    lines.sort();
    lines
}

/// Some of the files.
fn some(
    files: &'static [(&'static str, &'static str)],
) -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop_oneof![Just(files.to_vec()), prop::sample::subsequence(files, 0..=files.len())]
}

/// Files with a line for each key.
const KEYED: [&str; 6] = ["io.max", "io.weight", "io.bfq.weight", "io.latency", "rdma.max", "misc.max"];

/// Mostly what may be written, so that it comes to that. A write to a line that is not the first one of its file cannot
/// be told from others in a plain file: there is only one device, but on v2 one file has a default, too.
fn some_setting(version: Version) -> impl Strategy<Value = Setting> {
    let one_line = move |setting: &Setting| {
        let of_device = matches!(setting, Setting::Io(Io::DeviceWeight(..) | Io::DeviceBlkioWeight(..)));
        // By its name a file gets any keys.
        let of_any_key = match setting {
            Setting::Unified(Unified { file, value })
            | Setting::ControlFile(ControlFile { file, value, .. }) => {
                KEYED.contains(&file.as_str()) && value.trim().contains(' ')
            }
            _ => false,
        };
        is_in_range(setting) && !of_any_key && (version == Version::V1 || !of_device)
    };
    let sensible = setting(&names(version, false)).prop_filter("in range, one line", one_line);
    let others = setting(&names(version, true)).prop_filter("out of range", |setting| !is_in_range(setting));
    prop_oneof![29 => sensible, 1 => others]
}

proptest! {
    #[test]
    fn exactly_what_is_out_of_range_is_refused(setting in setting(&names(Version::V2, true))) {
        let refused = setting.validate();
        prop_assert_eq!(refused.is_ok(), is_in_range(&setting), "{:?} {:?}", setting, refused);
        let kind = matches!(refused, Ok(()) | Err(Error::Value { .. } | Error::DeviceRules(_)));
        prop_assert!(kind, "{:?}", refused);
        prop_assert!(setting.to_string().starts_with(&setting.subject()));
    }

    #[test]
    fn a_plan_has_one_setting_of_a_subject(plan in plan(setting(&names(Version::V2, true)))) {
        let mut subjects: Vec<_> = plan.settings().map(Setting::subject).collect();
        subjects.sort();
        subjects.dedup();
        prop_assert_eq!(subjects.len(), plan.settings().count());
        prop_assert_eq!(plan.validate().is_ok(), plan.settings().all(is_in_range));
    }

    #[test]
    fn any_plan_holds_or_changes_nothing_on_v2(
        files in some(&V2),
        plan in plan(some_setting(Version::V2)),
    ) {
        check(Version::V2, &files, &plan)?;
    }

    #[test]
    fn any_plan_holds_or_changes_nothing_on_v1(
        files in some(&V1),
        plan in plan(some_setting(Version::V1)),
    ) {
        check(Version::V1, &files, &plan)?;
    }
}

#[test]
fn a_setting_of_which_only_half_can_be_had_is_not_left_out() {
    use cofferdam_cgroups::{Cpu, Limit};
    use std::time::Duration;
    let (period, quota) = (Some(Duration::from_millis(50)), Some(Limit::Value(Duration::from_millis(20))));
    let plan = Resources::new().if_available(Cpu::Max { quota, period });
    with_host(Version::V1, &[("cpu.cfs_period_us", "100000")], |tree, job| {
        let before = contents(tree.root());
        let error = job.apply(&plan).unwrap_err().to_string();
        assert!(error.ends_with("cpu.cfs_quota_us: ENOENT (No such file or directory)"), "{error}");
        assert_eq!(contents(tree.root()), before);
    });
    with_host(Version::V1, &[], |_, job| {
        assert_eq!(job.apply(&plan).unwrap().left_out().len(), 1);
    });
}
