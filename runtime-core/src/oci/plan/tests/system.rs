//! Names and kernel parameters.

use serde_json::{Value, json};

use super::super::testing::{as_anyone, output, refusal, spec};

fn with(command: &str, change: impl FnOnce(&mut Value)) -> crate::oci::Spec {
    spec(command, |value| {
        as_anyone(value);
        change(value);
    })
}

#[test]
fn names_are_set_in_an_uts_namespace() {
    let command = "hostname; cat /proc/sys/kernel/domainname";
    let named = with(command, |value| {
        value["hostname"] = json!("box");
        value["domainname"] = json!("river");
    });
    assert_eq!(output(&named), "box\nriver\n");
}

#[test]
fn kernel_parameters_of_its_own_namespaces_are_set() {
    let spec = with("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax", |value| {
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "kernel/msgmax": "4321" });
    });
    assert_eq!(output(&spec), "1\n4321\n");
}

#[test]
fn cve_2022_0811_only_kernel_parameters_of_its_own_namespaces_are_taken() {
    let names = [
        "kernel.core_pattern",
        "kernel/core_pattern",
        "net.../../kernel/core_pattern",
        "net/../kernel/core_pattern",
        "kernel.shm_rmid_forced+kernel.core_pattern=x",
        "kernel.msgmax/../core_pattern",
        "vm.overcommit_memory",
        "",
    ];
    let before = std::fs::read("/proc/sys/kernel/core_pattern").unwrap();
    for name in names {
        let text = refusal(&with("true", |value| value["linux"]["sysctl"] = json!({ name: "x" })));
        assert!(text.starts_with(&format!("config.json: linux.sysctl[{name:?}]: ")), "{text}");
    }
    let shared = refusal(&with("true", |value| {
        value["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "network");
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    }));
    assert_eq!(
        shared,
        "config.json: linux.sysctl[\"net.ipv4.ip_forward\"]: belongs to a namespace that is not new"
    );
    assert_eq!(std::fs::read("/proc/sys/kernel/core_pattern").unwrap(), before);
}

#[test]
fn a_name_is_said_in_one_place() {
    let text = refusal(&with("true", |value| {
        value["hostname"] = json!("box");
        value["linux"]["sysctl"] = json!({ "kernel/hostname": "other" });
    }));
    assert_eq!(text, "config.json: linux.sysctl[\"kernel/hostname\"]: says the same as hostname");
}

#[test]
fn network_devices_need_a_network_namespace() {
    let text = refusal(&with("true", |value| {
        value["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != "network");
        value["linux"]["netDevices"] = json!({ "eth7": {} });
    }));
    assert_eq!(
        text,
        "config.json: linux.netDevices: is set, but linux.namespaces has no network namespace of its own"
    );
}
