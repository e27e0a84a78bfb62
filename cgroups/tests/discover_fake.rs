//! What is mounted, on hosts that are made up.

mod common;

use cofferdam_cgroups::{CgroupPath, Controller, Controllers, Mode, SkipReason, Unavailable, Version};
use common::FakeTree;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

const CGROUP: &str = "/sys/fs/cgroup";

fn path(text: &str) -> CgroupPath {
    CgroupPath::new(text).expect("path of a cgroup")
}

#[test]
fn a_unified_host() {
    let kernel = "cpu 0 1 1\nio 0 1 1\nnet_cls 0 1 1\nrdma 0 1 0\npids 0 9 1";
    let tree = FakeTree::new()
        .v2(CGROUP, "cpu memory")
        .kernel(kernel)
        .own("0::/job")
        .cgroup2("/sys/fs/cgroup/job", "cpu");
    let host = tree.hierarchies();
    let of = |controller| host.hierarchy_of(controller).map(|hierarchy| hierarchy.version());
    assert_eq!((host.mode(), host.skipped()), (Mode::Unified, &[][..]));
    assert_eq!(host.own().unwrap().path(), &path("job"));
    for there in
        [Controller::Cpu, Controller::Memory, Controller::Freezer, Controller::Devices, Controller::CpuAcct]
    {
        assert_eq!(of(there), Ok(Version::V2), "{there}");
    }
    assert_eq!(of(Controller::NetCls), Err(Unavailable::NotMounted));
    assert_eq!(of(Controller::Rdma), Err(Unavailable::Disabled));
    assert_eq!(of(Controller::Pids), Err(Unavailable::NotDelegated));
    assert_eq!(of(Controller::HugeTlb), Err(Unavailable::NotInKernel));
    assert_eq!(of(Controller::CpuSet), Err(Unavailable::NotInKernel));
}

#[test]
fn what_a_delegated_root_does_not_have_may_still_be_in_the_kernel() {
    let tree = FakeTree::new().v2(CGROUP, "cpu").cgroup2(CGROUP, "cpu").own("0::/");
    let host = tree.hierarchies();
    assert_eq!(host.hierarchy_of(Controller::CpuSet).unwrap_err(), Unavailable::NotDelegated);
    assert!(!host.iter().next().unwrap().shows_real_root());
}

#[test]
fn a_legacy_host() {
    let tree = FakeTree::new()
        .v1("/cg/cpu,cpuacct", "cpu,cpuacct")
        .v1("/cg/memory", "memory")
        .v1("/cg/systemd", "xattr,name=systemd")
        .file("/cg/memory/job/tasks", "")
        .kernel("cpu 1 1 1\nmemory 2 1 1\npids 0 1 1\nblkio 7 1 1")
        .own("3:name=systemd:/user\n2:memory:/job\n1:cpu,cpuacct:/");
    let host = tree.hierarchies();
    assert_eq!(host.mode(), Mode::Legacy);
    let names: Vec<_> = host.iter().filter_map(|hierarchy| hierarchy.name()).collect();
    assert_eq!(names, ["systemd"]);
    let paths: Vec<_> = host.iter().map(|hierarchy| hierarchy.own().unwrap().to_string()).collect();
    assert_eq!(paths, ["/", "/job", "/user"]);
    let of = |controller| host.hierarchy_of(controller).map(|hierarchy| hierarchy.controllers().to_string());
    assert_eq!(of(Controller::CpuAcct), Ok("cpu cpuacct".into()));
    assert_eq!(of(Controller::Pids), Err(Unavailable::NotMounted));
    assert_eq!(of(Controller::Io), Err(Unavailable::BoundToV1 { hierarchy: 7 }));
    let reason = host.hierarchy_of(Controller::Io).unwrap_err().to_string();
    assert!(reason.starts_with("it is bound to the v1 hierarchy 7,"), "{reason}");
    // A v1 cgroup needs something that says in which hierarchy it is.
    let nowhere = host.create(&path("job/new"), Controllers::EMPTY).unwrap_err();
    assert_eq!(nowhere.to_string(), "no hierarchy has a directory for the cgroup /job/new");
}

#[test]
fn a_hybrid_host_has_each_controller_in_one_place() {
    let tree = FakeTree::new()
        .v1("/cg/memory", "memory")
        .v2("/cg/unified", "pids")
        .kernel("memory 2 1 1\npids 0 1 1\nfreezer 5 1 1\nperf_event 6 1 1")
        .own("2:memory:/a\n0::/b");
    let host = tree.hierarchies();
    assert_eq!(host.mode(), Mode::Hybrid);
    let of = |controller| host.hierarchy_of(controller).map(|hierarchy| hierarchy.version());
    assert_eq!((of(Controller::Memory), of(Controller::Pids)), (Ok(Version::V1), Ok(Version::V2)));
    assert_eq!(of(Controller::Freezer), Ok(Version::V2), "v2 has its own");
    assert_eq!(of(Controller::PerfEvent), Err(Unavailable::BoundToV1 { hierarchy: 6 }));
    let cgroup = host.create(&path("x"), Controller::Pids.into()).unwrap();
    assert_eq!(cgroup.paths().count(), 1, "v1 is left alone");
    let cgroup = host.create(&path("y"), Controller::Memory.into()).unwrap();
    assert_eq!(cgroup.paths().count(), 2);
    let missing = host.open(&path("x")).unwrap().create("z", Controller::Memory.into()).unwrap_err();
    let expected = format!(
        "no controller memory for the cgroup /x: it has no directory below {}",
        tree.path("/cg/memory").display()
    );
    assert_eq!(missing.to_string(), expected);
    assert!(!tree.path("/cg/unified/x/z").exists());
}

#[test]
fn mount_points_can_have_any_bytes() {
    for point in
        [&b"/mnt/with space"[..], b"/mnt/back\\040slash", b"/mnt/new\nline", b"/mnt/\xff\xfe", b"/mnt/tab\t"]
    {
        let tree = FakeTree::new().mount(point, "/", "cgroup2", "rw").own("0::/");
        let directory = tree.path(std::ffi::OsStr::from_bytes(point));
        std::fs::write(directory.join("cgroup.controllers"), "pids").unwrap();
        let host = tree.hierarchies();
        assert_eq!(host.iter().next().unwrap().mount_point(), directory);
        assert!(host.hierarchy_of(Controller::Pids).is_ok());
    }
}

#[test]
fn of_several_mounts_the_one_of_the_root_is_used() {
    let tree = FakeTree::new()
        .mount(b"/part", "/job", "cgroup2", "rw")
        .v2("/whole", "cpu")
        .mount(b"/other", "/other", "cgroup2", "rw")
        .own("0::/job/7");
    let host = tree.hierarchies();
    assert_eq!(host.iter().next().unwrap().mount_point(), tree.path("/whole"));
    assert_eq!(host.iter().next().unwrap().own(), Some(&path("job/7")));
    let skipped: Vec<_> = host.skipped().iter().map(ToString::to_string).collect();
    let elsewhere = "the same hierarchy is mounted elsewhere, too";
    assert_eq!(skipped, [format!("/part: {elsewhere}"), format!("/other: {elsewhere}")]);
}

#[test]
fn a_mount_that_cannot_be_read_gives_way_to_another() {
    let tree = FakeTree::new()
        .mount(b"/empty", "/", "cgroup2", "rw")
        .mount_line("90 1 0:90 / /gone rw - cgroup2 none rw")
        .mount(b"/part", "/job", "cgroup2", "rw")
        .file("/part/cgroup.controllers", "cpu")
        .mount_line("not a line of a mount table")
        .own("0::/job/7");
    let host = tree.hierarchies();
    assert_eq!(host.iter().next().unwrap().mount_point(), tree.path("/part"));
    assert_eq!(host.iter().next().unwrap().own(), Some(&path("7")));
    let skipped: Vec<_> = host.skipped().iter().map(ToString::to_string).collect();
    let expected = [
        "not a line of a mount table: the line cannot be read",
        "/empty: read cgroup.controllers: ENOENT (No such file or directory)",
        "/gone: open: ENOENT (No such file or directory)",
    ];
    assert_eq!(skipped, expected);
}

#[test]
fn a_covered_mount_is_not_used() {
    let tree = FakeTree::new()
        .v2("/sys/fs/cgroup", "cpu")
        .mount_line("50 2 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw")
        .v1("/cg/memory", "memory");
    let host = tree.hierarchies();
    assert_eq!(host.mode(), Mode::Legacy);
    assert_eq!(host.skipped()[0].reason, SkipReason::Covered);
}

#[test]
fn a_host_without_cgroups_is_told_from_one_without_usable_ones() {
    assert_eq!(FakeTree::new().discover().unwrap_err().to_string(), "no cgroup file system is mounted");
    let unusable =
        FakeTree::new().mount_line("90 1 0:90 / /gone rw - cgroup2 none rw").discover().unwrap_err();
    let expected =
        "no mounted cgroup file system can be used: /gone: open: ENOENT (No such file or directory)";
    assert_eq!(unusable.to_string(), expected);
}

#[test]
fn outside_of_the_cgroup_namespace_nothing_is_the_own() {
    for (shown, own) in [("/", "0::/../outside"), ("/../..", "0::/"), ("/part", "0::/other")] {
        let tree = FakeTree::new()
            .mount(b"/cg", shown, "cgroup2", "rw")
            .file("/cg/cgroup.controllers", "cpu")
            .own(own);
        let host = tree.hierarchies();
        assert_eq!(host.iter().next().unwrap().own(), None, "{shown} {own}");
        let error = host.own().unwrap_err().to_string();
        assert_eq!(
            error,
            "the cgroup of this process is outside of what is mounted, or of its cgroup namespace"
        );
    }
}

#[test]
fn a_name_may_end_like_that_of_a_cgroup_that_is_gone() {
    let tree = FakeTree::new().v2("/cg", "cpu").own("0::/job (deleted)");
    assert_eq!(tree.hierarchies().iter().next().unwrap().own(), None);
    let tree = tree.cgroup2("/cg/job (deleted)", "cpu");
    assert_eq!(tree.hierarchies().own().unwrap().path().to_string(), "/job (deleted)");
}

#[test]
fn links_do_not_lead_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("cgroup.controllers"), "cpu").unwrap();
    let tree = FakeTree::new().v2("/cg", "cpu").own("0::/");
    std::fs::remove_dir_all(tree.path("/cg")).unwrap();
    std::os::unix::fs::symlink(outside.path(), tree.path("/cg")).unwrap();
    assert!(tree.discover().is_err());
    let tree = FakeTree::new().v2("/cg", "cpu").own("0::/");
    std::os::unix::fs::symlink(outside.path(), tree.path("/cg/link")).unwrap();
    let error = tree.hierarchies().open(&path("link")).unwrap_err();
    assert_eq!(error.errno().unwrap().number(), libc::ELOOP);
    assert!(tree.hierarchies().root().unwrap().children().unwrap().is_empty());
}

#[test]
fn a_control_file_that_is_missing_is_never_made() {
    let tree = FakeTree::new().v2("/cg", "cpu memory").own("0::/");
    let host = tree.hierarchies();
    let cgroup = host.create(&path("a/b"), Controllers::EMPTY).unwrap();
    let soon = Duration::from_millis(10);
    let errors = [
        cgroup.enable(Controller::Cpu.into()).unwrap_err(),
        cgroup.add(1).unwrap_err(),
        cgroup.add_thread(1).unwrap_err(),
        cgroup.freeze(soon).unwrap_err(),
        cgroup.thaw(soon).unwrap_err(),
        cgroup.kill(soon).unwrap_err(),
        cgroup.processes().unwrap_err(),
        cgroup.is_populated().unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_gone(), "{error}");
    }
    assert_eq!(std::fs::read_dir(tree.path("/cg/a/b")).unwrap().count(), 0);
    cgroup.remove(soon).unwrap();
    assert!(!tree.path("/cg/a/b").exists());
}

#[test]
fn what_an_attempt_made_is_removed_again() {
    let tree = FakeTree::new().v1("/cg/pids", "pids").v2("/cg/unified", "cpu").own("0::/");
    std::fs::create_dir_all(tree.path("/cg/pids/a/b")).unwrap();
    let error = tree.hierarchies().create(&path("a/b"), Controller::Pids.into()).unwrap_err();
    let expected = format!("make the cgroup {}: EEXIST (File exists)", tree.path("/cg/pids/a/b").display());
    assert_eq!(error.to_string(), expected);
    assert!(tree.path("/cg/pids/a/b").exists() && !tree.path("/cg/unified/a").exists());
}
