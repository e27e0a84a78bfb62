//! Namespaces, and what is said about a container.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::common::bundle::{Bundle, busybox, wait};
use super::common::{can_isolate, is_root, namespace};
use super::{bundle, inside};
use crate::require;

const KINDS: [(&str, &str); 8] = [
    ("mount", "mnt"),
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("cgroup", "cgroup"),
    ("time", "time"),
    ("user", "user"),
];

/// Which kinds of namespaces the program has that are not the caller's, where these are asked for besides the mount namespace.
fn new_kinds(asked: &[&str]) -> Vec<&'static str> {
    let script = "for n in mnt pid net ipc uts cgroup time user; do readlink /proc/self/ns/$n; done";
    let text = inside(script, |config| {
        let all = ["mount"].iter().chain(asked).map(|kind| json!({ "type": kind }));
        config["linux"]["namespaces"] = all.collect();
        let one = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        if asked.contains(&"user") {
            (config["linux"]["uidMappings"], config["linux"]["gidMappings"]) = (one.clone(), one);
        }
        config.as_object_mut().expect("an object").remove("hostname");
        // Those of the kernel cannot all be mounted in the host's namespaces.
        config["mounts"] =
            json!([{ "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"] }]);
    });
    let links: Vec<&str> = text.lines().collect();
    assert_eq!(links.len(), KINDS.len(), "{text}");
    let new = KINDS.iter().zip(links).filter(|((_, file), link)| namespace("self", file) != **link);
    new.map(|((kind, _), _)| *kind).collect()
}

#[test]
fn each_kind_of_namespace_is_new_where_it_is_asked_for_and_the_callers_where_not() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    assert_eq!(new_kinds(&[]), ["mount"]);
    for (kind, _) in &KINDS[2..] {
        assert_eq!(new_kinds(&[kind]), ["mount", *kind]);
    }
}

#[test]
fn names_parameters_and_clocks_are_the_containers_own() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let script = "hostname; cd /proc/sys; cat kernel/domainname kernel/shmmni net/ipv4/ip_forward; \
                  sed 's/  */ /g' /proc/self/timens_offsets";
    let text = inside(script, |config| {
        (config["hostname"], config["domainname"]) = (json!("box"), json!("river"));
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "time" }));
        config["linux"]["sysctl"] = json!({ "kernel.shmmni": "77", "net.ipv4.ip_forward": "1" });
        config["linux"]["timeOffsets"] =
            json!({ "monotonic": { "secs": 86400, "nanosecs": 3 }, "boottime": { "secs": 7 } });
    });
    assert_eq!(text, "box\nriver\n77\n1\nmonotonic 86400 3\nboottime 7 0\n");
}

#[test]
fn ids_are_mapped_as_written() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let text = inside("sed 's/  */ /g' /proc/self/uid_map /proc/self/gid_map; id -u; id -g", |config| {
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        let two = |first: u32| {
            json!([{ "containerID": 0, "hostID": first, "size": 10 },
                   { "containerID": 10, "hostID": first + 1000, "size": 5 }])
        };
        (config["linux"]["uidMappings"], config["linux"]["gidMappings"]) = (two(100_000), two(200_000));
        config["process"]["user"] = json!({ "uid": 11, "gid": 12 });
    });
    let expected = " 0 100000 10\n 10 101000 5\n 0 200000 10\n 10 201000 5\n11\n12\n";
    assert_eq!(text, expected);
}

/// The state by itself and as hooks of every kind read it.
#[test]
fn the_state_has_version_name_status_process_bundle_and_annotations() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let mut bundle: Bundle = bundle("exit 0", |config| {
        config["annotations"] = json!({ "org.example.key": "value", "org.example.empty": "" });
    });
    let file = bundle.path().join("state-of-hook");
    bundle.config["hooks"] = json!({ "createRuntime": [{
        "path": "/bin/sh", "args": ["sh", "-c", "cat > \"$1\"", "hook", file],
    }] });
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let annotations: BTreeMap<String, String> =
        [("org.example.empty", ""), ("org.example.key", "value")].map(|(k, v)| (k.into(), v.into())).into();
    let state = container.state().expect("a state");
    assert_eq!(state.annotations, annotations);
    let expected = |status: &str, pid: Option<u32>| {
        let mut value = json!({
            "ociVersion": state.oci_version, "id": "box", "status": status, "bundle": bundle.path(),
            "annotations": annotations,
        });
        if let Some(pid) = pid {
            value["pid"] = json!(pid);
        }
        value
    };
    let read: Value = serde_json::from_slice(&std::fs::read(&file).expect("a state")).expect("JSON");
    assert_eq!(read, expected("creating", container.pid()));
    assert!(state.oci_version.starts_with("1.3."), "{}", state.oci_version);
    let seen = |container: &cofferdam::oci::Container| {
        serde_json::to_value(container.state().expect("a state")).expect("JSON")
    };
    assert_eq!(seen(&container), expected("created", container.pid()));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(wait(&mut container), 0);
    assert_eq!(seen(&container), expected("stopped", None));
}
