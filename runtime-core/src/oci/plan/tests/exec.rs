//! Further processes in a container.

use cofferdam_process::Child;
use oci_spec::runtime::Process;
use serde_json::{Value, json};

use super::super::testing::{
    as_anyone, build_and_start, busybox_root, has_busybox, is_root, request, run, spec, start_with, with_root,
};
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
    let prepared = exec(&exec_request(container, process))?;
    Ok(run(&prepared)?.0)
}

fn exec_request<'a>(container: &'a (Spec, Child), process: &'a Process) -> ExecRequest<'a> {
    ExecRequest {
        id: "cofferdam-test",
        spec: &container.0,
        process,
        pidfd: container.1.pidfd(),
        streams: request(&container.0).streams,
        passed: Vec::new(),
        cgroup: Shape::default(),
        no_new_keyring: false,
    }
}

fn end_of(mut container: (Spec, Child)) {
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
    end_of(container);
}

#[test]
fn cve_2022_29162_capabilities_that_are_added_are_not_inheritable() {
    let container = container(|_| {});
    let mut process = process("grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status", |value| {
        value["capabilities"] = json!({});
    });
    add_capabilities(&mut process, &["NET_RAW".parse().unwrap()]);
    let (none, set) = ("0000000000000000", "0000000000002000");
    assert_eq!(
        inside(&container, &process).unwrap(),
        format!("CapInh:\t{none}\nCapPrm:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\nCapAmb:\t{none}\n")
    );
    end_of(container);
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
    end_of(container);
}

#[test]
fn a_missing_working_directory_is_an_error_and_is_not_made() {
    let container = container(|_| {});
    let process = process("pwd", |value| value["cwd"] = json!("/no-such-directory"));
    let text = inside(&container, &process).unwrap_err().to_string();
    assert!(text.contains("change directory to /no-such-directory") && text.contains("ENOENT"), "{text}");
    assert!(!std::path::Path::new("/no-such-directory").exists());
    end_of(container);
}

/// Takes the master of the console.
#[derive(Default)]
struct Taker(Option<std::os::fd::OwnedFd>);

impl cofferdam_process::Rendezvous for Taker {
    fn sync(
        &mut self,
        at: u32,
        _: cofferdam_process::Process<'_>,
        mut sent: Vec<std::os::fd::OwnedFd>,
    ) -> Result<Vec<std::os::fd::OwnedFd>, cofferdam_process::BoxError> {
        assert_eq!((at, sent.len()), (super::super::point::CONSOLE, 1));
        self.0 = sent.pop();
        Ok(Vec::new())
    }
}

#[test]
fn a_terminal_is_one_of_the_containers_own_and_controls_the_session() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = busybox_root();
    let container = container(|value| with_root(value, root.path()));
    let process = process("tty; stty size; echo x > /dev/tty", |value| {
        value["env"] = json!(["PATH=/bin"]);
        value["terminal"] = json!(true);
        value["consoleSize"] = json!({ "height": 30, "width": 90 });
        value["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    let mut taker = Taker::default();
    let mut child = start_with(&exec(&exec_request(&container, &process)).unwrap(), &mut taker).unwrap();
    child.wait().unwrap();
    let mut text = Vec::new();
    // The end of a terminal whose other side is gone is an error.
    let end = std::io::Read::read_to_end(&mut std::fs::File::from(taker.0.unwrap()), &mut text).unwrap_err();
    assert_eq!(end.raw_os_error(), Some(libc::EIO));
    assert_eq!(String::from_utf8(text).unwrap(), "/dev/pts/0\r\n30 90\r\nx\r\n");
    end_of(container);
}

#[test]
fn the_home_of_a_user_is_that_of_the_containers_list() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = busybox_root();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    std::fs::write(root.path().join("etc/passwd"), "me:x:7:7::/home/seven:/bin/sh\n").unwrap();
    let container = container(|value| with_root(value, root.path()));
    let home = |uid: u32| {
        let process = process("echo $HOME", |value| {
            value["env"] = json!(["PATH=/bin"]);
            value["user"]["uid"] = json!(uid);
        });
        inside(&container, &process).unwrap()
    };
    assert_eq!([home(7), home(8)], ["/home/seven\n", "/\n"]);
    end_of(container);
}

#[test]
fn a_filter_of_the_container_holds_for_further_processes() {
    let filter = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["swapon"], "action": "SCMP_ACT_ERRNO" }],
    });
    let container = container(|value| value["linux"]["seccomp"] = filter.clone());
    let process =
        process("grep -E 'Seccomp:|CapEff' /proc/self/status", |value| value["capabilities"] = json!({}));
    assert_eq!(inside(&container, &process).unwrap(), "CapEff:\t0000000000000000\nSeccomp:\t2\n");
    end_of(container);
}

#[test]
fn processors_are_chosen_for_the_program() {
    let container = container(|_| {});
    let processors = |affinity: Value| {
        let process = process("grep Cpus_allowed_list /proc/self/status", |value| {
            value["execCPUAffinity"] = affinity;
        });
        inside(&container, &process).unwrap()
    };
    assert_eq!(processors(json!({ "initial": "0-1", "final": "0" })), "Cpus_allowed_list:\t0\n");
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let own = own.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
    assert_eq!(processors(json!({ "initial": "0" })), format!("{own}\n"));
    end_of(container);
}
