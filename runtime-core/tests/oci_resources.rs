//! What containers get of the host: limits, groups of resctrl, network devices.
#![cfg(feature = "oci")]

mod common;

use std::fs;
use std::process::Command;

use common::bundle::{Bundle, busybox, wait};
use common::is_root;
use serde_json::json;

#[test]
fn a_container_is_in_its_group_from_its_creation_to_its_end() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let resctrl = tempfile::TempDir::new().expect("a directory");
    let mut bundle = Bundle::new("exec sleep 1000");
    bundle.config["linux"]["intelRdt"] = json!({"schemata": ["L3:0=f"]});
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    options.rdt_root = Some(resctrl.path().to_owned());
    let mut container = bundle.runtime.create(options).unwrap_or_else(|error| panic!("{error}"));
    let group = resctrl.path().join("box");
    let pid = container.pid().expect("a process").to_string();
    assert_eq!(fs::read_to_string(group.join("tasks")).expect("tasks"), pid);
    assert_eq!(fs::read_to_string(group.join("schemata")).expect("schemata"), "L3:0=f\n");
    let change = serde_json::from_value(json!({"l3CacheSchema": "L3:0=3"})).expect("a change");
    container.update_rdt(&change).expect("an update");
    assert_eq!(fs::read_to_string(group.join("schemata")).expect("schemata"), "L3:0=f\nL3:0=3\n");
    container.start().expect("a start");
    let mut process = container.process_template();
    process.set_args(Some(vec!["/bin/true".to_owned()]));
    let mut options = cofferdam::oci::ExecOptions::new(&process);
    options.stdin = cofferdam::Stdio::null();
    let mut further = container.exec(options).expect("a further process");
    assert!(further.wait().expect("it ends").success());
    // Plain files do not follow forks: this is the process that made the further one, which is in the group by that.
    let tasks = fs::read_to_string(group.join("tasks")).expect("tasks");
    assert!(tasks.starts_with(&pid) && tasks.len() > pid.len(), "{tasks}");
    container.kill(9, false).expect("a signal");
    assert_eq!(wait(&mut container), 137);
    let again = bundle.runtime.load("box").expect("it is found");
    again.delete(false).expect("it is deleted");
    assert!(!group.exists());
}

#[test]
fn a_container_that_cannot_be_made_leaves_no_group() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let resctrl = tempfile::TempDir::new().expect("a directory");
    let mut bundle = Bundle::new("exit 0");
    bundle.config["linux"]["intelRdt"] = json!({"schemata": ["L3:0=f"]});
    bundle.config["process"]["args"] = json!(["/bin/nothing"]);
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    options.rdt_root = Some(resctrl.path().to_owned());
    let text = bundle.runtime.create(options).expect_err("a refusal").to_string();
    assert!(text.contains("/bin/nothing"), "{text}");
    assert!(!resctrl.path().join("box").exists());
    assert_eq!((bundle.entries().len(), bundle.cgroups().len()), (0, 0));
}

/// Runs a test in a network namespace of its own.
fn in_network(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
        test();
    });
    thread.join().expect("the test passes");
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip");
    assert!(status.success(), "ip {arguments}");
}

#[test]
fn a_network_device_of_the_host_is_the_containers_with_its_addresses() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(Command::new("ip").arg("-V").output().is_ok(), "ip");
    in_network(|| {
        ip("link add host0 type veth peer name other");
        ip("addr add 192.0.2.7/24 dev host0");
        let mut bundle =
            Bundle::new("/bin/busybox ip -o addr show dev net0; /bin/busybox ip -o link show dev net0");
        bundle.config["linux"]["netDevices"] = json!({"host0": {"name": "net%d"}});
        let (text, code) = bundle.run("box");
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("inet 192.0.2.7/24"), "{text}");
        assert!(text.contains(",UP"), "{text}");
    });
}

#[test]
fn a_network_device_that_is_not_there_fails_the_creation() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    in_network(|| {
        let mut bundle = Bundle::new("exit 0");
        bundle.config["linux"]["netDevices"] = json!({"gone": {}});
        let text = bundle.create("box").expect_err("a refusal").to_string();
        assert!(text.contains("linux.netDevices[\"gone\"]: find it on the host: ENODEV"), "{text}");
        assert_eq!((bundle.entries().len(), bundle.cgroups().len()), (0, 0));
    });
}

#[test]
fn usage_has_the_limits_of_the_container() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let mut bundle = Bundle::new("exit 0");
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 50_331_648}, "pids": {"limit": 9}});
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let usage = container.usage().expect("statistics");
    assert_eq!((usage.pids.current, usage.pids.limit), (1, 9));
    assert_eq!(usage.memory.usage.limit, 50_331_648);
    let change = serde_json::from_value(json!({"pids": {"limit": 11}})).expect("a change");
    container.update(&change).expect("an update");
    assert_eq!(container.usage().expect("statistics").pids.limit, 11);
    container.delete(true).expect("it is deleted");
}
