//! Processes that are held while their creator is killed, and started by somebody else.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use cofferdam_process::{Hold, Plan, Process, Remaining, Spawner, Stdio, Step, resume};
use common::held::{Ends, Meeting, Nobody, Place, connect, ended, is_init};
use common::{shell, text};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Runs one test of this file again in a process of its own, which finds this in its environment.
fn again(test: &str, part: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("HOLD_PART", part).env("HOLD_DIRECTORY", directory);
    command.stdout(std::process::Stdio::null());
    command
}

/// What this process is to do, if it was started by a test.
fn part() -> Option<(String, std::path::PathBuf)> {
    Some((std::env::var("HOLD_PART").ok()?, std::env::var_os("HOLD_DIRECTORY")?.into()))
}

/// Writes a file that appears complete.
fn publish(directory: &Path, name: &str, content: &str) {
    fs::write(directory.join("new"), content).unwrap();
    fs::rename(directory.join("new"), directory.join(name)).unwrap();
}

/// What another process publishes.
fn published(directory: &Path, name: &str) -> String {
    loop {
        match fs::read_to_string(directory.join(name)) {
            Ok(content) => return content,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(2)),
        }
    }
}

/// Opens a process by its number.
fn open_process(pid: &str) -> (u32, std::os::fd::OwnedFd) {
    let number: i32 = pid.parse().unwrap();
    let pidfd = pidfd_open(Pid::from_raw(number).unwrap(), PidfdFlags::empty()).unwrap();
    (number.unsigned_abs(), pidfd)
}

#[test]
fn another_process_starts_it() {
    if let Some((_, directory)) = part() {
        let remaining = Remaining::from_text(&published(&directory, "remaining")).unwrap();
        let (pid, pidfd) = open_process(&published(&directory, "pid"));
        let process = Process { pid, pidfd: pidfd.as_fd() };
        resume(connect(&directory.join("start")).unwrap(), process, &remaining, &mut Nobody).unwrap();
        return;
    }
    let mut place = Place::new();
    let mut plan = shell("echo started; exit 4");
    plan.stdout = Stdio::Pipe;
    let (child, remaining) = place.hold(plan).unwrap();
    publish(place.directory.path(), "remaining", &remaining.to_text());
    publish(place.directory.path(), "pid", &child.id().to_string());
    let status = again("another_process_starts_it", "start", place.directory.path()).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(4), "started"));
}

/// A plan for a program that writes a file, held at a listener.
fn proof(directory: &Path) -> Plan {
    let mut plan = shell(&format!("echo started >{}", directory.join("proof").display()));
    plan.hold = Some(Hold::Listener(plan.input("start")));
    plan.steps.push(Step::Sync { point: 1, send: vec![], receive: vec![] });
    plan
}

/// A creator: it holds such a program at a listener in a directory. It never ends by itself.
fn create(part: &str, directory: &Path) {
    let plan = proof(directory);
    let listener = common::held::listener(&directory.join("start"));
    let mut meeting = Meeting(|_, process: Process<'_>, _| {
        publish(directory, "pid", &process.pid.to_string());
        if part == "before" {
            loop {
                std::thread::park();
            }
        }
        Ok(vec![])
    });
    let inputs = [listener.as_fd()];
    let held = Spawner::new(&plan, &inputs).rendezvous(&mut meeting).hold().unwrap();
    publish(directory, "remaining", &held.detach().1.to_text());
    loop {
        std::thread::park();
    }
}

#[test]
fn the_process_ends_with_a_creator_that_is_killed_before_it_is_held_and_waits_without_one_afterwards() {
    const THIS: &str =
        "the_process_ends_with_a_creator_that_is_killed_before_it_is_held_and_waits_without_one_afterwards";
    if let Some((part, directory)) = part() {
        return create(&part, &directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut creator = again(THIS, "before", directory.path()).spawn().unwrap();
    let (_, pidfd) = open_process(&published(directory.path(), "pid"));
    creator.kill().unwrap();
    creator.wait().unwrap();
    ended(pidfd.as_fd());
    assert_eq!(connect(&directory.path().join("start")).unwrap_err(), rustix::io::Errno::CONNREFUSED);

    let directory = tempfile::tempdir().unwrap();
    let mut creator = again(THIS, "after", directory.path()).spawn().unwrap();
    let (pid, pidfd) = open_process(&published(directory.path(), "pid"));
    let _ends = Ends(pidfd.try_clone().unwrap());
    let remaining = Remaining::from_text(&published(directory.path(), "remaining")).unwrap();
    creator.kill().unwrap();
    creator.wait().unwrap();
    assert!(is_init(pid));
    assert!(!directory.path().join("proof").exists());
    let process = Process { pid, pidfd: pidfd.as_fd() };
    resume(connect(&directory.path().join("start")).unwrap(), process, &remaining, &mut Nobody).unwrap();
    ended(pidfd.as_fd());
    assert_eq!(fs::read_to_string(directory.path().join("proof")).unwrap(), "started\n");
}

#[test]
fn whenever_the_creator_is_killed_the_process_is_gone_or_can_be_started() {
    const THIS: &str = "whenever_the_creator_is_killed_the_process_is_gone_or_can_be_started";
    if let Some((part, directory)) = part() {
        return create(&part, &directory);
    }
    let place = Place::new();
    let inputs = [place.listener.as_ref().unwrap().as_fd()];
    let plan = proof(place.directory.path());
    let mut meeting = Meeting(|_, _: Process<'_>, _| Ok(vec![]));
    let held = Spawner::new(&plan, &inputs).rendezvous(&mut meeting).hold().unwrap();
    let remaining = held.remaining().clone();
    drop(held);
    let (own, own_pidfd) = open_process(&std::process::id().to_string());
    let mut starts = 0;
    for delay in 0..common::times(60) {
        let directory = tempfile::tempdir().unwrap();
        // The creator, the process and the program hold the writing end as their standard input.
        let (alive, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut creator = again(THIS, "after", directory.path()).stdin(theirs).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(200) * u32::try_from(delay).unwrap());
        creator.kill().unwrap();
        creator.wait().unwrap();
        let process = Process { pid: own, pidfd: own_pidfd.as_fd() };
        let started = connect(&directory.path().join("start"))
            .is_ok_and(|socket| resume(socket, process, &remaining, &mut Nobody).is_ok());
        // What cannot be started ends by itself.
        assert_eq!(common::read_all(alive), "");
        assert_eq!(directory.path().join("proof").exists(), started, "after {delay}");
        starts += usize::from(started);
    }
    println!("{starts} could be started");
}
