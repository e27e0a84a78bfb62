//! A cgroup is marked as owned.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Mode, Version};
use common::{Again, all_of, eventually, host, on_v1_alone};

#[test]
fn one_handle_at_a_time_has_the_lock() {
    let cgroup = test_cgroup!(Controller::Pids);
    let first = host().open(cgroup.path()).unwrap();
    let second = host().open(cgroup.path()).unwrap();
    assert!(first.lock().unwrap() && first.lock().unwrap(), "who has it has it");
    assert!(!second.lock().unwrap());
    drop(first);
    // A child that another test is just starting has a copy of each descriptor until its exec.
    assert!(eventually(|| second.lock().unwrap()));
}

/// Who sees only one of several hierarchies meets the lock there, and takes nothing from who sees others.
#[test]
fn the_lock_holds_in_each_hierarchy() {
    let cgroup = test_cgroup!(Controller::Pids);
    let whole = host().open(cgroup.path()).unwrap();
    let partial = || host().open(cgroup.path()).unwrap().select(Controller::Pids.into()).unwrap();
    assert!(whole.lock().unwrap());
    assert!(!partial().lock().unwrap());
    drop(whole);
    let held = partial();
    assert!(eventually(|| held.lock().unwrap()));
    let whole = host().open(cgroup.path()).unwrap();
    assert!(!whole.lock().unwrap());
    drop(held);
    let free = || host().open(cgroup.path()).unwrap().lock().unwrap();
    assert!(eventually(free), "a lock that was refused holds nothing");
    drop(whole);
}

#[test]
fn the_lock_goes_with_the_process_that_has_it() {
    if let Some(path) = Again::word() {
        let cgroup = host().open(&CgroupPath::new(path).unwrap()).unwrap();
        assert!(cgroup.lock().unwrap());
        loop {
            std::thread::park();
        }
    }
    let cgroup = test_cgroup!();
    let mut again = Again::start("the_lock_goes_with_the_process_that_has_it", None);
    again.tell(&cgroup.to_string());
    let probe = || host().open(cgroup.path()).unwrap().lock().unwrap();
    assert!(eventually(|| !probe()), "held by the other process");
    drop(again);
    assert!(eventually(probe), "free after it was killed");
}

#[test]
fn directories_of_v1_can_be_locked_too() {
    require_root!();
    let Some(controller) = all_of(Version::V1).first().copied() else { absent!("no v1 controller here") };
    on_v1_alone([controller], move |host| {
        let path = CgroupPath::new(common::unique_name()).unwrap();
        let cgroup = host.create(&path, controller.into()).unwrap();
        assert_eq!((host.mode(), cgroup.fd().is_none()), (Mode::Legacy, true));
        let other = host.open(&path).unwrap();
        assert!(cgroup.lock().unwrap() && !other.lock().unwrap());
        drop(cgroup);
        assert!(other.lock().unwrap());
        other.remove(common::SOON).unwrap();
    });
}
