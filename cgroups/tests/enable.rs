//! Controllers for the cgroups in a cgroup.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Controllers, EnableFault, Error, Version};
use common::{FakeTree, SOON, directories, host, read, some_of_v2};

fn set(controllers: &[Controller]) -> Controllers {
    controllers.iter().copied().collect()
}

fn open(tree: &FakeTree, path: &str) -> cofferdam_cgroups::Cgroup {
    tree.hierarchies()
        .open(&CgroupPath::new(path).expect("path of a cgroup"))
        .expect("cgroup of a made-up host")
}

#[test]
fn only_what_is_not_enabled_is_written_by_one_call() {
    let tree = FakeTree::new()
        .v2("/cg", "cpu memory pids")
        .cgroup2("/cg/a", "cpu memory pids")
        .file("/cg/a/cgroup.subtree_control", "memory\n");
    open(&tree, "a").enable(set(&[Controller::Memory])).unwrap();
    assert_eq!(tree.read("/cg/a/cgroup.subtree_control"), "memory\n");
    open(&tree, "a").enable(set(&[Controller::Cpu, Controller::Memory, Controller::Pids])).unwrap();
    assert_eq!(tree.read("/cg/a/cgroup.subtree_control"), "+cpu +pids");
    assert_eq!(tree.read("/cg/cgroup.subtree_control"), "\n", "what the cgroup has is not enabled above");
}

#[test]
fn what_a_cgroup_does_not_have_is_enabled_above_first() {
    let tree = FakeTree::new().v2("/cg", "cpu pids").cgroup2("/cg/a", "cpu").cgroup2("/cg/a/b", "");
    open(&tree, "a/b").enable(set(&[Controller::Cpu, Controller::Pids])).unwrap();
    assert_eq!(tree.read("/cg/cgroup.subtree_control"), "+pids");
    assert_eq!(tree.read("/cg/a/cgroup.subtree_control"), "+cpu +pids");
    assert_eq!(tree.read("/cg/a/b/cgroup.subtree_control"), "+cpu +pids");
}

#[test]
fn a_controller_that_no_cgroup_above_has_is_named_with_the_topmost() {
    let tree = FakeTree::new().v2("/cg", "cpu").cgroup2("/cg/a", "cpu").kernel("pids 0 1 1");
    let error = open(&tree, "a").enable(set(&[Controller::Cpu, Controller::Pids])).unwrap_err();
    let expected = "enable pids: \
                    it is not in cgroup.controllers of the topmost cgroup that this process sees";
    assert_eq!(error.to_string(), expected);
    // Known at the time of the discovery, gone since.
    let cgroup = open(&tree, "a");
    let tree = tree.file("/cg/cgroup.controllers", "\n").file("/cg/a/cgroup.controllers", "\n");
    let error = cgroup.enable(Controller::Cpu.into()).unwrap_err();
    let at = tree.path("/cg").display().to_string();
    let expected = format!(
        "enable cpu: cgroup.controllers of {at} does not list it, and no cgroup above that can be seen"
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_on_v1_or_a_part_of_each_cgroup_needs_nothing() {
    let tree = FakeTree::new().v1("/cg/pids", "pids").v2("/cg/unified", "cpu");
    let root = tree.hierarchies().root().unwrap();
    root.enable(set(&[Controller::Pids, Controller::Freezer, Controller::Devices, Controller::CpuAcct]))
        .unwrap();
    assert_eq!(tree.read("/cg/unified/cgroup.subtree_control"), "\n");
    let cgroup = tree.hierarchies().create(&CgroupPath::new("x").unwrap(), Controllers::EMPTY).unwrap();
    let error = cgroup.enable(Controller::Pids.into()).unwrap_err();
    let at = tree.path("/cg/pids").display().to_string();
    assert_eq!(
        error.to_string(),
        format!("no controller pids for the cgroup /x: it has no directory below {at}")
    );
}

#[test]
fn the_kernel_enables_down_to_a_new_cgroup() {
    let Some(controller) = some_of_v2() else { absent!("v2 has no controller here") };
    let top = test_cgroup!(controller);
    let middle = top.create("middle", Controllers::EMPTY).unwrap();
    let lowest = middle.create("lowest", Controllers::EMPTY).unwrap();
    lowest.enable(controller.into()).unwrap();
    lowest.enable(controller.into()).expect("a second time is no error");
    for cgroup in [&*top, &middle, &lowest] {
        let enabled = read(directories(cgroup)[0].1.join("cgroup.subtree_control"));
        assert_eq!(Controllers::parse(&enabled, Version::V2), controller.into());
    }
}

/// With each controller alone, as the kernel refuses only some of them.
#[test]
fn a_cgroup_with_processes_passes_nothing_on() {
    let controllers = common::all_of(Version::V2);
    if controllers.is_empty() {
        absent!("v2 has no controller here");
    }
    for controller in controllers {
        let top = test_cgroup!(controller);
        let cgroup = top.create("full", Controllers::EMPTY).unwrap();
        let below = cgroup.create("below", Controllers::EMPTY).unwrap();
        let _sleeper = top.sleeper_in(&cgroup);
        let error = below.enable(controller.into()).unwrap_err();
        let at = directories(&cgroup)[0].1.clone();
        let why = EnableFault::HasProcesses { at: at.clone() };
        assert_eq!(error, Error::Enable { controllers: controller.into(), why });
        let of = "has processes of its own; move them to a cgroup in it first";
        assert_eq!(error.to_string(), format!("enable {controller}: {} {of}", at.display()));
        assert_eq!(read(at.join("cgroup.type")), "domain");
        let above = at.parent().unwrap().join("cgroup.subtree_control");
        assert_eq!(read(above), "", "what was enabled above is taken back");
    }
}

#[test]
fn a_cgroup_that_is_gone_is_told() {
    let Some(controller) = some_of_v2() else { absent!("v2 has no controller here") };
    let top = test_cgroup!(controller);
    let cgroup = top.create("gone", Controllers::EMPTY).unwrap();
    cgroup.remove(SOON).unwrap();
    let error = cgroup.enable(controller.into()).unwrap_err();
    assert!(
        error.is_gone() && matches!(error, Error::Enable { why: EnableFault::Gone { .. }, .. }),
        "{error}"
    );
}

#[test]
fn what_the_host_does_not_have_is_refused() {
    let host = host();
    let missing = |controller: &Controller| host.hierarchy_of(*controller).is_err();
    let Some(controller) = Controller::ALL.into_iter().find(missing) else {
        absent!("all controllers are here")
    };
    let error = host.root().unwrap().enable(controller.into()).unwrap_err();
    let reason = host.hierarchy_of(controller).unwrap_err();
    assert_eq!(error.to_string(), format!("enable {controller}: {reason}"));
}
