//! What becomes of programs with limits, and of their cgroups, when their caller is killed.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command as Std, Stdio};
use std::time::{Duration, Instant};

use cofferdam::cgroups::{Cgroup, Controller, Hierarchies};
use cofferdam::{Command, Namespaces, remove_stale_cgroups};
use common::{can_isolate, is_root};

/// What this binary does when it is started again: a program with limits, whose process and cgroup it prints, and then
/// it waits to be killed.
const ROLE: &str = "ORPHANS_ROLE";

#[test]
fn a_killed_callers_program_ends_or_goes_on_as_was_said() {
    if let Ok(role) = std::env::var(ROLE) {
        return caller(role == "dies");
    }
    require!(can_isolate(), "namespaces");
    if let Err(error) = Command::new("true").accounting(Controller::Pids).status() {
        assert!(!is_root(), "{error}");
        println!("skipped: {error}");
        return;
    }
    // It dies: the program and what it has started. The cgroup stays until somebody clears away.
    let (pid, cgroup) = kill_a_caller("dies");
    eventually(|| !is_alive(pid));
    assert!(cgroup_exists(&cgroup), "nobody has cleared away");
    remove_stale_cgroups().unwrap();
    assert!(!cgroup_exists(&cgroup));
    // It goes on, under its limits, and its cgroup with it.
    let (pid, cgroup) = kill_a_caller("goes on");
    remove_stale_cgroups().unwrap();
    assert!(is_alive(pid) && cgroup_exists(&cgroup));
    let held = open(&cgroup);
    assert!(held.processes().unwrap().contains(&pid));
    // Ended by its number, which nobody else can have: it is a member of its cgroup.
    held.kill(Duration::from_secs(10)).unwrap();
    remove_stale_cgroups().unwrap();
    assert!(!cgroup_exists(&cgroup));
    // One that belongs to a living process is not touched.
    let mut child = Command::new("sleep").arg("60").pids(20).kill_on_drop(true).spawn().unwrap();
    remove_stale_cgroups().unwrap();
    assert!(child.cgroup().unwrap().is_populated().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    dropped_while_it_runs();
}

/// A child that is dropped does not end its program, and nobody takes the cgroup for one whose owner has ended.
fn dropped_while_it_runs() {
    let mut command = Command::new("sleep");
    let child =
        command.arg("60").pids(20).die_with_caller(true).share(Namespaces::PID).spawn().expect("as always");
    let pid = child.id();
    let name =
        child.cgroup().expect("as always").path().name().expect("as always").to_string_lossy().into_owned();
    drop(child);
    remove_stale_cgroups().expect("as always");
    assert!(is_alive(pid) && cgroup_exists(&name));
    assert!(!open(&name).lock().expect("as always"), "others see that it has an owner");
    open(&name).kill(Duration::from_secs(10)).expect("as always");
    remove_stale_cgroups().expect("as always");
    assert!(!cgroup_exists(&name), "nothing is kept of one that has ended");
}

/// In the caller's pid namespace, so that its numbers are those that the test sees.
fn caller(dies: bool) {
    let mut command = Command::new("sleep");
    command.arg("300").pids(20).share(Namespaces::PID).die_with_caller(dies);
    let child = command.spawn().expect("as always");
    let name =
        child.cgroup().expect("as always").path().name().expect("as always").to_string_lossy().into_owned();
    println!("started {} {name}", child.id());
    std::thread::sleep(Duration::from_secs(300));
}

/// Starts this test again in a role, and kills it when its program runs.
fn kill_a_caller(role: &str) -> (u32, String) {
    let test = "a_killed_callers_program_ends_or_goes_on_as_was_said";
    let mut caller = Std::new(std::env::current_exe().expect("as always"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .expect("as always");
    let lines = BufReader::new(caller.stdout.take().expect("as always")).lines().map_while(Result::ok);
    let line =
        lines.into_iter().find_map(|line| line.split_once("started ").map(|(_, rest)| rest.to_owned()));
    caller.kill().expect("as always");
    caller.wait().expect("as always");
    let line = line.expect("the program was started");
    let (pid, cgroup) = line.split_once(' ').expect("as always");
    (pid.parse().expect("as always"), cgroup.to_owned())
}

fn nest() -> Cgroup {
    Hierarchies::discover().expect("as always").nest().expect("as always")
}

fn cgroup_exists(name: &str) -> bool {
    nest().open(name).is_ok()
}

fn open(name: &str) -> Cgroup {
    nest().open(name).expect("as always")
}

/// Not even as a zombie of a process that does not reap.
fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

fn eventually(happens: impl Fn() -> bool) {
    let started = Instant::now();
    while !happens() {
        assert!(started.elapsed() < Duration::from_secs(20), "it did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}
