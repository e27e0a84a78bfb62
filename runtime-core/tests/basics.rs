//! What a program sees inside, and how it is started and waited for.

mod common;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use cofferdam::{Command, Namespaces, Resource, Stdio};
use common::{can_isolate, namespace, own, shell, text};

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

#[test]
fn is_process_1_and_user_0_with_its_own_name() {
    require!(can_isolate(), "namespaces");
    let mut command = shell("echo $$ $(hostname) $(id -u) $(id -g) $(pwd) $(umask)");
    assert_eq!(text(command.hostname("box")), "1 box 0 0 / 0022");
}

#[test]
fn every_namespace_is_new() {
    require!(can_isolate(), "namespaces");
    let inside = text(&mut shell(
        "for kind in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$kind; done",
    ));
    assert_eq!(inside.lines().count(), KINDS.len());
    for (kind, inside) in KINDS.iter().zip(inside.lines()) {
        assert!(inside.starts_with(kind), "{inside}");
        assert_ne!(inside, namespace("self", kind));
    }
}

#[test]
fn shared_namespaces_are_the_callers() {
    require!(can_isolate(), "namespaces");
    let mut command = shell("readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts");
    let inside = text(command.network(true).share(Namespaces::IPC));
    let lines: Vec<_> = inside.lines().collect();
    assert_eq!(lines[..2], [namespace("self", "net"), namespace("self", "ipc")]);
    assert_ne!(lines[2], namespace("self", "uts"));
}

#[test]
fn without_any_namespace_it_is_an_ordinary_process() {
    let mut command = shell("grep NoNewPrivs /proc/self/status; readlink /proc/self/ns/user");
    let inside = text(command.namespaces(Namespaces::empty()));
    assert_eq!(inside, format!("NoNewPrivs:\t1\n{}", namespace("self", "user")));
}

#[test]
fn environment_is_clean_and_by_value() {
    require!(can_isolate(), "namespaces");
    let mut command = Command::new("env");
    command.env_remove("TERM").env("A", "1").envs([("B", "2"), ("C", "x y")]).env_remove("B");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut lines: Vec<_> = text(&mut command).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["A=1".to_owned(), "C=x y".to_owned(), format!("PATH={path}")]);
    assert_eq!(text(Command::new("/usr/bin/env").env_clear()), "");
    let inherited = text(Command::new("env").inherit_env());
    assert!(
        inherited.lines().any(|line| line == format!("CARGO_MANIFEST_DIR={}", env!("CARGO_MANIFEST_DIR")))
            || std::env::var_os("CARGO_MANIFEST_DIR").is_none()
    );
}

#[test]
fn streams_and_descriptors_are_those_asked_for() {
    require!(can_isolate(), "namespaces");
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("spawn");
    child.stdin.as_mut().expect("stdin").write_all(b"through").expect("write");
    drop(child.stdin.take());
    let mut read = String::new();
    child.stdout.as_mut().expect("stdout").read_to_string(&mut read).expect("read");
    assert_eq!((read.as_str(), child.wait().expect("wait").code()), ("through", Some(0)));
    // Exactly 0, 1, 2 and the directory that `ls` reads.
    let _open_without_close_on_exec = std::fs::File::open("/").map(|file| rustix::io::dup(&file));
    assert_eq!(text(&mut shell("echo $(ls /proc/self/fd)")), "0 1 2 3");
    let mut file = tempfile::tempfile().expect("a file");
    let mut command = shell("echo to the file; echo errors >&2");
    command.stdout(file.try_clone().expect("dup")).stderr(Stdio::null());
    assert!(command.status().expect("status").success());
    assert!(command.status().expect("again").success());
    std::io::Seek::rewind(&mut file).expect("rewind");
    let mut read = String::new();
    file.read_to_string(&mut read).expect("read");
    assert_eq!(read, "to the file\nto the file\n");
}

#[test]
fn output_keeps_both_streams_apart_however_long() {
    require!(can_isolate(), "namespaces");
    let script =
        "i=0; while [ $i -lt 3000 ]; do echo out of the way $i; echo error $i >&2; i=$((i+1)); done; exit 3";
    let output = shell(script).output().expect("output");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 3000);
    assert_eq!(output.stderr.iter().filter(|byte| **byte == b'\n').count(), 3000);
}

#[test]
fn limits_priority_and_session_are_set() {
    require!(can_isolate(), "namespaces");
    let mut command =
        shell("ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; cut -d' ' -f6 /proc/self/stat; umask");
    command.rlimit(Resource::NOFILE, 50, 60).oom_score_adjust(777).umask(0o077);
    assert_eq!(text(&mut command), "50\n60\n777\n1\n0077");
}

#[test]
fn timeout_kills_it_and_all_that_it_started() {
    require!(can_isolate(), "namespaces");
    let begin = Instant::now();
    let mut command = shell("sleep 100 & sleep 100");
    let error = command.timeout(Duration::from_millis(100)).output().expect_err("too long");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "the program was killed after 100ms");
    assert_eq!(command.status().expect_err("again").kind(), std::io::ErrorKind::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(shell("true").timeout(Duration::from_secs(60)).status().expect("in time").success());
}

#[test]
fn child_is_waited_for_polled_signalled_and_killed() {
    require!(can_isolate(), "namespaces");
    let mut child = Command::new("sleep").arg("100").spawn().expect("spawn");
    assert_eq!(child.try_wait().expect("poll"), None);
    assert_eq!(child.wait_timeout(Duration::from_millis(10)).expect("wait"), None);
    assert!(
        own(&format!("task/{}/children", rustix::process::getpid().as_raw_nonzero()))
            .contains(&child.id().to_string())
            || std::path::Path::new(&format!("/proc/{}", child.id())).exists()
    );
    child.kill().expect("kill");
    assert_eq!(child.wait().expect("wait").signal(), Some(9));
    child.kill().expect("an ended one is no error");
    assert_eq!(child.try_wait().expect("poll").and_then(|status| status.signal()), Some(9));
}

#[test]
fn dropping_kills_only_if_asked_to() {
    require!(can_isolate(), "namespaces");
    let child = Command::new("sleep").arg("100").kill_on_drop(true).spawn().expect("spawn");
    let directory = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    assert!(directory.exists());
    drop(child);
    assert!(!directory.exists());
    let child = Command::new("sleep").arg("0.2").spawn().expect("spawn");
    let directory = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    drop(child);
    assert!(directory.exists());
}

#[test]
fn init_reaps_orphans_forwards_signals_and_passes_the_status_on() {
    require!(can_isolate(), "namespaces");
    assert_eq!(text(shell("test $$ != 1 && echo child").init(true)), "child");
    // The orphan's parent is the init, which must reap it: no zombie is seen.
    let script = "sh -c 'sleep 0 & exit'; sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
    assert_eq!(text(shell(script).init(true)), "0");
    assert_eq!(shell("exit 7").init(true).status().expect("status").code(), Some(7));
    assert_eq!(shell("kill -9 $$").init(true).status().expect("status").code(), Some(137));
    let mut child = shell("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
        .init(true)
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut ready = [0; 6];
    child.stdout.as_mut().expect("stdout").read_exact(&mut ready).expect("ready");
    child.signal(15).expect("signal");
    assert_eq!(child.wait().expect("wait").code(), Some(9));
}

#[test]
fn plan_is_pure_and_repeatable() {
    let mut command = shell("true");
    command.hostname("box").tmpfs("/srv", Some(1 << 20)).rlimit(Resource::NOFILE, 1, 2);
    let plan = command.plan().expect("a plan");
    assert_eq!(plan, command.plan().expect("the same"));
    for line in
        ["set hostname box", "limit RLIMIT_NOFILE to 1 (hard 2)", "set no_new_privs", "execute sh -c true"]
    {
        assert!(plan.explain().lines().any(|text| text == line), "{line} in {}", plan.explain());
    }
    assert!(plan.explain().contains("size=1048576 nosuid nodev on /srv"));
}

#[test]
fn sysctls_and_time_offsets_are_set_inside_only() {
    require!(can_isolate(), "namespaces");
    let uptime =
        || own("../uptime").split('.').next().and_then(|text| text.parse::<u64>().ok()).expect("a number");
    let before = uptime();
    let offset = |seconds| cofferdam::ClockOffset { seconds, nanoseconds: 0 };
    let mut command =
        shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni; cut -d. -f1 /proc/uptime");
    command
        .sysctl("net.ipv4.ip_forward", "1")
        .sysctl("kernel.shmmni", "77")
        .time_offsets(offset(5), offset(86_400));
    let inside = text(&mut command);
    let lines: Vec<_> = inside.lines().collect();
    assert_eq!(lines[..2], ["1", "77"]);
    let shown: u64 = lines[2].parse().expect("a number");
    assert!((before + 86_400..before + 86_500).contains(&shown), "{shown} {before}");
    assert_ne!(std::fs::read_to_string("/proc/sys/kernel/shmmni").expect("read").trim(), "77");
}
