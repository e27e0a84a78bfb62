//! Containers that run out of what they may use, and what they leave in their cgroups.
#![cfg(feature = "oci")]

mod common;

use std::time::{Duration, Instant};

use cofferdam::oci::Status;
use cofferdam::oci::events::Event;
use common::bundle::{Bundle, busybox, wait};
use common::is_root;
use serde_json::json;

/// Waits for something that happens soon.
fn soon(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn nothing_is_left(bundle: &Bundle) {
    assert_eq!(bundle.entries(), [""; 0]);
    assert_eq!(bundle.cgroups(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_program_killed_for_want_of_memory_is_stopped_with_137_and_an_event() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let mut bundle = Bundle::new("exec /bin/busybox tail /dev/zero");
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}});
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let watched = bundle.runtime.load("box").expect("it is found");
    let mut events = watched.events(Duration::from_secs(60)).expect("events");
    container.start().expect("a start");
    assert_eq!(wait(&mut container), 137);
    assert!(events.any(|event| event.expect("an event") == Event::Oom));
    assert_eq!(container.status().expect("a status"), Status::Stopped);
    container.delete(false).expect("it is deleted");
    nothing_is_left(&bundle);
}

#[test]
fn a_fork_bomb_stays_below_its_limit_and_is_deleted_in_time() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let mut bundle = Bundle::new("exec 2>/dev/null; f() { f | f & }; f; exec sleep 1000");
    bundle.config["linux"]["resources"] = json!({"pids": {"limit": 12}});
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().expect("a start");
    let pids = || container.usage().expect("statistics").pids;
    soon("forks are refused", || {
        let refused = container.statistics().expect("statistics").pids.and_then(|pids| pids.refused);
        pids().current > 10 || refused.is_some_and(|refused| refused > 0)
    });
    assert!(pids().current <= 12 && pids().limit == 12);
    let begun = Instant::now();
    container.delete(true).expect("it is deleted");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    nothing_is_left(&bundle);
}

#[test]
fn children_that_outlive_the_first_process_in_the_hosts_pid_namespace_end_with_the_container() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let mut bundle = Bundle::new("sleep 1000 & exit 0");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().expect("namespaces");
    namespaces.retain(|namespace| namespace["type"] != "pid");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().expect("a start");
    assert_eq!(wait(&mut container), 0);
    assert_eq!(container.status().expect("a status"), Status::Stopped);
    let left = container.cgroup().expect("its cgroup").processes().expect("its processes");
    assert_eq!(left.len(), 1, "{left:?}");
    container.delete(false).expect("it is deleted");
    let process = format!("/proc/{}/stat", left[0]);
    // Somebody else's child may be a zombie for a moment.
    soon("it ends", || {
        std::fs::read_to_string(&process)
            .map_or(true, |stat| stat.contains(") Z ") || !stat.contains("sleep"))
    });
    nothing_is_left(&bundle);
}

#[test]
fn a_paused_container_is_deleted_by_force() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let bundle = Bundle::new("exec sleep 1000");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().expect("a start");
    container.pause().expect("it is paused");
    assert_eq!(container.status().expect("a status"), Status::Paused);
    container.delete(true).expect("it is deleted");
    nothing_is_left(&bundle);
}

/// A process that SIGKILL does not end, as one that sleeps in the kernel.
#[test]
fn what_cannot_be_killed_is_an_error_in_time_and_can_be_tried_again() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let mut bundle = Bundle::new("exec sleep 1000");
    let above = bundle.config["linux"]["cgroupsPath"].as_str().expect("a path").to_owned();
    bundle.config["linux"]["cgroupsPath"] = json!(format!("{above}/box"));
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().expect("a start");
    let parents: Vec<_> =
        bundle.cgroups().iter().map(|at| at.parent().expect("one above").to_owned()).collect();
    let freezer = parents.iter().map(|at| at.join("freezer.state")).find(|file| file.exists());
    let frozen = freezer.inspect(|state| {
        std::fs::write(state, "FROZEN").expect("it is frozen");
        soon("it is frozen", || std::fs::read_to_string(state).expect("a state").trim() == "FROZEN");
        let begun = Instant::now();
        let error = bundle.runtime.delete("box", true).expect_err("it cannot end").to_string();
        assert!(error.contains(above.trim_start_matches('/')), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        assert_eq!(bundle.entries(), ["box"]);
        std::fs::write(state, "THAWED").expect("it is thawed");
    });
    bundle.runtime.delete("box", true).expect("it is deleted");
    drop(container);
    nothing_is_left(&bundle);
    parents.iter().for_each(|at| std::fs::remove_dir(at).expect("the cgroup above is empty"));
    if frozen.is_none() {
        println!("skipped: needs the freezer of cgroup v1, which holds what is killed");
    }
}

#[test]
fn cgroups_in_that_of_the_container_go_with_it() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let bundle = Bundle::new("exit 0");
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    for directory in bundle.cgroups() {
        std::fs::create_dir_all(directory.join("a/b")).expect("cgroups");
        std::fs::create_dir(directory.join("c")).expect("a cgroup");
    }
    container.start().expect("a start");
    assert_eq!(wait(&mut container), 0);
    container.delete(false).expect("it is deleted");
    nothing_is_left(&bundle);
}

/// CVE-2022-0492: who may write to `release_agent` runs programs on the host.
#[test]
fn a_container_sees_no_release_agent_in_its_cgroups() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let script =
        "cd /sys/fs/cgroup; for file in release_agent */release_agent; do test -e $file && echo $file; done
                  for file in cgroup.procs */cgroup.procs; do test -e $file && echo cgroups && exit; done";
    for own_namespace in [true, false] {
        let mut bundle = Bundle::new(script);
        let mounts = bundle.config["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                           "options": ["nosuid", "noexec", "nodev"]}));
        let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().expect("namespaces");
        namespaces.retain(|namespace| namespace["type"] != "cgroup");
        if own_namespace {
            namespaces.push(json!({"type": "cgroup"}));
        }
        assert_eq!(bundle.run("box"), ("cgroups\n".to_owned(), 0), "{own_namespace}");
        nothing_is_left(&bundle);
    }
}
