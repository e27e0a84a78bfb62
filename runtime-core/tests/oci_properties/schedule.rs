//! When the process runs, and where its memory lies.

use serde_json::{Value, json};

use super::common::bundle::busybox;
use super::common::{can_isolate, is_root};
use super::inside;
use crate::require;

/// The number of the policy, its priority and the niceness, as the kernel tells them.
fn scheduled(scheduler: Value, resources: Value) -> String {
    let script = "sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 17,38,39";
    inside(script, |config| {
        config["process"]["scheduler"] = scheduler;
        if let Value::Object(parts) = resources {
            config["linux"]["resources"].as_object_mut().expect("an object").extend(parts);
        }
    })
}

/// Time for real-time processes, where a cgroup has to be given some.
fn real_time() -> Value {
    match std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists() {
        true => json!({ "cpu": { "realtimeRuntime": 10_000, "realtimePeriod": 1_000_000 } }),
        false => Value::Null,
    }
}

#[test]
fn every_policy_without_privileges_is_set() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    for (policy, nice, number) in [("SCHED_OTHER", 5, 0), ("SCHED_BATCH", 6, 3), ("SCHED_IDLE", 0, 5)] {
        let text = scheduled(json!({ "policy": policy, "nice": nice }), Value::Null);
        assert_eq!(text, format!("{nice} 0 {number}\n"), "{policy}");
    }
}

/// On v1 with real-time groups a cgroup has no time for such processes unless it is given some, which `create` does first.
#[test]
fn real_time_policies_run_on_the_time_that_the_cgroup_is_given() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let time = real_time();
    for (policy, number) in [("SCHED_FIFO", 1), ("SCHED_RR", 2)] {
        let text = scheduled(json!({ "policy": policy, "priority": 7 }), time.clone());
        assert_eq!(text, format!("0 7 {number}\n"), "{policy}");
    }
}

#[test]
fn a_policy_may_be_left_behind_by_children() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    // What the shell starts has what it has, unless it is to be reset.
    for (flags, expected) in [(json!([]), "0 7 1\n"), (json!(["SCHED_RESET_ON_FORK"]), "0 0 0\n")] {
        let scheduler = json!({ "policy": "SCHED_FIFO", "priority": 7, "flags": flags });
        assert_eq!(scheduled(scheduler, real_time()), expected);
    }
}

#[test]
fn every_class_of_io_is_set() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let class = |class: &str, priority: u8| {
        inside("ionice -p $$", |config| {
            config["process"]["ioPriority"] = json!({ "class": class, "priority": priority });
        })
    };
    assert_eq!(class("IOPRIO_CLASS_BE", 6), "best-effort: prio 6\n");
    assert_eq!(class("IOPRIO_CLASS_IDLE", 0), "idle\n");
    if is_root() {
        assert_eq!(class("IOPRIO_CLASS_RT", 3), "realtime: prio 3\n");
    }
}

#[test]
fn a_domain_of_32_bits_is_another_machine() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    require!(cfg!(target_arch = "x86_64"), "x86_64");
    let machine = |domain: &str| {
        inside("/bin/busybox uname -m", |config| config["linux"]["personality"] = json!({ "domain": domain }))
    };
    assert_eq!([machine("LINUX"), machine("LINUX32")], ["x86_64\n", "i686\n"]);
}

#[test]
fn memory_comes_from_the_nodes_of_every_policy() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    require!(std::path::Path::new("/proc/self/numa_maps").exists(), "memory nodes");
    let cases = [
        (json!({ "mode": "MPOL_DEFAULT" }), "default"),
        (json!({ "mode": "MPOL_BIND", "nodes": "0" }), "bind:0"),
        (json!({ "mode": "MPOL_PREFERRED", "nodes": "0" }), "prefer:0"),
        (json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }), "interleave:0"),
        (json!({ "mode": "MPOL_LOCAL" }), "local"),
        (json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }), "bind=static:0"),
        (json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"] }), "bind=relative:0"),
    ];
    for (policy, expected) in cases {
        let text = inside("head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2", |config| {
            config["linux"]["memoryPolicy"] = policy.clone();
        });
        assert_eq!(text, format!("{expected}\n"), "{policy}");
    }
}
