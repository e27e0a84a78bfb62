//! Cgroups are frozen and thawed.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Controllers, Error, FreezerState, Version};
use common::{Again, FakeTree, SOON, TestCgroup, directories, directory_of, read};
use std::time::Duration;

/// What the kernel says, read without the code under test.
fn kernel_says(cgroup: &cofferdam_cgroups::Cgroup) -> String {
    match common::version_of(Controller::Freezer) {
        Some(Version::V1) if cgroup.paths().any(|(h, _)| h.controllers().contains(Controller::Freezer)) => {
            read(directory_of(cgroup, Controller::Freezer).join("freezer.state")).to_lowercase()
        }
        _ => {
            let events = read(directories(cgroup)[0].1.join("cgroup.events"));
            if events.contains("frozen 1") { "frozen".to_owned() } else { "thawed".to_owned() }
        }
    }
}

fn freezes_and_thaws(cgroup: &TestCgroup) {
    let sleepers = [cgroup.sleeper(), cgroup.sleeper()];
    assert!(!cgroup.frozen().expect("state").frozen);
    for _ in 0..3 {
        cgroup.freeze(SOON).expect("freeze");
        assert_eq!(kernel_says(cgroup), "frozen");
        let state = cgroup.frozen().expect("state");
        assert!(state.asked && state.frozen && !state.above, "{state:?}");
        cgroup.freeze(SOON).expect("freeze what is frozen");
        cgroup.thaw(SOON).expect("thaw");
        assert_eq!(kernel_says(cgroup), "thawed");
        assert_eq!(cgroup.frozen().expect("state"), FreezerState::default());
    }
    drop(sleepers);
}

#[test]
fn all_processes_stop_and_go_on() {
    freezes_and_thaws(&test_cgroup!(Controller::Freezer));
}

#[test]
fn without_a_part_in_the_v1_freezer_that_of_v2_is_used() {
    let cgroup = test_cgroup!();
    match directories(&cgroup)[0].0 {
        Version::V1 => absent!("no v2 here"),
        Version::V2 => freezes_and_thaws(&cgroup),
    }
}

#[test]
fn one_below_can_be_frozen_by_the_one_above() {
    let top = test_cgroup!(Controller::Freezer);
    let child = top.create("child", Controller::Freezer.into()).unwrap();
    let _sleeper = top.sleeper_in(&child);
    top.freeze(SOON).unwrap();
    let state = child.frozen().unwrap();
    assert!(!state.asked && state.above && state.frozen, "{state:?}");
    let error = child.thaw(SOON).unwrap_err();
    let path = directory_of(&child, Controller::Freezer);
    assert_eq!(error, Error::FrozenAbove { path: path.clone() });
    assert_eq!(error.to_string(), format!("the cgroup {} stays frozen, as one above it is", path.display()));
    child.freeze(SOON).unwrap();
    top.thaw(SOON).unwrap();
    let state = child.frozen().unwrap();
    assert!(state.asked && !state.above && state.frozen, "{state:?}");
    child.thaw(SOON).unwrap();
    assert_eq!(child.frozen().unwrap(), FreezerState::default());
}

#[test]
fn an_empty_one_is_frozen_at_once() {
    let cgroup = test_cgroup!(Controller::Freezer);
    cgroup.freeze(Duration::ZERO).unwrap();
    assert!(cgroup.frozen().unwrap().frozen);
    cgroup.thaw(Duration::ZERO).unwrap();
}

#[test]
fn a_process_does_not_freeze_or_kill_itself() {
    let again = Again::word();
    if let Some(path) = again {
        let own = common::host().open(&CgroupPath::new(path).unwrap()).unwrap();
        let error = own.freeze(SOON).unwrap_err();
        assert!(error.to_string().ends_with("cannot be frozen by a process in it"), "{error}");
        let error = own.kill(SOON).unwrap_err();
        assert!(error.to_string().ends_with("cannot be killed by a process in it"), "{error}");
        return;
    }
    let cgroup = test_cgroup!(Controller::Freezer);
    let below = cgroup.create("below", Controller::Freezer.into()).unwrap();
    let mut again = Again::start("a_process_does_not_freeze_or_kill_itself", None);
    below.add(again.pid()).unwrap();
    again.tell(&cgroup.to_string());
    assert!(again.passed());
    assert!(!cgroup.frozen().unwrap().asked);
}

#[test]
fn what_does_not_freeze_in_time_is_thawed_again() {
    let tree = FakeTree::new().v2("/cg", "cpu").cgroup2("/cg/a", "cpu");
    let cgroup = tree.hierarchies().open(&CgroupPath::new("a").unwrap()).unwrap();
    let after = Duration::from_millis(20);
    let error = cgroup.freeze(after).unwrap_err();
    let path = CgroupPath::new("a").unwrap();
    assert_eq!(error, Error::Timeout { what: "freezing or thawing", path, after });
    assert_eq!(error.to_string(), "freezing or thawing of the cgroup /a did not happen within 20 ms");
    assert_eq!(tree.read("/cg/a/cgroup.freeze"), "0\n");
    // On v1 the file says FREEZING: what is written stands before the rest.
    let tree = FakeTree::new().v1("/cg", "freezer").file("/cg/a/freezer.state", "FREEZING\n");
    let tree = tree.file("/cg/a/freezer.parent_freezing", "0\n");
    let cgroup = tree.hierarchies().open(&CgroupPath::new("a").unwrap()).unwrap();
    assert!(matches!(cgroup.freeze(after), Err(Error::Timeout { .. })));
    assert_eq!(tree.read("/cg/a/freezer.state"), "THAWEDNG\n");
    assert!(matches!(cgroup.thaw(after), Err(Error::Timeout { .. })));
    let tree = tree.file("/cg/a/freezer.parent_freezing", "1\n");
    assert!(matches!(cgroup.thaw(after), Err(Error::FrozenAbove { .. })));
    drop(tree);
}

#[test]
fn a_v1_cgroup_without_a_freezer_part_is_told() {
    let tree = FakeTree::new().v1("/cg/pids", "pids").v1("/cg/freezer", "freezer");
    let path = CgroupPath::new("a").unwrap();
    let cgroup = tree.hierarchies().create(&path, Controllers::from(Controller::Pids)).unwrap();
    let error = cgroup.freeze(SOON).unwrap_err();
    let at = tree.path("/cg/freezer").display().to_string();
    assert_eq!(
        error.to_string(),
        format!("no controller freezer for the cgroup /a: it has no directory below {at}")
    );
}
