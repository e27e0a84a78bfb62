//! What is mounted on this host.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Hierarchies, Membership, Mode, MountEntry, Version};
use common::{host, mounts};
use std::path::Path;

fn memberships() -> Vec<Membership> {
    Membership::parse_all(&std::fs::read("/proc/self/cgroup").expect("own cgroups")).0
}

#[test]
fn the_kernels_tables_print_as_they_were_read() {
    for line in std::fs::read("/proc/self/mountinfo").unwrap().split(|byte| *byte == b'\n') {
        assert_eq!(MountEntry::parse(line).map_or_else(Vec::new, |entry| entry.to_bytes()), line);
    }
    for line in std::fs::read("/proc/self/cgroup").unwrap().split(|byte| *byte == b'\n') {
        assert_eq!(Membership::parse(line).map_or_else(Vec::new, |entry| entry.to_bytes()), line);
    }
}

#[test]
fn each_mounted_hierarchy_is_found_once() {
    let host = host();
    for hierarchy in host.iter() {
        let entry = mounts().into_iter().find(|entry| entry.mount_point == hierarchy.mount_point()).unwrap();
        let fs_type = if hierarchy.version() == Version::V2 { "cgroup2" } else { "cgroup" };
        assert_eq!(entry.fs_type, *fs_type);
        assert!(host.iter().filter(|other| other.mount_point() == hierarchy.mount_point()).count() == 1);
    }
    let is_cgroup = |entry: &MountEntry| entry.fs_type == "cgroup2" || entry.fs_type == "cgroup";
    let mounted = mounts().into_iter().filter(is_cgroup).count();
    assert_eq!(host.iter().count() + host.skipped().len(), mounted, "{:?}", host.skipped());
}

#[test]
fn each_controller_of_the_kernel_is_in_one_hierarchy() {
    let host = host();
    for controller in Controller::ALL {
        let serving = host.iter().filter(|hierarchy| hierarchy.controllers().contains(controller)).count();
        assert!(serving <= 1, "{controller}");
        match host.hierarchy_of(controller) {
            Ok(hierarchy) if serving == 1 => assert!(hierarchy.controllers().contains(controller)),
            Ok(hierarchy) => assert_eq!(hierarchy.version(), Version::V2, "{controller}"),
            Err(reason) => assert!(serving == 0, "{controller}: {reason}"),
        }
    }
}

#[test]
fn the_mode_is_what_is_mounted() {
    let versions: Vec<_> = host().iter().map(cofferdam_cgroups::Hierarchy::version).collect();
    let expected = match (versions.contains(&Version::V1), versions.contains(&Version::V2)) {
        (true, true) => Mode::Hybrid,
        (true, false) => Mode::Legacy,
        _ => Mode::Unified,
    };
    assert_eq!(host().mode(), expected);
}

#[test]
fn the_own_cgroup_is_that_of_the_table_and_has_this_process() {
    let host = host();
    for hierarchy in host.iter() {
        let line = memberships().into_iter().find(|line| {
            line.version() == hierarchy.version()
                && (line.controllers == hierarchy.controllers() || line.version() == Version::V2)
                && line.name.as_deref() == hierarchy.name()
        });
        let own = line.and_then(|line| line.cgroup()).and_then(|own| own.below(hierarchy.shown()?));
        assert_eq!(hierarchy.own(), own.as_ref());
    }
    let own = host.own().unwrap();
    assert!(own.processes().unwrap().contains(&std::process::id()));
    assert!(own.contains(std::process::id()).unwrap() && own.is_populated().unwrap());
    for (hierarchy, path) in own.paths() {
        assert_eq!(hierarchy.own(), Some(path));
    }
}

#[test]
fn the_root_is_at_the_mount_points() {
    let root = host().root().unwrap();
    assert_eq!(root.paths().count(), host().iter().count());
    assert!(root.path().is_root() && root.contains(std::process::id()).unwrap());
    let refused = root.remove(common::SOON).unwrap_err();
    assert!(refused.to_string().ends_with("cannot be removed"), "{refused}");
    let refused = root.kill(common::SOON).unwrap_err();
    assert!(refused.to_string().ends_with("cannot be killed"), "{refused}");
    let refused = root.freeze(common::SOON).unwrap_err();
    assert!(refused.to_string().ends_with("cannot be frozen"), "{refused}");
}

#[test]
fn a_directory_is_a_unified_hierarchy_only_on_cgroup_v2() {
    let refused = Hierarchies::unified_at("/proc").unwrap_err();
    assert_eq!(refused.to_string(), "/proc is not on a cgroup file system");
    let missing = Hierarchies::unified_at("/no/such/directory").unwrap_err();
    assert_eq!(missing.to_string(), "open /no/such/directory: ENOENT (No such file or directory)");
    for hierarchy in host().iter() {
        let found = Hierarchies::unified_at(hierarchy.mount_point());
        assert_eq!(found.is_ok(), hierarchy.version() == Version::V2);
        if let Ok(found) = found {
            let unified = found.iter().next().unwrap();
            assert_eq!((found.mode(), unified.own()), (Mode::Unified, hierarchy.own()));
            assert_eq!(unified.controllers(), hierarchy.controllers());
        }
    }
}

#[test]
fn a_cgroup_that_is_nowhere_is_told() {
    let path = CgroupPath::new("cofferdam-test-nowhere/at/all").unwrap();
    let error = host().open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no hierarchy has a directory for the cgroup /cofferdam-test-nowhere/at/all"
    );
    assert!(!Path::new("/cofferdam-test-nowhere").exists());
}
