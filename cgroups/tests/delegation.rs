//! What a process may use, and cgroups that another user gets.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Controllers, Delegation, Version};
use common::{Again, FakeTree, SOON, TestCgroup, all_of, directories, host};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// An ordinary user.
const USER: u32 = 65_533;

#[test]
fn root_may_use_all_that_is_mounted() {
    require_root!();
    let host = host();
    let delegated = host.delegated().unwrap();
    let mounts = common::mounts();
    for hierarchy in host.iter() {
        let found = delegated.iter().find(|delegation| delegation.mount_point == hierarchy.mount_point());
        let mount = mounts.iter().find(|mount| mount.mount_point == hierarchy.mount_point()).unwrap();
        match found {
            Some(found) => {
                assert!(found.path.is_root() && found.is_real_root == hierarchy.shows_real_root());
                assert_eq!(
                    (found.version, found.controllers),
                    (hierarchy.version(), hierarchy.controllers())
                );
            }
            None => assert!(mount.options.to_str().unwrap().split(',').any(|option| option == "ro")),
        }
    }
    let base = host.base().unwrap();
    assert!(base.path().is_root() && base.paths().count() == delegated.len());
}

#[test]
fn an_ordinary_user_without_a_delegation_is_told() {
    require_root!();
    let test = "an_ordinary_user_without_a_delegation_is_told_again";
    let mut again = Again::start(test, Some(USER));
    again.tell("-");
    assert!(again.passed());
}

/// The part of the test above that is the user.
#[test]
fn an_ordinary_user_without_a_delegation_is_told_again() {
    if Again::word().is_none() {
        return;
    }
    assert_eq!(host().delegated().unwrap(), []);
    let error = host().base().unwrap_err().to_string();
    assert!(error.starts_with("no cgroup is delegated to this process: "), "{error}");
}

/// A cgroup that is given away has a leaf for the user's first process.
fn give_away() -> Result<(TestCgroup, Again), common::Lack> {
    let controllers =
        all_of(Version::V1).into_iter().filter(|c| [Controller::Pids, Controller::Freezer].contains(c));
    let cgroup = TestCgroup::new(controllers.chain(all_of(Version::V2)))?;
    let v1 = |c: &Controller| common::version_of(*c) == Some(Version::V1);
    let leaf: Controllers = [Controller::Pids, Controller::Freezer].into_iter().filter(v1).collect();
    let leaf = cgroup.create("leaf", leaf).expect("leaf");
    cgroup.delegate(USER, USER).expect("give the cgroup away");
    leaf.delegate(USER, USER).expect("give the leaf away");
    let again = Again::start("a_user_uses_what_was_delegated_again", Some(USER));
    leaf.add(again.pid()).expect("the user's process in its leaf");
    Ok((cgroup, again))
}

#[test]
fn a_user_uses_what_was_delegated() {
    require_root!();
    let (cgroup, mut again) = match give_away() {
        Ok(given) => given,
        Err(common::Lack::Expected(reason)) => absent!("{reason}"),
        Err(common::Lack::Fault(reason)) => skip!("{reason}"),
    };
    again.tell(&cgroup.to_string());
    assert!(again.passed());
    assert_eq!(cgroup.children().unwrap(), ["leaf"], "the user removed what it made");
}

/// The part of the test above that is the user.
#[test]
fn a_user_uses_what_was_delegated_again() {
    let Some(path) = Again::word() else { return };
    let path = CgroupPath::new(path).unwrap();
    let host = host();
    let delegated: Vec<Delegation> = host.delegated().unwrap();
    assert!(!delegated.is_empty());
    for delegation in &delegated {
        assert_eq!(delegation.path, path, "the topmost, not the leaf");
        assert!(!delegation.has_processes && !delegation.is_real_root);
    }
    let base = host.base().unwrap();
    let v2: Controllers = all_of(Version::V2).into_iter().collect();
    base.enable(v2).unwrap();
    let v1 = delegated.iter().filter(|delegation| delegation.version == Version::V1);
    let v1 = v1.fold(Controllers::EMPTY, |all, delegation| all.or(delegation.controllers));
    let job = base.create("job", v1).unwrap();
    let mut sleeper = common::Sleeper::start();
    job.add(sleeper.pid()).unwrap();
    assert_eq!(job.processes().unwrap(), [sleeper.pid()]);
    job.freeze(SOON).unwrap();
    job.kill(SOON).unwrap();
    assert!(sleeper.was_killed());
    job.remove(SOON).unwrap();
    // What is above is out of reach.
    let above = host.open(&path.parent().unwrap()).unwrap();
    let refused = above.create("cofferdam-test-refused", Controllers::EMPTY).unwrap_err();
    assert_eq!(refused.errno().unwrap().number(), libc::EACCES);
    let moved = above.add(std::process::id()).unwrap_err().to_string();
    assert!(moved.ends_with("not permitted: EACCES (Permission denied)"), "{moved}");
    let given = base.delegate(0, 0).unwrap_err().to_string();
    assert!(given.ends_with("cgroup.procs to 0:0: EPERM (Operation not permitted)"), "{given}");
    if let Some(controller) = v2.iter().next() {
        let lower = above.enable(controller.into());
        assert!(lower.is_ok(), "nothing to write: {lower:?}");
    }
}

#[test]
fn the_files_that_the_kernel_names_change_hands_and_no_others() {
    require_root!();
    let cgroup = test_cgroup!(Controller::Pids);
    cgroup.delegate(USER, USER).unwrap();
    let named = std::fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_default();
    for (version, directory) in directories(&cgroup) {
        assert_eq!(std::fs::metadata(&directory).unwrap().uid(), USER);
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let given = match version {
                Version::V1 => ["cgroup.procs", "tasks"].contains(&name.as_str()),
                Version::V2 => named.lines().any(|line| line == name),
            };
            let metadata = entry.metadata().unwrap();
            let expected = if given { (USER, USER) } else { (0, 0) };
            assert_eq!((metadata.uid(), metadata.gid()), expected, "{name}");
        }
    }
}

#[test]
fn what_is_gone_cannot_be_given_away() {
    require_root!();
    let cgroup = test_cgroup!();
    let child = cgroup.create("child", Controllers::EMPTY).unwrap();
    child.remove(SOON).unwrap();
    let error = child.delegate(USER, USER).unwrap_err();
    let file = directories(&child)[0].1.join("cgroup.procs").display().to_string();
    assert_eq!(
        error.to_string(),
        format!("give {file} to {USER}:{USER}: ENOENT (No such file or directory)")
    );
}

/// Directories of a made-up host belong to whoever runs the test.
#[test]
fn it_goes_upwards_as_long_as_it_may_write() {
    if common::is_root() {
        absent!("root may write to everything");
    }
    let tree = FakeTree::new()
        .v2("/cg", "cpu pids")
        .cgroup2("/cg/a", "cpu")
        .cgroup2("/cg/a/b", "cpu")
        .own("0::/a/b");
    let topmost =
        || tree.hierarchies().delegated().unwrap().into_iter().map(|found| found.path.to_string()).next();
    let protect = |path: &str, mode| {
        std::fs::set_permissions(tree.path(Path::new(path)), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!(topmost().as_deref(), Some("/"));
    protect("/cg/cgroup.procs", 0o444);
    assert_eq!(topmost().as_deref(), Some("/a"));
    protect("/cg/a/cgroup.subtree_control", 0o444);
    assert_eq!(topmost().as_deref(), Some("/a/b"));
    protect("/cg/a/b", 0o555);
    assert_eq!(topmost(), None);
    protect("/cg/a/b", 0o755);
}

#[test]
fn what_was_found_says_what_can_be_done_there() {
    let tree = FakeTree::new().v2("/cg", "cpu pids").v1("/v1", "memory").own("0::/\n1:memory:/../outside");
    let found = tree.hierarchies().delegated().unwrap();
    let [v2, v1] = &found[..] else { panic!("{found:?}") };
    assert_eq!((v2.version, v2.controllers.to_string().as_str()), (Version::V2, "cpu pids"));
    assert!(v2.has_processes && v2.is_real_root && v2.path.is_root());
    assert_eq!((v1.controllers.to_string().as_str(), v1.path.is_root()), ("memory", true));
    let tree = tree.cgroup2("/cg", "cpu");
    let found = tree.hierarchies().delegated().unwrap();
    assert!(!found[0].has_processes && !found[0].is_real_root);
}
