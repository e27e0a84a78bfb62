//! Cgroups are made, opened and removed.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Controllers, Error, Version};
use common::{SOON, Sleeper, host, unique_name};
use std::time::Duration;

/// All controllers that this host has on v1, and none of v2.
fn all_v1() -> Vec<Controller> {
    let version = |controller: &Controller| common::version_of(*controller) == Some(Version::V1);
    Controller::ALL.into_iter().filter(version).collect()
}

#[test]
fn a_cgroup_is_made_opened_and_removed() {
    let parent = test_cgroup!();
    let child = parent.create("child", Controllers::EMPTY).unwrap();
    assert_eq!(child.path().parent().as_ref(), Some(parent.path()));
    assert_eq!(parent.children().unwrap(), ["child"]);
    assert_eq!(parent.open("child").unwrap().path(), child.path());
    assert_eq!(host().open(child.path()).unwrap().path(), child.path());
    let again = parent.create("child", Controllers::EMPTY).unwrap_err();
    assert_eq!(again.errno().unwrap().number(), libc::EEXIST);
    assert!(again.to_string().starts_with("make the cgroup /"), "{again}");
    child.remove(SOON).unwrap();
    child.remove(Duration::ZERO).expect("what is gone counts as removed");
    assert!(parent.children().unwrap().is_empty());
    assert!(parent.open("child").unwrap_err().to_string().starts_with("no hierarchy has a directory"));
}
