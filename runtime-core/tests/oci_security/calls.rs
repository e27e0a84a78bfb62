//! Every system call of a creation fails in turn: those of the creator, and those of the init that it makes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam::oci::{Error, Runtime};
use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::{is_root, times};
use crate::fixture::{Outside, is_in_mounts, processes, turn, until};
use crate::require;

/// Where the creator finds its bundle.
const BUNDLE: &str = "COFFERDAM_TEST_BUNDLE";

/// How a creation can end.
const DONE: i32 = 10;
const REFUSED: i32 = 11;
const LEFT: i32 = 12;
const NOT_DELETED: i32 = 13;

/// What belongs to the language's own runtime, which does not take a no: memory, threads, signals, random numbers; and what
/// cannot fail.
const NOT_OURS: [&str; 27] = [
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "futex",
    "exit",
    "exit_group",
    "restart_syscall",
    "rt_sigprocmask",
    "rt_sigaction",
    "rt_sigreturn",
    "sigaltstack",
    "getrandom",
    "sched_yield",
    "getpid",
    "gettid",
    "clock_gettime",
    "write",
    "geteuid",
    "getuid",
    "getegid",
    "getgid",
    "umask",
    "set_robust_list",
    "rseq",
];

/// Not a test: creates a container and deletes it, once it is told to.
#[test]
#[ignore = "is run by another test"]
fn create_once() {
    let directory = std::env::var_os(BUNDLE).expect("a bundle");
    let directory = Path::new(&directory);
    let config = fs::read(directory.join("config.json")).expect("a configuration");
    let spec = serde_json::from_slice(&config).expect("a configuration");
    let runtime = Runtime::new(directory.join("state"));
    let mut options = cofferdam::oci::CreateOptions::new("box", &spec, directory);
    options.stdin = cofferdam::Stdio::null();
    println!("\nready");
    // It may fail, as everything may here.
    drop(std::io::stdin().read(&mut [0]));
    let end = match runtime.create(options) {
        Ok(container) => match container.delete(true) {
            Ok(_) => DONE,
            Err(_) => NOT_DELETED,
        },
        Err(Error::LeftBehind { .. }) => LEFT,
        Err(_) => REFUSED,
    };
    std::process::exit(end);
}

/// Creates a container under strace with these options: how that ended.
fn traced(bundle: &Bundle, options: &[&str], log: &Path) -> i32 {
    let mut creator = Command::new(std::env::current_exe().unwrap());
    creator.args(["--exact", "calls::create_once", "--ignored", "--nocapture", "--test-threads=1"]);
    creator.env(BUNDLE, bundle.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut creator = creator.spawn().unwrap();
    let mut lines = BufReader::new(creator.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(log).args(options).args(["-p", &creator.id().to_string()]);
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("strace is there", || is_traced(creator.id()));
    creator.stdin.take().unwrap().write_all(b"x").unwrap();
    let end = ended(&mut creator);
    strace.kill().unwrap();
    strace.wait().unwrap();
    end.unwrap_or_else(|| panic!("{options:?}: no end"))
}

fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.filter_map(Result::ok).all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

/// Its exit code, or -1 for a signal; none if it did not end and had to be killed.
fn ended(creator: &mut Child) -> Option<i32> {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if let Some(status) = creator.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    creator.kill().unwrap();
    creator.wait().unwrap();
    None
}

/// How often a process makes each call, at most.
fn counts(log: &Path) -> BTreeMap<String, usize> {
    let mut each: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *each.entry((name.to_owned(), pid.to_owned())).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((name, _), count) in each {
        let entry: &mut usize = most.entry(name).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// What is wrong after a call has failed.
fn wrong(bundle: &Bundle, end: i32) -> Option<String> {
    match end {
        DONE | REFUSED => {}
        LEFT | NOT_DELETED => {
            if let Err(error) = bundle.runtime.delete("box", true) {
                return Some(error.to_string());
            }
        }
        other => return Some(format!("it ended with {other}")),
    }
    let left = (bundle.entries(), bundle.cgroups());
    if !left.0.is_empty() || !left.1.is_empty() {
        left.1.iter().for_each(|directory| fs::remove_dir(directory).unwrap_or_default());
        return Some(format!("{left:?} is left"));
    }
    let end = Instant::now() + Duration::from_secs(10);
    while !processes(bundle).is_empty() {
        if Instant::now() > end {
            return Some(format!("processes are left: {:?}", processes(bundle)));
        }
    }
    is_in_mounts(bundle.path()).then(|| "something is mounted in the bundle".to_owned())
}

/// Fails one call in so many.
fn fail_one_in(step: usize) {
    let mut bundle = Bundle::new("sleep 60");
    bundle.config["hostname"] = json!("box");
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let (log, outside) = (bundle.path().join("log"), Outside::new());
    assert_eq!(traced(&bundle, &[], &log), DONE);
    let counts = counts(&log);
    let ours = counts.iter().filter(|(name, _)| !NOT_OURS.contains(&name.as_str()));
    let pairs: Vec<_> = ours.flat_map(|(name, count)| (1..=*count).map(move |at| (name, at))).collect();
    assert!(pairs.len() > 200, "{counts:?}");
    let (mut refused, mut failures) = (0, Vec::new());
    for (name, at) in pairs.iter().step_by(step) {
        let end = traced(&bundle, &["-e", &format!("inject={name}:error=EIO:when={at}")], &log);
        refused += usize::from(end == REFUSED);
        failures.extend(wrong(&bundle, end).map(|what| format!("{name} {at}: {what}")));
    }
    assert!(failures.is_empty(), "of {}: {failures:#?}", pairs.len() / step);
    assert!(refused > pairs.len() / step / 4, "{refused} of {}", pairs.len() / step);
    assert!(!outside.is_touched());
}

fn has_strace() -> bool {
    let version = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

#[test]
fn r25_a_system_call_of_a_creation_that_fails_leaves_nothing() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(has_strace(), "strace");
    let _turn = turn();
    fail_one_in(if times(10) == 1 { 50 } else { 11 });
}

/// All of them: for whoever has changed what is done when something fails.
#[test]
#[ignore = "takes minutes"]
fn r25_every_system_call_of_a_creation_that_fails_leaves_nothing() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    require!(has_strace(), "strace");
    let _turn = turn();
    fail_one_in(1);
}
