//! Further processes in a container.
#![cfg(feature = "oci")]

mod common;

use std::io::Read;

use cofferdam::oci::{Container, ExecOptions, Status};
use cofferdam::{ExitStatus, Stdio};
use common::bundle::{Bundle, busybox};
use serde_json::json;

/// A container that runs until it is killed.
fn running(bundle: &Bundle) -> Container {
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    container
}

/// What a script says in a container, and its exit code.
fn exec(container: &Container, script: &str, change: impl FnOnce(&mut ExecOptions<'_>)) -> (String, i32) {
    let mut process = container.process_template();
    process.set_args(Some(["sh", "-c", script].map(str::to_owned).to_vec()));
    let mut options = ExecOptions::new(&process);
    options.stdin = Stdio::null();
    options.stdout = Stdio::piped();
    change(&mut options);
    let mut process = container.exec(options).unwrap_or_else(|error| panic!("{error}"));
    let mut text = String::new();
    if let Some(mut stdout) = process.stdout.take() {
        stdout.read_to_string(&mut text).expect("text");
    }
    let code = process.wait().expect("a status").code().expect("a code");
    (text, code)
}

#[test]
fn a_process_joins_the_namespaces_and_the_cgroup() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("sleep 60");
    bundle.config["hostname"] = json!("inside");
    let container = running(&bundle);
    let pid = container.pid().unwrap();
    let (text, code) = exec(&container, "hostname; cat /proc/1/comm; ls /; exit 5", |_| {});
    assert_eq!(code, 5);
    assert_eq!(text.lines().next(), Some("inside"));
    assert_eq!(text.lines().nth(1), Some("sleep"));
    assert!(text.lines().any(|line| line == "tmp"));
    for kind in ["mnt", "pid", "uts", "ipc"] {
        let (link, _) = exec(&container, &format!("exec ls -l /proc/self/ns/{kind}"), |_| {});
        assert!(link.trim_end().ends_with(&common::namespace(&pid.to_string(), kind)), "{link}");
    }
    if common::is_root() {
        let mut process = container.process_template();
        process.set_args(Some(vec!["sleep".into(), "60".into()]));
        let sleeping = container.exec(ExecOptions::new(&process)).unwrap();
        let mut pids = container.processes().unwrap();
        pids.sort_unstable();
        let mut expected = [pid, sleeping.pid()];
        expected.sort_unstable();
        assert_eq!(pids, expected);
    }
    container.delete(true).unwrap();
    assert_eq!(bundle.cgroups().len(), 0);
}

#[test]
fn the_process_id_is_written_before_the_program_runs() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let mut bundle = Bundle::new("sleep 60");
    bundle.config["root"]["readonly"] = json!(false);
    let container = running(&bundle);
    let file = bundle.path().join("rootfs/tmp/pid");
    let (text, code) = exec(&container, "cat /tmp/pid", |options| options.pid_file = Some(file.clone()));
    assert_eq!(code, 0);
    assert!(text.parse::<u32>().unwrap() > 1, "{text}");
    let names: Vec<String> = common::names(&bundle.path().join("rootfs/tmp"));
    assert_eq!(names, ["pid"]);
    let missing = bundle.path().join("missing/pid");
    let process = container.process_template();
    let mut options = ExecOptions::new(&process);
    options.pid_file = Some(missing.clone());
    let error = container.exec(options).unwrap_err().to_string();
    assert_eq!(error, format!("pid file {}: ENOENT (No such file or directory)", missing.display()));
    container.delete(true).unwrap();
}

#[test]
fn descriptors_are_passed_and_all_others_closed() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    let (text, _) = exec(&container, "ls /proc/self/fd | wc -l", |_| {});
    // Three streams, and the directory that is listed.
    assert_eq!(text.trim(), "4");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "passed").unwrap();
    let (text, _) = exec(&container, "cat <&3; ls /proc/self/fd | wc -l", |options| {
        options.descriptors.push(file.reopen().unwrap().into());
    });
    assert_eq!(text.trim(), "passed5");
    container.delete(true).unwrap();
}

#[test]
fn what_cannot_be_executed_is_an_error_with_its_number() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    let refused = |program: &str| {
        let mut process = container.process_template();
        process.set_args(Some(vec![program.into()]));
        container.exec(ExecOptions::new(&process)).unwrap_err().to_string()
    };
    assert_eq!(refused("/nonexistent"), "execute /nonexistent: ENOENT (No such file or directory)");
    assert_eq!(refused("/tmp"), "execute /tmp: EACCES (Permission denied)");
    let mut process = container.process_template();
    process.set_cwd("relative".into());
    let error = container.exec(ExecOptions::new(&process)).unwrap_err().to_string();
    assert!(error.starts_with("config.json: process.cwd: "), "{error}");
    container.delete(true).unwrap();
}

#[test]
fn nothing_is_executed_in_a_stopped_or_paused_container_unless_it_may_wait() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::is_root(), "root");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    container.pause().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(container.status().unwrap(), Status::Paused);
    let process = container.process_template();
    let error = container.exec(ExecOptions::new(&process)).unwrap_err().to_string();
    assert_eq!(error, "cannot execute a process in container box, which is paused");
    assert_eq!(container.pause().unwrap_err().to_string(), "cannot pause container box, which is paused");
    container.resume().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
    assert_eq!(container.resume().unwrap_err().to_string(), "cannot resume container box, which is running");
    container.kill(9, false).unwrap();
    let mut container = container;
    assert_eq!(common::bundle::wait(&mut container), 137);
    let error = container.exec(ExecOptions::new(&process)).unwrap_err().to_string();
    assert_eq!(error, "container not running: box is stopped");
    container.delete(false).unwrap();
}

#[test]
fn a_cgroup_inside_is_joined_and_none_outside() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::is_root(), "root");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    for directory in bundle.cgroups() {
        std::fs::create_dir(directory.join("inner")).unwrap();
        // On v1 nobody gets into a cgroup that has no processors.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let inner = directory.join("inner").join(file);
            if inner.exists() {
                std::fs::write(inner, std::fs::read(directory.join(file)).unwrap()).unwrap();
            }
        }
    }
    let process = container.process_template();
    for path in ["../..", "inner/../.."] {
        let mut options = ExecOptions::new(&process);
        options.sub_cgroups.push(path.into());
        let error = container.exec(options).unwrap_err().to_string();
        assert!(error.starts_with(&format!("config.json: cgroup: {path:?}: ")), "{error}");
    }
    let mut process = process;
    process.set_args(Some(vec!["sleep".into(), "60".into()]));
    let mut options = ExecOptions::new(&process);
    options.sub_cgroups.push("inner".into());
    let inner = container.exec(options).unwrap();
    for directory in bundle.cgroups() {
        let pids = std::fs::read_to_string(directory.join("inner/cgroup.procs")).unwrap();
        assert_eq!(pids.trim(), inner.pid().to_string(), "{}", directory.display());
    }
    container.delete(true).unwrap();
    assert_eq!(bundle.cgroups().len(), 0);
}

#[test]
fn a_terminal_is_made_in_the_container() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    let mut process = container.process_template();
    process.set_terminal(Some(true));
    process.set_args(Some(
        ["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo terminal; tty"].map(str::to_owned).to_vec(),
    ));
    let mut child = container.exec(ExecOptions::new(&process)).unwrap_or_else(|error| panic!("{error}"));
    let master = child.take_console().expect("a master");
    assert!(child.take_console().is_none());
    child.wait().unwrap();
    let mut bytes = vec![0; 4096];
    let count = rustix::io::read(&master, &mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(text.starts_with("terminal\r\n"), "{text}");
    container.delete(true).unwrap();
}

#[test]
fn a_container_has_ended_when_its_further_processes_were_waited_for() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let moment = std::time::Duration::from_millis(200);
    let bundle = Bundle::new("sleep 60");
    let mut container = running(&bundle);
    let mut template = container.process_template();
    template.set_args(Some(["sleep", "60"].map(str::to_owned).to_vec()));
    let mut process = container.exec(ExecOptions::new(&template)).unwrap_or_else(|error| panic!("{error}"));
    container.kill(libc::SIGKILL, false).unwrap();
    assert_eq!(container.wait_timeout(moment).unwrap(), None, "the kernel waits for it");
    let signal = |status: ExitStatus| std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal(process.wait().unwrap()), Some(libc::SIGKILL));
    assert_eq!(common::bundle::wait(&mut container), 128 + libc::SIGKILL);
    container.delete(false).unwrap();
}

#[test]
fn a_container_that_is_deleted_before_its_further_processes_leaves_no_zombie() {
    require!(busybox().is_some(), "a static busybox");
    require!(common::can_isolate(), "namespaces");
    let bundle = Bundle::new("sleep 60");
    let container = running(&bundle);
    let pid = container.pid().unwrap();
    let mut template = container.process_template();
    template.set_args(Some(["sleep", "60"].map(str::to_owned).to_vec()));
    let mut process = container.exec(ExecOptions::new(&template)).unwrap_or_else(|error| panic!("{error}"));
    container.delete(true).unwrap();
    assert_eq!((bundle.entries().len(), bundle.cgroups().len()), (0, 0));
    process.kill(libc::SIGKILL).unwrap();
    process.wait().unwrap();
    let is_there = || std::path::Path::new(&format!("/proc/{pid}")).exists();
    // It ends as soon as the kernel has seen that, and is gone with the next ones.
    let begin = std::time::Instant::now();
    while is_there() && begin.elapsed() < std::time::Duration::from_secs(20) {
        Bundle::new("true").run("other");
    }
    assert!(!is_there());
}
