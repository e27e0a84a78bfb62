//! All processes of a cgroup are killed.

mod common;

use cofferdam_cgroups::{Controller, Controllers, Error, Version};
use common::{SOON, Sleeper, directories, directory_of, version_of};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn all_of_a_tree_end() {
    let top = test_cgroup!(Controller::Pids, Controller::Freezer);
    let controllers: Controllers = [Controller::Pids, Controller::Freezer].into_iter().collect();
    let child = top.create("child", controllers).unwrap();
    let below = child.create("below", controllers).unwrap();
    let mut sleepers = [top.sleeper_in(&child), top.sleeper_in(&below), top.sleeper_in(&below)];
    let mut other = Sleeper::start();
    top.kill(SOON).unwrap();
    assert!(!top.is_populated().unwrap() && top.processes_recursive().unwrap().is_empty());
    assert!(sleepers.iter_mut().all(Sleeper::was_killed));
    assert!(!other.has_ended());
    top.kill(Duration::ZERO).expect("nobody is left to be killed");
}

#[test]
fn frozen_ones_end_too() {
    let top = test_cgroup!(Controller::Freezer);
    let child = top.create("child", Controller::Freezer.into()).unwrap();
    for frozen in [&*top, &child] {
        let mut sleeper = top.sleeper_in(&child);
        frozen.freeze(SOON).unwrap();
        top.kill(SOON).unwrap();
        assert!(sleeper.was_killed());
        frozen.thaw(SOON).unwrap();
    }
}

#[test]
fn who_is_only_in_a_v1_part_is_found() {
    if version_of(Controller::Pids) != Some(Version::V1) {
        absent!("pids is not on v1 here");
    }
    for controllers in [&[Controller::Pids][..], &[Controller::Pids, Controller::Freezer]] {
        let cgroup = test_cgroup!(of controllers.iter().copied());
        let mut sleeper = Sleeper::start();
        let file = directory_of(&cgroup, Controller::Pids).join("cgroup.procs");
        std::fs::write(file, sleeper.pid().to_string()).unwrap();
        assert!(cgroup.is_populated().unwrap());
        cgroup.kill(SOON).unwrap();
        assert!(sleeper.was_killed());
    }
}

/// More at a time than are opened at a time.
#[test]
fn a_hundred_end() {
    let cgroup = test_cgroup!(Controller::Pids);
    let mut sleepers: Vec<_> = (0..100).map(|_| cgroup.sleeper()).collect();
    assert_eq!(cgroup.processes().unwrap().len(), 100);
    cgroup.kill(SOON).unwrap();
    assert!(sleepers.iter_mut().all(Sleeper::was_killed));
}

#[test]
fn a_hundred_that_only_v1_knows_end() {
    if version_of(Controller::Freezer) != Some(Version::V1) {
        absent!("the freezer is not on v1 here");
    }
    let cgroup = test_cgroup!(Controller::Freezer);
    let file = directory_of(&cgroup, Controller::Freezer).join("cgroup.procs");
    let mut sleepers: Vec<_> = (0..100).map(|_| Sleeper::start()).collect();
    for sleeper in &sleepers {
        std::fs::write(&file, sleeper.pid().to_string()).unwrap();
    }
    cgroup.kill(SOON).unwrap();
    assert!(sleepers.iter_mut().all(Sleeper::was_killed));
}

/// A process that makes others all the time, with every part and with the v1 parts only.
#[test]
fn who_forks_on_and_on_does_not_get_away() {
    for only_v1 in [false, true] {
        if only_v1 && version_of(Controller::Freezer) != Some(Version::V1) {
            absent!("the freezer is not on v1 here");
        }
        let cgroup = test_cgroup!(Controller::Pids, Controller::Freezer);
        let mut shell = Command::new("sh");
        shell.args(["-c", "read word; while :; do (read x </dev/null; sleep 0.01) & done"]);
        let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
        let directories = directories(&cgroup);
        for (version, directory) in directories {
            let limit = directory.join("pids.max");
            if limit.exists() {
                std::fs::write(limit, "60").unwrap();
            }
            if version == Version::V1 || !only_v1 {
                std::fs::write(directory.join("cgroup.procs"), shell.id().to_string()).unwrap();
            }
        }
        drop(shell.stdin.take());
        assert!(common::eventually(|| cgroup.processes().unwrap().len() > 10));
        cgroup.kill(SOON).unwrap();
        assert!(!cgroup.is_populated().unwrap());
        shell.wait().unwrap();
    }
}

#[test]
fn below_a_frozen_v1_cgroup_nobody_can_end() {
    let top = test_cgroup!(Controller::Freezer);
    let child = top.create("child", Controller::Freezer.into()).unwrap();
    let mut sleeper = top.sleeper_in(&child);
    top.freeze(SOON).unwrap();
    match version_of(Controller::Freezer) {
        Some(Version::V1) => {
            let killed = child.kill(Duration::from_millis(50));
            let path = directory_of(&child, Controller::Freezer);
            assert_eq!(killed.unwrap_err(), Error::FrozenAbove { path });
            assert!(!child.frozen().unwrap().asked);
        }
        _ => child.kill(SOON).unwrap(),
    }
    top.thaw(SOON).unwrap();
    assert!(sleeper.was_killed());
}
