//! Cgroups are made, opened and removed.

mod common;

use cofferdam_cgroups::{Cgroup, CgroupPath, Controller, Controllers, Error, Version};
use common::{SOON, all_of, directories, directory_of, host, read, unique_name};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

const NONE: Controllers = Controllers::EMPTY;

#[test]
fn a_cgroup_is_made_opened_and_removed() {
    let parent = test_cgroup!(Controller::Pids);
    let child = parent.create("child", Controller::Pids.into()).unwrap();
    assert_eq!(child.path().parent().as_ref(), Some(parent.path()));
    assert_eq!(child.to_string(), format!("{parent}/child", parent = *parent));
    assert_eq!(parent.children().unwrap(), ["child"]);
    assert_eq!(parent.open("child").unwrap().paths().count(), child.paths().count());
    assert_eq!(host().open(child.path()).unwrap().path(), child.path());
    assert!(directories(&child).iter().all(|(_, directory)| directory.is_dir()));
    child.remove(SOON).unwrap();
    assert!(directories(&child).iter().all(|(_, directory)| !directory.exists()));
    child.remove(Duration::ZERO).expect("what is gone counts as removed");
    assert!(parent.children().unwrap().is_empty());
    let gone = parent.open("child").unwrap_err();
    assert_eq!(gone, Error::NoPart { path: child.path().clone() });
}

#[test]
fn a_cgroup_that_is_there_is_not_made_again() {
    let parent = test_cgroup!(Controller::Pids);
    parent.create("child", Controller::Pids.into()).unwrap();
    let again = parent.create("child", Controller::Pids.into()).unwrap_err();
    let directory = directories(&parent)[0].1.join("child");
    assert_eq!(again.to_string(), format!("make the cgroup {}: EEXIST (File exists)", directory.display()));
    assert!(directory.is_dir(), "that of before stays");
}

#[test]
fn only_hierarchies_that_were_asked_for_are_used() {
    let parent = test_cgroup!();
    let wanted: Vec<_> = all_of(Version::V1).into_iter().take(2).collect();
    let Some((first, rest)) = wanted.split_first() else { absent!("no v1 controller here") };
    let base = host().base().unwrap();
    let cgroup = base.create(unique_name(), wanted.iter().copied().collect()).unwrap();
    let v1: Vec<_> = cgroup.paths().filter(|(hierarchy, _)| hierarchy.version() == Version::V1).collect();
    assert_eq!(v1.len(), 1 + rest.len());
    assert!(v1.iter().all(|(hierarchy, _)| wanted.iter().any(|c| hierarchy.controllers().contains(*c))));
    let no_directory = parent.create("x", (*first).into()).unwrap_err();
    assert!(matches!(no_directory, Error::NoController { .. }), "{no_directory}");
    cgroup.remove(SOON).unwrap();
}

#[test]
fn all_hierarchies_at_once() {
    let all: Vec<_> = all_of(Version::V1).into_iter().chain(all_of(Version::V2)).collect();
    let cgroup = test_cgroup!(of all.clone());
    assert!(cgroup.path().to_string().ends_with(&cgroup.path().name().unwrap().display().to_string()));
    let child =
        cgroup.create("child", all.into_iter().filter(|c| c.name(Version::V1).is_some()).collect()).unwrap();
    let _sleeper = cgroup.sleeper_in(&child);
    assert_eq!(child.processes().unwrap(), [_sleeper.pid()]);
}

#[test]
fn missing_cgroups_above_are_made_and_on_failure_removed() {
    let top = test_cgroup!(Controller::Pids);
    // Below one directory of several: from the root of each hierarchy.
    let below = |text: &str| top.path().join(text).unwrap();
    let made = host().create(&below("a/b/c"), Controller::Pids.into());
    let made = match made {
        Err(error) if error.errno().is_some_and(|e| e.number() == libc::EACCES) => absent!("{error}"),
        made => made.unwrap(),
    };
    assert_eq!(top.open("a").unwrap().open("b").unwrap().children().unwrap(), ["c"]);
    assert_eq!(made.path(), &below("a/b/c"));
    let again = host().create(&below("a/b/c"), Controller::Pids.into()).unwrap_err();
    assert_eq!(again.errno().unwrap().number(), libc::EEXIST);
    let (version, directory) = &directories(&top)[0];
    if *version == Version::V2 {
        std::fs::write(directory.join("cgroup.max.depth"), "1").unwrap();
        let too_deep = host().create(&below("new/one"), Controller::Pids.into()).unwrap_err();
        let path = directory.join("new/one").display().to_string();
        let expected = format!("make the cgroup {path}: EAGAIN (Resource temporarily unavailable)");
        assert_eq!(too_deep.to_string(), expected);
        assert!(!directory.join("new").exists());
    }
}

#[test]
fn names_are_checked_before_anything_is_made() {
    let parent = test_cgroup!();
    for name in ["", ".", "..", "a/b", "/a", "a\nb"] {
        let error = parent.create(name, NONE).unwrap_err();
        assert!(matches!(error, Error::Path(_)), "{name:?}: {error}");
        assert!(matches!(parent.open(name), Err(Error::Path(_))));
    }
    assert_eq!(
        parent.create("a/b", NONE).unwrap_err().to_string(),
        "path of a cgroup: \"a/b\" is not the name of one cgroup"
    );
    let root = host().create(&CgroupPath::root(), NONE).unwrap_err();
    assert!(matches!(root, Error::Path(_)), "{root}");
}

#[test]
fn names_can_have_any_other_bytes() {
    let parent = test_cgroup!();
    for name in [&b"with space"[..], b"back\\slash", b"\xff\xfe", b"(deleted)", b"a:b"] {
        let name = OsStr::from_bytes(name);
        let child = parent.create(name, NONE).unwrap();
        assert_eq!(child.path().name(), Some(name));
        assert_eq!(parent.children().unwrap(), [name]);
        let _sleeper = parent.sleeper_in(&child);
        assert!(child.contains(_sleeper.pid()).unwrap());
        drop(_sleeper);
        child.remove(SOON).unwrap();
    }
}

#[test]
fn a_tree_is_removed_from_below() {
    let top = test_cgroup!(Controller::Pids);
    let a = top.create("a", Controller::Pids.into()).unwrap();
    for name in ["b", "c"] {
        let middle = a.create(name, Controller::Pids.into()).unwrap();
        middle.create("d", Controller::Pids.into()).unwrap();
    }
    a.remove(SOON).unwrap();
    assert!(top.children().unwrap().is_empty());
}

#[test]
fn a_cgroup_with_processes_is_not_removed_and_they_are_named() {
    let top = test_cgroup!();
    let child = top.create("child", NONE).unwrap();
    let mut sleeper = top.sleeper_in(&child);
    for cgroup in [&child, &*top] {
        let error = cgroup.remove(Duration::from_millis(20)).unwrap_err();
        let (path, pid) = (directories(&child)[0].1.clone(), sleeper.pid());
        assert_eq!(error, Error::NotEmpty { path: path.clone(), pids: vec![pid] });
        assert_eq!(
            error.to_string(),
            format!("remove the cgroup {}: it has processes, {pid}", path.display())
        );
    }
    child.kill(SOON).unwrap();
    // The process was not waited for yet.
    child.remove(SOON).unwrap();
    assert!(sleeper.was_killed());
}

#[test]
fn a_frozen_cgroup_with_a_process_is_not_removed_and_an_empty_one_is() {
    let top = test_cgroup!(Controller::Freezer);
    let child = top.create("child", Controller::Freezer.into()).unwrap();
    let sleeper = top.sleeper_in(&child);
    child.freeze(SOON).unwrap();
    let error = child.remove(Duration::ZERO).unwrap_err();
    assert!(matches!(&error, Error::NotEmpty { pids, .. } if pids[..] == [sleeper.pid()]), "{error}");
    child.kill(SOON).unwrap();
    child.freeze(SOON).unwrap();
    child.remove(SOON).unwrap();
}

#[test]
fn what_somebody_else_removed_is_told_as_gone() {
    let top = test_cgroup!(Controller::Pids, Controller::Freezer);
    let child = top.create("child", NONE.with(Controller::Pids).with(Controller::Freezer)).unwrap();
    for (_, directory) in directories(&child) {
        std::fs::remove_dir(directory).unwrap();
    }
    let errors: Vec<Error> = vec![
        child.create("x", NONE.with(Controller::Pids)).unwrap_err(),
        child.processes().unwrap_err(),
        child.threads().unwrap_err(),
        child.is_populated().unwrap_err(),
        child.add(std::process::id()).unwrap_err(),
        child.freeze(SOON).unwrap_err(),
        child.frozen().unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_gone(), "{error}");
    }
    child.remove(SOON).unwrap();
}

#[test]
fn a_new_cpuset_of_v1_has_what_the_one_above_has() {
    if common::version_of(Controller::CpuSet) != Some(Version::V1) {
        absent!("cpuset is not on v1 here");
    }
    let top = test_cgroup!(Controller::CpuSet);
    let directory = directory_of(&top, Controller::CpuSet);
    let cpus = read(directory.parent().unwrap().join("cpuset.cpus"));
    assert_eq!(read(directory.join("cpuset.cpus")), cpus);
    // One that somebody else made has nothing, so it gets something first.
    std::fs::create_dir(directory.join("bare")).unwrap();
    let bare: Cgroup = top.open("bare").unwrap();
    assert_eq!(read(directory.join("bare/cpuset.cpus")), "");
    std::fs::create_dir(directory.join("bare/barer")).unwrap();
    let barer = bare.open("barer").unwrap();
    let child = barer.create("child", Controller::CpuSet.into()).unwrap();
    for below in ["bare", "bare/barer", "bare/barer/child"] {
        assert_eq!(read(directory.join(below).join("cpuset.cpus")), cpus);
        assert_ne!(read(directory.join(below).join("cpuset.mems")), "");
    }
    let sleeper = top.sleeper_in(&child);
    assert_eq!(child.processes().unwrap(), [sleeper.pid()]);
}

#[test]
fn nothing_is_removed_by_a_drop() {
    let top = test_cgroup!();
    drop(top.create("child", NONE).unwrap());
    assert_eq!(top.children().unwrap(), ["child"]);
}

#[test]
fn a_cgroup_can_be_selected_in_the_hierarchies_of_some_controllers() {
    let parent = test_cgroup!(Controller::Pids, Controller::Memory);
    let pids = parent.select(Controller::Pids.into()).unwrap();
    assert_eq!(pids.paths().count(), 1);
    let child = pids.create("child", Controller::Pids.into()).unwrap();
    assert_eq!(child.paths().count(), 1);
    assert_eq!(child.path().parent().as_ref(), Some(pids.path()));
    if common::version_of(Controller::Pids) == Some(Version::V1) {
        assert!(child.fd().is_none(), "only a directory on v1");
        let nowhere = pids.select(Controller::Memory.into()).unwrap_err().to_string();
        assert!(nowhere.starts_with("no hierarchy has a directory"), "{nowhere}");
    }
    child.remove(SOON).unwrap();
}
