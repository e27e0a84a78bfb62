//! Classes and priorities of packets: v1 controllers that hardly any host mounts. They are mounted where nobody else sees it.

mod common;

use cofferdam_cgroups::{Controller, Controllers, Hierarchies, NetCls, NetPrio, Resources, Setting};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Starts this binary again for one test, in a mount namespace of its own.
fn alone(test: &str) {
    let mut command = Command::new(std::env::current_exe().expect("as always"));
    command.args([test, "--exact", "--nocapture", "--include-ignored"]).env("MOUNTS", "private");
    let private = || {
        nix_unshare()?;
        let flags = rustix::mount::MountPropagationFlags::REC | rustix::mount::MountPropagationFlags::PRIVATE;
        rustix::mount::mount_change("/", flags)?;
        Ok(())
    };
    #[allow(unsafe_code)]
    // SAFETY: two system calls without allocation, in a child that executes right after.
    unsafe {
        command.pre_exec(private);
    }
    assert!(command.status().expect("as always").success());
}

fn nix_unshare() -> std::io::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(std::io::Error::from)
}

#[test]
fn classes_and_priorities_of_packets_are_set_and_read() {
    require_root!();
    if std::env::var_os("MOUNTS").is_none() {
        return alone("classes_and_priorities_of_packets_are_set_and_read");
    }
    let point = tempfile::tempdir().unwrap();
    let mounted = rustix::mount::mount(
        "none",
        point.path(),
        "cgroup",
        rustix::mount::MountFlags::empty(),
        Some(c"net_cls,net_prio"),
    );
    if let Err(errno) = mounted {
        absent!("net_cls and net_prio cannot be mounted: {errno}");
    }
    set_and_read(point.path());
    rustix::mount::unmount(point.path(), rustix::mount::UnmountFlags::empty()).unwrap();
}

fn set_and_read(point: &Path) {
    let host = Hierarchies::discover().expect("as always");
    let hierarchy = host.hierarchy_of(Controller::NetCls).expect("as always");
    assert_eq!(hierarchy.mount_point(), point);
    let base = host.root().expect("as always");
    let both = Controllers::from(Controller::NetCls).with(Controller::NetPrio);
    let cgroup = base.create(common::unique_name(), both).expect("as always");
    let class = Setting::from(NetCls(0x10_0001));
    let priority = Setting::from(NetPrio { interface: "lo".to_owned(), priority: 5 });
    cgroup.apply(&Resources::new().must(class.clone()).must(priority.clone())).expect("as always");
    assert_eq!(cgroup.settings(Controller::NetCls).expect("as always"), [class]);
    assert!(cgroup.settings(Controller::NetPrio).expect("as always").contains(&priority));
    let nowhere = NetPrio { interface: "nowhere0".to_owned(), priority: 5 };
    let error = cgroup.apply(&Resources::new().must(nowhere)).expect_err("no such interface");
    assert!(error.to_string().contains("write \"nowhere0 5\" to "), "{error}");
    cgroup.remove(common::SOON).expect("as always");
}
