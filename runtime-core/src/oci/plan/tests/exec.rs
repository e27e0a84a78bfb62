//! Further processes in a container.

use cofferdam_process::Child;
use oci_spec::runtime::Process;
use serde_json::{Value, json};

use super::super::testing::{as_anyone, build_and_start, request, run, spec};
use super::super::{ExecRequest, add_capabilities, exec};
use crate::cgroup::Shape;
use crate::oci::{Result, Spec};

/// A container that waits.
fn container(change: impl FnOnce(&mut Value)) -> (Spec, Child) {
    let spec = spec("exec sleep 60", |value| {
        as_anyone(value);
        value["hostname"] = json!("box");
        change(value);
    });
    let child = build_and_start(&spec);
    (spec, child)
}

fn process(command: &str, change: impl FnOnce(&mut Value)) -> Process {
    let mut value = json!({
        "user": { "uid": 0, "gid": 0 },
        "args": ["/bin/sh", "-c", command],
        "env": ["PATH=/usr/bin:/bin"],
        "cwd": "/",
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn inside(container: &(Spec, Child), process: &Process) -> Result<String> {
    let streams = request(&container.0).streams;
    let request = ExecRequest {
        id: "cofferdam-test",
        spec: &container.0,
        process,
        pidfd: container.1.pidfd(),
        streams,
        passed: Vec::new(),
        cgroup: Shape::default(),
        no_new_keyring: false,
    };
    let prepared = exec(&request)?;
    Ok(run(&prepared)?.0)
}

fn end(mut container: (Spec, Child)) {
    container.1.kill(libc::SIGKILL).unwrap();
    container.1.wait().unwrap();
}

#[test]
fn a_further_process_is_in_all_namespaces_of_the_first() {
    let container = container(|_| {});
    let command =
        "hostname; for n in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done";
    let text = inside(&container, &process(command, |_| {})).unwrap();
    let names = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"];
    let theirs = names.map(|name| {
        let link = std::fs::read_link(format!("/proc/{}/ns/{name}", container.1.id())).unwrap();
        format!("{}\n", link.display())
    });
    assert_eq!(text, format!("box\n{}", theirs.concat()));
    end(container);
}

#[test]
fn cve_2022_29162_capabilities_that_are_added_are_not_inheritable() {
    let container = container(|_| {});
    let mut process = process("grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status", |value| {
        value["capabilities"] = json!({});
    });
    add_capabilities(&mut process, &["CAP_NET_RAW".parse().unwrap()]).unwrap();
    let (none, set) = ("0000000000000000", "0000000000002000");
    assert_eq!(
        inside(&container, &process).unwrap(),
        format!("CapInh:\t{none}\nCapPrm:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\nCapAmb:\t{none}\n")
    );
    end(container);
}

#[test]
fn what_a_further_process_leaves_open_is_as_the_first_has_it() {
    let container = container(|value| {
        value["process"]["noNewPrivileges"] = json!(true);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 88 }]);
    });
    let command = "grep -E 'CapPrm|NoNewPrivs' /proc/self/status; ulimit -Sn";
    let text = inside(&container, &process(command, |_| {})).unwrap();
    assert_eq!(text, "CapPrm:\t00000000000004e1\nNoNewPrivs:\t1\n77\n");
    let own = process(command, |value| {
        value["noNewPrivileges"] = json!(false);
        value["capabilities"] = json!({});
        value["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 66, "hard": 66 }]);
    });
    assert_eq!(inside(&container, &own).unwrap(), "CapPrm:\t0000000000000000\nNoNewPrivs:\t0\n66\n");
    end(container);
}

#[test]
fn a_missing_working_directory_is_an_error_and_is_not_made() {
    let container = container(|_| {});
    let process = process("pwd", |value| value["cwd"] = json!("/no-such-directory"));
    let text = inside(&container, &process).unwrap_err().to_string();
    assert!(text.contains("change directory to /no-such-directory") && text.contains("ENOENT"), "{text}");
    assert!(!std::path::Path::new("/no-such-directory").exists());
    end(container);
}

#[test]
fn processors_are_chosen_for_the_program() {
    let container = container(|_| {});
    let process = process("grep Cpus_allowed_list /proc/self/status", |value| {
        value["execCPUAffinity"] = json!({ "initial": "0-1", "final": "0" });
    });
    assert_eq!(inside(&container, &process).unwrap(), "Cpus_allowed_list:\t0\n");
    end(container);
}
