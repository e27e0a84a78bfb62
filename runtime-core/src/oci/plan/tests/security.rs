//! What has gone wrong elsewhere: each test is named for the entry of a public list.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use serde_json::{Value, json};

use super::super::testing::{
    busybox_root, has, has_busybox, is_root, request, run, spec, start_request, with_root,
};
use super::super::{ExecRequest, build, exec};
use crate::cgroup::Shape;

/// A descriptor of a host directory that is passed on, as the leaked ones were.
fn host_directory() -> std::fs::File {
    std::fs::File::open("/").unwrap()
}

fn process(value: Value) -> oci_spec::runtime::Process {
    let mut all = json!({ "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin"], "cwd": "/" });
    value.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn cve_2024_21626_a_descriptor_of_the_host_is_no_working_directory() {
    if !has_busybox() {
        return;
    }
    if !has("root", is_root()) {
        return;
    }
    let root = busybox_root();
    let directory = host_directory();
    let waiting = spec("exec sleep 60", |value| with_root(value, root.path()));
    let mut container = start_request(&request(&waiting));
    for number in 3..=40 {
        let cwd = format!("/proc/self/fd/{number}");
        let spec = spec("ls", |value| {
            with_root(value, root.path());
            value["process"]["cwd"] = json!(cwd);
        });
        let mut request = request(&spec);
        request.passed = vec![directory.as_fd(), directory.as_fd()];
        let text = run(&build(&request).unwrap()).unwrap_err().to_string();
        assert!(text.contains(&cwd), "{text}");

        let process = process(json!({ "args": ["ls"], "cwd": cwd }));
        let request = ExecRequest {
            id: "cofferdam-test",
            spec: &waiting,
            process: &process,
            pidfd: container.pidfd(),
            streams: request.streams,
            passed: vec![directory.as_fd(), directory.as_fd()],
            cgroup: Shape::default(),
            no_new_keyring: false,
        };
        let text = run(&exec(&request).unwrap()).unwrap_err().to_string();
        assert!(text.contains(&cwd), "{text}");
    }
    container.kill(libc::SIGKILL).unwrap();
    container.wait().unwrap();
}

#[test]
fn cve_2024_21626_a_program_has_only_the_descriptors_that_are_passed() {
    if !has_busybox() {
        return;
    }
    if !has("root", is_root()) {
        return;
    }
    let root = busybox_root();
    let kept = host_directory();
    let spec = spec("echo /proc/self/fd/*", |value| with_root(value, root.path()));
    let text = run(&build(&request(&spec)).unwrap()).unwrap().0;
    // The shell has the directory that it lists open too.
    assert_eq!(text, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
    drop(kept);
}

/// What a hostile program of the container sees of the others while they come and go.
const SPY: &str = "cd /proc; while :; do for p in [0-9]*; do [ $p = 1 ] && continue; \
    for f in $p/root $p/cwd $p/exe $p/fd/*; do [ -e $f$SENTINEL ] && echo ${f#*/} >> /found; done; \
    echo probed $p >> /log; done; done";

#[test]
fn cve_2016_9962_a_process_that_joins_shows_nothing_of_the_host() {
    if !has_busybox() {
        return;
    }
    if !has("root", is_root()) {
        return;
    }
    let root = busybox_root();
    let spied = spec(SPY, |value| {
        with_root(value, root.path());
        let all = json!(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]);
        // A file that only the host has.
        let sentinel = format!("SENTINEL={}", std::env::current_exe().unwrap().display());
        value["process"]["env"] = json!(["PATH=/bin", sentinel]);
        value["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
    });
    let mut container = start_request(&request(&spied));
    let log = root.path().join("log");
    let probes = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    let run_in = |args: Value, passed: Vec<BorrowedFd<'_>>| {
        let process = process(json!({ "args": args, "oomScoreAdj": 500 }));
        let request = ExecRequest {
            id: "cofferdam-test",
            spec: &spied,
            process: &process,
            pidfd: container.pidfd(),
            streams: request(&spied).streams,
            passed,
            cgroup: Shape::default(),
            no_new_keyring: false,
        };
        assert_eq!(run(&exec(&request).unwrap()).unwrap().0, "");
    };
    for _ in 0..100 {
        run_in(json!(["true"]), Vec::new());
    }
    assert!(probes() > 0, "nothing was probed");
    let found = || std::fs::read_to_string(root.path().join("found")).unwrap_or_default();
    assert_eq!(found(), "");
    // The control: what is passed on is found, so the spy would have seen it before.
    let directory = host_directory();
    let wait = "n=$(grep -c probed /log); while [ $(grep -c probed /log) -lt $((n + 4)) ]; do :; done";
    run_in(json!(["sh", "-c", wait]), vec![directory.as_fd()]);
    container.kill(libc::SIGKILL).unwrap();
    container.wait().unwrap();
    // Under the number that it has in the end, or that it had on the way there.
    assert!(found().contains("fd/"), "the spy is blind");
}

#[test]
fn cve_2025_52881_kernel_parameters_are_written_where_nothing_can_be_mounted() {
    if !has_busybox() {
        return;
    }
    if !has("root", is_root()) {
        return;
    }
    let (root, other) = (busybox_root(), tempfile::tempdir().unwrap());
    let decoy = other.path().join("ipv4");
    std::fs::create_dir(&decoy).unwrap();
    std::fs::write(decoy.join("ip_forward"), "decoy").unwrap();
    let before = std::fs::read("/proc/sys/net/ipv4/ip_forward").unwrap();
    let spec = spec("cat /proc/sys/net/ipv4/ip_forward", |value| {
        with_root(value, root.path());
        let cover = json!({ "destination": "/proc/sys/net", "type": "bind", "source": other.path(), "options": ["bind"] });
        value["mounts"].as_array_mut().unwrap().push(cover);
        value["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    });
    // Whether it is refused or not: what was mounted there is not written.
    if let Ok(prepared) = build(&request(&spec)) {
        run(&prepared).map(drop).unwrap_or_default();
    }
    assert_eq!(std::fs::read(decoy.join("ip_forward")).unwrap(), b"decoy");
    assert_eq!(std::fs::read("/proc/sys/net/ipv4/ip_forward").unwrap(), before);
    assert!(Path::new("/proc/sys/net").exists());
}
