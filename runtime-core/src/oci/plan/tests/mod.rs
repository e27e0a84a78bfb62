//! The sections together.

mod exec;
mod faults;
mod namespaces;
mod process;
mod seccomp;
mod security;
mod system;

use std::os::fd::AsFd;

use serde_json::json;

use super::point;
use super::testing::{as_anyone, explain, in_user_namespace, output, refusal, request, run, spec};

#[test]
fn a_plain_configuration_runs_its_program_in_namespaces_of_its_own() {
    let spec = spec("echo $$; hostname; id -u", |value| {
        as_anyone(value);
        value["hostname"] = json!("box");
    });
    assert_eq!(output(&spec), "1\nbox\n0\n");
}

#[test]
fn a_plan_says_each_step() {
    let spec = spec("true", |value| {
        as_anyone(value);
        value["hostname"] = json!("box");
        value["process"]["noNewPrivileges"] = json!(true);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]);
    });
    let text = explain(&spec).unwrap();
    let wanted = [
        "call keyctl join session keyring",
        "set hostname box",
        "bring the loopback interface up",
        "start a new session",
        "change directory to /",
        "limit RLIMIT_NOFILE to 100 (hard 200)",
    ];
    let mut rest = text.as_str();
    for line in wanted {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("{line} is not in order in:\n{text}")).1;
    }
    assert!(rest.trim_end().ends_with("execute /bin/sh -c true"), "{text}");
}

#[test]
fn a_container_needs_a_mount_namespace() {
    let spec = spec("true", |value| value["linux"]["namespaces"] = json!([{ "type": "pid" }]));
    assert_eq!(
        refusal(&spec),
        "config.json: linux.namespaces: has no mount namespace: a container cannot share the caller's"
    );
}

#[test]
fn root_of_a_user_namespace_has_the_capabilities_that_are_listed_and_no_others() {
    let spec =
        spec("grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status; cat /proc/self/uid_map", |value| {
            in_user_namespace(value);
            let list = ["CAP_KILL", "CAP_CHOWN"];
            value["process"]["capabilities"] =
                json!({ "bounding": list, "effective": list, "permitted": list, "ambient": list });
        });
    let text = output(&spec).replace(['\t', ' '], "");
    let uid = rustix::process::geteuid().as_raw();
    let set = "0000000000000021";
    assert_eq!(
        text,
        format!(
            "CapInh:0000000000000000\nCapPrm:{set}\nCapEff:{set}\nCapBnd:{set}\nCapAmb:0000000000000000\n0{uid}1\n"
        )
    );
}

#[test]
fn without_a_process_a_container_can_be_made_and_has_nothing_to_execute() {
    let spec = spec("", |value| {
        as_anyone(value);
        value.as_object_mut().unwrap().remove("process");
        value["hostname"] = json!("box");
    });
    let prepared = super::build(&request(&spec)).unwrap();
    assert!(!prepared.plan.find_program);
    let text = prepared.plan.explain();
    assert!(text.contains("set hostname box\n"), "{text}");
}

#[test]
fn the_meetings_are_those_that_the_configuration_needs() {
    let hook = json!([{ "path": "/bin/true" }]);
    let spec = spec("true", |value| {
        as_anyone(value);
        value["hooks"] = json!({ "createRuntime": hook, "startContainer": hook });
        value["linux"]["netDevices"] = json!({ "eth7": {} });
    });
    let prepared = super::build(&request(&spec)).unwrap();
    let points = |steps: &[crate::Step]| -> Vec<u32> {
        let point = |step: &crate::Step| match step {
            crate::Step::Sync { point, .. } => Some(*point),
            _ => None,
        };
        steps.iter().filter_map(point).collect()
    };
    assert_eq!(points(&prepared.plan.steps), [point::NAMESPACES, point::MOUNTED]);
    assert_eq!(points(&prepared.plan.last), [point::STARTED]);
}

#[test]
fn descriptors_are_passed_in_their_order() {
    let (first, second) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    std::os::unix::fs::FileExt::write_at(&first, b"first", 0).unwrap();
    std::os::unix::fs::FileExt::write_at(&second, b"second", 0).unwrap();
    let spec = spec("cat <&3; cat <&4; [ -e /proc/self/fd/5 ] || echo ' and no more'", as_anyone);
    let mut request = request(&spec);
    request.passed = vec![first.as_fd(), second.as_fd()];
    assert_eq!(run(&super::build(&request).unwrap()).unwrap().0, "firstsecond and no more\n");
}
