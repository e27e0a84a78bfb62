//! A cgroup in all hierarchies at once.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Error, Hierarchies};
use common::{SOON, directories, host, is_root, unique_name};

/// A path that is the same everywhere, as root of the host may have it.
fn path() -> CgroupPath {
    CgroupPath::new(unique_name()).expect("a path")
}

#[test]
fn a_cgroup_is_made_everywhere_taken_over_and_found_again() {
    require_root!();
    let (hierarchies, path) = (host(), path());
    let placed = hierarchies.place(|_| Some(path.clone()), false).expect("a cgroup");
    assert!(!placed.existed && placed.refused.is_empty());
    let first = placed.cgroup.expect("one");
    assert_eq!(directories(&first).len(), hierarchies.iter().count());
    let found = hierarchies.at(|_| Some(path.clone())).expect("no error").expect("it is there");
    assert_eq!(directories(&found), directories(&first));
    let error = hierarchies.place(|_| Some(path.clone()), false).expect_err("somebody has it");
    let expected = format!("lock the cgroup {}: EAGAIN (", directories(&first)[0].1.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    drop(first);
    let mut again = hierarchies.place(|_| Some(path.clone()), false).expect("nobody has it");
    assert!(again.existed);
    again.undo(SOON).expect("nothing was made");
    assert!(found.exists());
    found.remove(SOON).expect("it is removed");
    assert!(hierarchies.at(|_| Some(path.clone())).expect("no error").is_none());
}

#[test]
fn what_was_made_is_taken_back_and_what_was_there_is_not() {
    require_root!();
    let (hierarchies, path) = (host(), path());
    let one = hierarchies.iter().next().expect("a hierarchy").mount_point().to_owned();
    let only = |hierarchies: &Hierarchies, partly| {
        hierarchies.place(|hierarchy| (hierarchy.mount_point() == one).then(|| path.clone()), partly)
    };
    drop(only(&hierarchies, false).expect("a cgroup in one hierarchy").cgroup.expect("one"));
    let first = hierarchies.at(|_| Some(path.clone())).expect("no error").expect("one");
    let mut all = hierarchies.place(|_| Some(path.clone()), false).expect("in the others too");
    assert!(all.existed);
    let made = directories(all.cgroup.as_ref().expect("one"));
    all.undo(SOON).expect("the others are removed");
    let left: Vec<_> = made.into_iter().filter(|(_, directory)| directory.exists()).collect();
    assert_eq!(left, directories(&first));
    first.remove(SOON).expect("it is removed");
}

#[test]
fn the_root_is_not_taken() {
    let Ok(hierarchies) = Hierarchies::discover() else { absent!("no cgroups") };
    let error = hierarchies.place(|_| Some(CgroupPath::root()), true).expect_err("a refusal");
    assert!(matches!(error, Error::Root { what: "taken", .. }), "{error}");
}

#[test]
fn who_may_not_make_one_is_told_why_or_gets_an_error() {
    if is_root() {
        absent!("root may");
    }
    let (hierarchies, path) = (host(), path());
    let placed = hierarchies.place(|_| Some(path.clone()), true).expect("no error");
    if let Some(cgroup) = &placed.cgroup {
        cgroup.remove(SOON).expect("it is removed");
    } else {
        assert_eq!(placed.refused.len(), hierarchies.iter().count());
        assert!(placed.refused[0].to_string().starts_with("make the cgroup "), "{}", placed.refused[0]);
        assert!(hierarchies.place(|_| Some(path.clone()), false).is_err());
    }
}

#[test]
fn control_files_are_read_by_their_names() {
    let cgroup = test_cgroup!(Controller::Pids);
    let read = |name: &str| cgroup.control_file(Controller::Pids, name);
    assert_eq!(read("pids.current").expect("a file").as_deref().map(str::trim), Some("0"));
    assert_eq!(read("pids.nothing").expect("no error"), None);
    for name in ["../x", "", ".x", "a/b"] {
        let text = read(name).expect_err("a refusal").to_string();
        assert_eq!(text, format!("a control file cannot be {name}: a name such as memory.stat"));
    }
}

#[test]
fn the_owner_of_v2_alone_changes_and_not_the_group() {
    use std::os::unix::fs::MetadataExt;
    require_root!();
    let (hierarchies, path) = (host(), path());
    let cgroup = hierarchies.place(|_| Some(path.clone()), false).expect("a cgroup").cgroup.expect("one");
    cgroup.delegate_to_user(4321).expect("it is given");
    for (version, directory) in directories(&cgroup) {
        let owner = if version == cofferdam_cgroups::Version::V2 { 4321 } else { 0 };
        for file in [directory.clone(), directory.join("cgroup.procs")] {
            let status = std::fs::metadata(&file).expect("its status");
            assert_eq!((status.uid(), status.gid()), (owner, 0), "{}", file.display());
        }
    }
    cgroup.remove(SOON).expect("it is removed");
}
