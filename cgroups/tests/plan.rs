//! Plans as a whole: all or nothing, what is left out, and why.

mod common;

use cofferdam_cgroups::{
    Bytes, CgroupPath, ControlFile, Controller, Controllers, Cpu, CpuSet, DeviceRules, DeviceState, Error,
    Limit, Memory, Misc, Rdma, Resources, Setting, Unified,
};
use common::{FakeTree, host};
use std::os::fd::AsFd;

/// A list of processors that no machine has.
fn nowhere() -> CpuSet {
    CpuSet::Cpus("60000".parse().expect("a list"))
}

#[test]
fn a_plan_that_fails_leaves_everything_as_it_was() {
    let cgroup = test_cgroup!(Controller::Memory, Controller::Pids, Controller::Cpu, Controller::CpuSet);
    let before = Resources::new()
        .must(Memory::max(Bytes::mib(100)))
        .must(Setting::Pids(Limit::Value(50)))
        .must(Cpu::cpus(0.25));
    cgroup.apply(&before).unwrap();
    let state =
        || [Controller::Memory, Controller::Pids, Controller::Cpu].map(|c| cgroup.settings(c).unwrap());
    let was = state();
    let plan = Resources::new()
        .must(Memory::max(Bytes::mib(10)))
        .must(Setting::Pids(Limit::Max))
        .must(Cpu::cpus(1.5))
        .if_available(Cpu::Weight(7))
        .must(nowhere());
    let error = cgroup.apply(&plan).unwrap_err();
    assert!(error.to_string().starts_with("write \"60000\" to /"), "{error}");
    assert!(error.to_string().contains("cpuset.cpus: E"), "{error}");
    assert_eq!(state(), was);
}

/// There is nothing to note of them, and what was noted of others stays noted.
#[test]
fn files_that_are_only_written_can_be_set() {
    let cgroup = test_cgroup!(Controller::Memory, Controller::Pids);
    let names = ["memory.force_empty", "memory.reclaim"];
    let there = |name: &&str| common::directory_of(&cgroup, Controller::Memory).join(name).exists();
    let Some(name) = names.into_iter().find(there) else { absent!("this kernel has none") };
    let only_written = ControlFile::new(Controller::Memory, name, "0");
    let plan = Resources::new().must(Setting::Pids(Limit::Value(7))).must(only_written);
    assert!(cgroup.apply(&plan).unwrap().is_complete());
    let plan = plan.must(Setting::Pids(Limit::Value(8))).must(Unified::new("pids.none", "1"));
    cgroup.apply(&plan).unwrap_err();
    assert_eq!(cgroup.settings(Controller::Pids).unwrap(), [Setting::Pids(Limit::Value(7))]);
}

/// They are not written back, so they come last, even behind what the kernel refuses at first.
#[test]
fn rules_for_devices_are_not_touched_by_a_plan_that_fails() {
    require_root!();
    let cgroup = test_cgroup!(Controller::Devices, Controller::CpuSet);
    let state = || {
        let directory = common::directory_of(&cgroup, Controller::Devices);
        DeviceState::read(std::fs::File::open(directory).unwrap().as_fd()).unwrap()
    };
    let was = state();
    let plan = Resources::new().must(DeviceRules::deny_all()).must(nowhere());
    cgroup.apply(&plan).unwrap_err();
    assert_eq!(state(), was);
}

#[test]
fn a_new_cgroup_whose_plan_fails_is_not_there() {
    let parent = test_cgroup!(Controller::Memory, Controller::CpuSet);
    let plan = Resources::new().must(Memory::max(Bytes::mib(10))).must(nowhere());
    assert!(parent.create_with("child", &plan).is_err());
    assert!(parent.children().unwrap().is_empty());
}

#[test]
fn a_value_that_the_kernel_refuses_is_an_error_even_where_it_need_not_be_available() {
    let cgroup = test_cgroup!(Controller::CpuSet);
    let error = cgroup.apply(&Resources::new().if_available(nowhere())).unwrap_err();
    assert!(matches!(&error, Error::Write { value, .. } if value == "60000"), "{error}");
}

#[test]
fn a_limit_below_the_use_is_refused_if_it_is_to_be_checked() {
    let cgroup = test_cgroup!(Controller::Memory);
    let _sleeper = cgroup.sleeper();
    // What it allocates from now on is charged to the cgroup.
    let mut eater = std::process::Command::new("sh")
        .args(["-c", "read go; x=$(head -c 3000000 /dev/zero | tr '\\0' x); echo done; read end"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    cgroup.add(eater.id()).unwrap();
    use std::io::{Read, Write};
    eater.stdin.as_ref().unwrap().write_all(b"go\n").unwrap();
    let mut done = [0; 5];
    eater.stdout.as_mut().unwrap().read_exact(&mut done).unwrap();
    let plan = Resources::new().must(Memory::max(Bytes::kib(1024))).check_before_update(true);
    let error = cgroup.apply(&plan).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().starts_with("memory.max cannot be 1048576: "), "{error}");
    assert!(cgroup.settings(Controller::Memory).unwrap().contains(&Memory::Max(Limit::Max).into()));
    eater.kill().unwrap();
    eater.wait().unwrap();
}

#[test]
fn a_cgroup_that_was_removed_is_told_and_nothing_is_left_out_for_it() {
    let parent = test_cgroup!(Controller::Memory);
    let child = parent.create("child", Controller::Memory.into()).unwrap();
    child.remove(common::SOON).unwrap();
    let error = child.apply(&Resources::new().if_available(Memory::max(Bytes::mib(1)))).unwrap_err();
    assert!(error.is_gone(), "{error}");
}

/// On v2 the controller gets enabled above; v1 needs no such thing.
#[test]
fn controllers_are_enabled_where_they_are_needed() {
    let parent = test_cgroup!(Controller::Memory, Controller::Pids);
    let plan = Resources::new().must(Memory::max(Bytes::mib(10))).must(Setting::Pids(Limit::Value(5)));
    let middle = parent.create("middle", plan.controllers()).unwrap();
    let (child, outcome) = middle.create_with("child", &plan).unwrap();
    assert!(outcome.is_complete(), "{outcome:?}");
    child.remove(common::SOON).unwrap();
}

/// A v2 host with the controllers that machines seldom have.
fn unusual() -> FakeTree {
    FakeTree::new()
        .v2("/sys/fs/cgroup", "memory rdma misc")
        .own("0::/")
        .cgroup2("/sys/fs/cgroup/job", "memory rdma misc")
        .file("/sys/fs/cgroup/job/memory.max", "max\n")
        .file("/sys/fs/cgroup/job/memory.high", "max\n")
        .file("/sys/fs/cgroup/job/rdma.max", "mlx4_0 hca_handle=max hca_object=max\n")
        .file("/sys/fs/cgroup/job/misc.max", "res_a max\nres_b 4\n")
        .kernel("memory\t0\t1\t1\nrdma\t0\t1\t1\nmisc\t0\t1\t1\nnet_cls\t0\t1\t1")
}

#[test]
fn rdma_and_misc_are_written_and_read() {
    let tree = unusual();
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let misc = job.settings(Controller::Misc).unwrap();
    let expected = [("res_a", Limit::Max), ("res_b", Limit::Value(4))];
    assert_eq!(misc, expected.map(|(resource, max)| Misc { resource: resource.to_owned(), max }.into()));
    let limits = |hca_handle, hca_object| Rdma { device: "mlx4_0".to_owned(), hca_handle, hca_object };
    assert_eq!(job.settings(Controller::Rdma).unwrap(), [limits(Some(Limit::Max), Some(Limit::Max)).into()]);
    job.apply(&Resources::new().must(limits(Some(Limit::Value(2)), None))).unwrap();
    assert!(tree.read("/sys/fs/cgroup/job/rdma.max").starts_with("mlx4_0 hca_handle=2"));
    job.apply(&Resources::new().must(Misc { resource: "res_a".to_owned(), max: Limit::Value(1) })).unwrap();
    assert!(tree.read("/sys/fs/cgroup/job/misc.max").starts_with("res_a 1"));
}

#[test]
fn what_is_left_out_says_why() {
    let tree = unusual();
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let plan = Resources::new()
        .must(Memory::max(Bytes::mib(1)))
        .if_available(Memory::OomGroup(true))
        .if_available(Memory::Swappiness(5))
        .if_available(cofferdam_cgroups::NetCls(5))
        .if_available(Setting::Pids(Limit::Value(5)));
    let outcome = job.apply(&plan).unwrap();
    assert_eq!(outcome.applied().len(), 1);
    let reasons: Vec<_> = outcome
        .left_out()
        .iter()
        .map(|left| format!("{}: {}", left.setting, left.reason).replace(&*tree.root().to_string_lossy(), ""))
        .collect();
    assert_eq!(
        reasons,
        [
            "memory.oom.group 1: open /sys/fs/cgroup/job/memory.oom.group: ENOENT (No such file or directory)",
            "memory.swappiness 5: cgroup v2 has no swappiness of a cgroup",
            "net_cls.classid 5: no controller net_cls for the cgroup /job: no hierarchy with it is mounted",
            "pids.max 5: enable pids: this kernel does not have it",
        ]
    );
}

#[test]
fn a_file_that_is_missing_is_not_made() {
    let tree = unusual();
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let plan =
        Resources::new().must(Unified::new("memory.high", "1000")).must(Unified::new("memory.low", "7"));
    let error = job.apply(&plan).unwrap_err();
    assert!(error.to_string().contains("memory.low: ENOENT"), "{error}");
    assert!(!tree.path("/sys/fs/cgroup/job/memory.low").exists());
    assert!(tree.read("/sys/fs/cgroup/job/memory.high").starts_with("max"), "what was there is back");
}

#[test]
fn a_line_of_a_file_by_its_name_is_taken_back_alone() {
    let tree = unusual();
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let plan =
        Resources::new().must(Unified::new("misc.max", "res_b 7")).must(Unified::new("memory.low", "7"));
    assert!(job.apply(&plan).is_err());
    // A plain file has what was written last at its beginning.
    assert!(tree.read("/sys/fs/cgroup/job/misc.max").starts_with("res_b 4"), "the line that was there");
}

#[test]
fn a_file_in_an_unknown_form_is_told_with_its_line() {
    let tree = unusual().file("/sys/fs/cgroup/job/misc.max", "res_a 1\nres_b many\n");
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let text = job.settings(Controller::Misc).unwrap_err().to_string();
    assert!(text.ends_with("misc.max has the line \"many\": a resource and a limit expected"), "{text}");
}

#[test]
fn a_value_that_no_kernel_takes_is_refused_before_anything_is_written() {
    let tree = unusual();
    let job = tree.hierarchies().open(&CgroupPath::new("job").unwrap()).unwrap();
    let plan = Resources::new().must(Memory::max(Bytes::mib(1))).if_available(Cpu::Weight(0));
    assert_eq!(job.apply(&plan).unwrap_err().to_string(), "cpu.weight cannot be 0: 1 to 10000");
    assert_eq!(tree.read("/sys/fs/cgroup/job/memory.max"), "max\n");
}

#[test]
fn the_root_of_the_host_has_no_limits() {
    let root = host().root().unwrap();
    require!(host().iter().all(|hierarchy| hierarchy.shows_real_root()), "the real root");
    let plan = Resources::new().must(Setting::Pids(Limit::Value(100_000)));
    // Never a plain file, never a success.
    let error = root.apply(&plan).unwrap_err();
    assert!(error.to_string().contains("pids.max: ENOENT"), "{error}");
    assert_eq!(Controllers::from(Controller::Pids), plan.controllers());
}
