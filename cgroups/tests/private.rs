//! Mounts and namespaces of a process's own; for root.

mod common;

use cofferdam_cgroups::{Controller, Controllers, Hierarchies, Mode, SkipReason, Unavailable, Version};
use common::{Again, Mounted, SOON, all_of, directories, host, in_private_mounts, on_v1_alone, unique_name};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const NONE: Option<&str> = None;

fn v2_of(host: &Hierarchies) -> &cofferdam_cgroups::Hierarchy {
    host.iter().find(|hierarchy| hierarchy.version() == Version::V2).expect("v2")
}

#[test]
fn a_mount_of_ones_own_with_an_odd_name_is_found() {
    require_root!();
    in_private_mounts(|| {
        let directory = tempfile::tempdir().unwrap();
        for name in [&b"with space"[..], b"\xff\\040\n\t#"] {
            let point = directory.path().join(OsStr::from_bytes(name));
            std::fs::create_dir(&point).unwrap();
            let _mounted = Mounted::v2(&point);
            let found = Hierarchies::unified_at(&point).unwrap();
            let unified = v2_of(&found);
            assert_eq!((unified.mount_point(), found.mode()), (&*point, Mode::Unified));
            assert!(unified.own().is_some());
            let name = unique_name();
            let cgroup = found.root().unwrap().create(&name, Controllers::EMPTY).unwrap();
            assert!(point.join(&name).is_dir());
            cgroup.remove(SOON).unwrap();
            let all = host();
            let used = v2_of(&all).mount_point() == point;
            let skipped = |skipped: &cofferdam_cgroups::Skipped| skipped.mount == *point.as_os_str();
            assert!(used || all.skipped().iter().any(skipped), "{all:?}");
        }
    });
}

#[test]
fn a_directory_below_a_mount_point_is_taken_as_a_root_too() {
    require_root!();
    let cgroup = test_cgroup!();
    let (version, directory) = directories(&cgroup).remove(0);
    if version == Version::V1 {
        absent!("no v2 here");
    }
    let found = Hierarchies::unified_at(directory).unwrap();
    assert_eq!((v2_of(&found).own(), v2_of(&found).shown()), (None, None));
    assert!(!v2_of(&found).shows_real_root());
}

#[test]
fn what_is_covered_is_not_used() {
    require_root!();
    in_private_mounts(|| {
        let before = host();
        for hierarchy in before.iter() {
            let point = hierarchy.mount_point();
            mount(Some("none"), point, Some("tmpfs"), MsFlags::empty(), NONE).unwrap();
        }
        let error = Hierarchies::discover().unwrap_err().to_string();
        assert!(error.starts_with("no mounted cgroup file system can be used: /"), "{error}");
        assert!(error.contains(": another mount covers it"), "{error}");
    });
}

#[test]
fn of_a_part_and_the_whole_the_whole_is_used() {
    require_root!();
    let cgroup = test_cgroup!();
    if directories(&cgroup)[0].0 == Version::V1 {
        absent!("no v2 here");
    }
    let part = directories(&cgroup)[0].1.clone();
    in_private_mounts(move || {
        let directory = tempfile::tempdir().unwrap();
        let whole = v2_of(&host()).mount_point().to_owned();
        let _mounted = Mounted::bind(&part, directory.path());
        let found = host();
        assert_eq!(v2_of(&found).mount_point(), whole);
        let second = |skipped: &cofferdam_cgroups::Skipped| {
            skipped.mount == *directory.path().as_os_str() && skipped.reason == SkipReason::Second
        };
        assert!(found.skipped().iter().any(second), "{:?}", found.skipped());
        // Without the whole, the part.
        nix::mount::umount2(&whole, nix::mount::MntFlags::MNT_DETACH).unwrap();
        let found = host();
        let unified = v2_of(&found);
        assert_eq!((unified.mount_point(), unified.own()), (directory.path(), None));
        assert!(!unified.shows_real_root() && unified.shown().is_some_and(|shown| !shown.is_root()));
    });
}

#[test]
fn a_read_only_mount_is_no_delegation() {
    require_root!();
    in_private_mounts(|| {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        for hierarchy in host().iter() {
            let point = hierarchy.mount_point();
            mount(Some(point), point, NONE, MsFlags::MS_BIND, NONE).unwrap();
            mount(NONE, point, NONE, flags, NONE).unwrap();
        }
        let host = host();
        assert_eq!(host.delegated().unwrap(), []);
        let error = host.root().unwrap().create("cofferdam-test-refused", Controllers::EMPTY);
        let number = error.unwrap_err().errno().map(cofferdam_cgroups::Errno::number);
        assert!(number.is_none() || number == Some(libc::EROFS));
    });
}

#[test]
fn in_a_cgroup_namespace_its_root_is_what_there_is() {
    if Again::word().is_some() {
        in_a_cgroup_namespace();
        return;
    }
    require_root!();
    let cgroup = test_cgroup!(of all_of(Version::V1));
    let mut again = Again::start("in_a_cgroup_namespace_its_root_is_what_there_is", None);
    cgroup.add(again.pid()).unwrap();
    again.tell("");
    assert!(again.passed());
    assert!(cgroup.children().unwrap().is_empty());
}

/// In a process that is in a cgroup of its own in every hierarchy.
fn in_a_cgroup_namespace() {
    in_private_mounts(|| {
        unshare(CloneFlags::CLONE_NEWCGROUP).expect("new cgroup namespace");
        // The mounts of the host show what is outside.
        let outside = host();
        assert!(
            outside.iter().filter(|h| h.name().is_none()).all(|h| h.own().is_none() && h.shown().is_none())
        );
        let directory = tempfile::tempdir().expect("temporary directory");
        if !outside.iter().any(|hierarchy| hierarchy.version() == Version::V2) {
            return;
        }
        let _mounted = Mounted::v2(directory.path());
        let inside = host();
        let unified = v2_of(&inside);
        assert_eq!(unified.mount_point(), directory.path(), "preferred, as it shows the root");
        assert!(
            unified.own().is_some_and(cofferdam_cgroups::CgroupPath::is_root) && !unified.shows_real_root()
        );
        let delegated = inside.delegated().expect("delegation");
        assert!(delegated[0].path.is_root() && delegated[0].has_processes && !delegated[0].is_real_root);
        let missing = inside.hierarchy_of(Controller::Rdma);
        assert!(
            matches!(missing, Err(Unavailable::NotDelegated | Unavailable::NotInKernel) | Ok(_)),
            "{missing:?}"
        );
        let unified = Hierarchies::unified_at(directory.path()).expect("v2");
        let own = unified.own().expect("own cgroup");
        assert!(own.contains(std::process::id()).expect("members"));
        let child = own.create("child", Controllers::EMPTY).expect("child");
        let sleeper = common::Sleeper::start();
        child.add(sleeper.pid()).expect("move into the child");
        child.freeze(SOON).expect("freeze");
        child.kill(SOON).expect("kill");
        child.remove(SOON).expect("remove");
    });
}

#[test]
fn v1_alone_does_all_of_it() {
    require_root!();
    let v1 = all_of(Version::V1);
    if !v1.contains(&Controller::Freezer) {
        absent!("no v1 freezer here");
    }
    on_v1_alone(v1.clone(), move |host| {
        assert_eq!(host.mode(), Mode::Legacy);
        let controllers: Controllers = v1.into_iter().collect();
        let base = host.base().unwrap();
        base.enable(controllers).unwrap();
        let cgroup = base.create(unique_name(), controllers).unwrap();
        let child = cgroup.create("child", controllers).unwrap();
        assert!(cgroup.fd().is_none() && cgroup.task_files().unwrap().len() == host.iter().count());
        let mut sleepers = Vec::new();
        for into in [&cgroup, &child, &child] {
            sleepers.push(common::Sleeper::start());
            into.add(sleepers[sleepers.len() - 1].pid()).unwrap();
        }
        child.freeze(SOON).unwrap();
        cgroup.freeze(SOON).unwrap();
        assert!(cgroup.is_populated().unwrap() && cgroup.frozen().unwrap().frozen);
        cgroup.kill(SOON).unwrap();
        assert!(sleepers.iter_mut().all(common::Sleeper::was_killed));
        assert!(!cgroup.is_populated().unwrap() && !child.frozen().unwrap().asked);
        cgroup.remove(SOON).unwrap();
        assert!(base.open(cgroup.path().name().unwrap()).is_err());
    });
}
