//! Processes that are set up now and started later, by their creator or by somebody else.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;

use cofferdam_process::{
    Credentials, Error, Held, Hold, Location, Mount, Namespaces, Open, Plan, Remaining, Resource, Spawner,
    Stdio, Step, resume,
};
use common::held::{Nobody, Place, connect, ended, is_init, process};
use common::{Maps, children, descriptors, is_root, require, shell, text, user_namespaces};
use rustix::process::{Signal, pidfd_send_signal};

/// Most tests of this file look at the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The file of the init stays open from the first spawn on.
    Plan::new("true").spawn(&[]).unwrap().wait().unwrap();
    guard
}

fn hold(plan: &Plan, inputs: &[BorrowedFd<'_>]) -> Result<Held, Error> {
    Spawner::new(plan, inputs).hold()
}

#[test]
fn the_caller_starts_what_it_holds() {
    let _alone = alone();
    let mut plan = shell("echo started; exit 4");
    plan.hold = Some(Hold::Caller);
    plan.stdout = Stdio::Pipe;
    let held = hold(&plan, &[]).unwrap();
    let pid = held.process().pid;
    assert!(is_init(pid));
    let child = held.start(&mut Nobody).unwrap();
    assert_eq!(child.id(), pid);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(4), "started"));
}

#[test]
fn somebody_else_starts_what_is_held_at_a_listener() {
    let _alone = alone();
    let mut place = Place::new();
    let mut plan = shell("echo started; exit 4");
    plan.stdout = Stdio::Pipe;
    let (child, remaining) = place.hold(plan).unwrap();
    assert!(is_init(child.id()));
    // In another thread, with what was written down.
    let remaining = Remaining::from_text(&remaining.to_text()).unwrap();
    std::thread::scope(|scope| scope.spawn(|| place.start(&child, &remaining).unwrap()).join().unwrap());
    // Nobody can start it again.
    assert_eq!(connect(&place.path()).unwrap_err(), rustix::io::Errno::CONNREFUSED);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(4), "started"));
}

#[test]
fn a_start_that_hangs_up_can_be_repeated() {
    let _alone = alone();
    let mut place = Place::new();
    let (mut child, remaining) = place.hold(shell("exit 5")).unwrap();
    for _ in 0..20 {
        drop(connect(&place.path()).unwrap());
    }
    assert!(is_init(child.id()));
    place.start(&child, &remaining).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn a_program_that_is_not_there_is_known_before_it_is_held() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "neither a script nor a program").unwrap();
    let before = (descriptors(), children());
    let try_one = |program: &Path, find: bool| {
        let mut plan = Plan::new(program);
        plan.hold = Some(Hold::Caller);
        plan.find_program = find;
        hold(&plan, &[])
    };
    for (program, expected) in [
        (Path::new("/nowhere"), "ENOENT (No such file or directory)"),
        (Path::new("/etc/passwd/x"), "ENOENT (No such file or directory)"),
        (Path::new("surely-no-program"), "ENOENT (No such file or directory)"),
        (directory.path(), "EACCES (Permission denied)"),
        (&plain, "EACCES (Permission denied)"),
        (Path::new("/dev/null"), "EACCES (Permission denied)"),
    ] {
        let error = try_one(program, true).unwrap_err();
        assert!(matches!(error, Error::Exec { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("execute {}: {expected}", program.display()));
        // Without looking it is known at the start, and is the same.
        let late = try_one(program, false).unwrap().start(&mut Nobody).unwrap_err();
        assert_eq!(late.to_string(), error.to_string());
    }
    // What only the exec can find out.
    fs::set_permissions(&plain, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = try_one(&plain, true).unwrap().start(&mut Nobody).unwrap_err();
    assert_eq!(error.to_string(), format!("execute {}: ENOEXEC (Exec format error)", plain.display()));
    assert_eq!((descriptors(), children()), before);

    let mut place = Place::new();
    let (mut child, remaining) = place.hold(Plan::new(&plain)).unwrap();
    let late = place.start(&child, &remaining).unwrap_err();
    assert!(matches!(late, Error::Exec { .. }), "{late:?}");
    assert_eq!(late.to_string(), error.to_string());
    assert_eq!(child.wait().unwrap().code(), Some(125));
}

#[test]
fn a_held_process_that_is_dropped_or_killed_leaves_nothing() {
    let _alone = alone();
    let before = (descriptors(), children());
    let mut plan = shell("exit 0");
    plan.hold = Some(Hold::Caller);
    drop(hold(&plan, &[]).unwrap());
    assert_eq!((descriptors(), children()), before);
    let held = hold(&plan, &[]).unwrap();
    pidfd_send_signal(held.process().pidfd, Signal::KILL).unwrap();
    let error = held.start(&mut Nobody).unwrap_err();
    assert!(matches!(error, Error::Died(status) if status.signal() == Some(libc::SIGKILL)), "{error:?}");
    assert_eq!((descriptors(), children()), before);
}

#[test]
fn a_process_that_is_killed_while_it_is_held_is_not_taken_for_the_program() {
    let _alone = alone();
    let mut place = Place::new();
    let (mut child, remaining) = place.hold(shell("exit 0")).unwrap();
    // A connection from before, which is waiting in the queue.
    let (first, second) = (connect(&place.path()).unwrap(), connect(&place.path()).unwrap());
    child.kill(libc::SIGKILL).unwrap();
    ended(child.pidfd());
    for socket in [first, second] {
        let error = resume(socket, process(&child), &remaining, &mut Nobody).unwrap_err();
        assert_eq!(error.to_string(), format!("process {} ended before it became the program", child.id()));
    }
    assert_eq!(connect(&place.path()).unwrap_err(), rustix::io::Errno::CONNREFUSED);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn a_process_that_waits_has_little_memory_few_descriptors_and_lets_nobody_look_at_it() {
    let _alone = alone();
    require!(is_root(), "root, as the init lets nobody else look at it");
    let mut plan = shell("exit 0");
    let unused = plan.slot("a file that nobody needs");
    let how = Open { flags: 0, mode: 0, resolve: 0 };
    plan.steps.push(Step::Open { location: Location::path("/etc/passwd"), how, into: unused });
    plan.steps.push(Step::Credentials(Credentials {
        uid: Some(1234),
        gid: Some(1234),
        ..Credentials::default()
    }));
    let mut place = Place::new();
    let socket =
        fs::read_link(format!("/proc/self/fd/{}", place.listener.as_ref().unwrap().as_raw_fd())).unwrap();
    let (mut child, remaining) = place.hold(plan).unwrap();
    let proc = format!("/proc/{}", child.id());
    // It closes the channel to its creator right after it has said that it is ready.
    while fs::read_dir(format!("{proc}/fd")).unwrap().count() > 4 {
        std::thread::yield_now();
    }
    let mut numbers = Vec::new();
    for entry in fs::read_dir(format!("{proc}/fd")).unwrap().filter_map(Result::ok) {
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        if number > 2 {
            assert_eq!(fs::read_link(entry.path()).unwrap(), socket);
            let info = fs::read_to_string(format!("{proc}/fdinfo/{number}")).unwrap();
            assert!(info.contains("flags:\t02"), "close-on-exec: {info}");
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!((numbers.len(), &numbers[..3]), (4, [0, 1, 2].as_slice()));
    let rollup = fs::read_to_string(format!("{proc}/smaps_rollup")).unwrap();
    let private: u64 = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(private <= 100, "{private} KiB: {rollup}");
    let status = fs::read_to_string(format!("{proc}/status")).unwrap();
    assert!(status.contains("Uid:\t1234\t1234\t1234\t1234"), "{status}");
    // The files of a process that is not dumpable belong to root.
    assert_eq!(fs::metadata(format!("{proc}/stat")).unwrap().uid(), 0);
    place.start(&child, &remaining).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn process_one_waits_and_its_child_becomes_the_program() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    let mut plan = shell("echo $$; trap 'exit 6' TERM; while :; do sleep 0.01; done");
    plan.namespaces = Namespaces::USER | Namespaces::PID | Namespaces::MNT;
    plan.rendezvous = true;
    plan.stay_as_init = true;
    plan.find_program = true;
    plan.hold = Some(Hold::Caller);
    plan.stdout = Stdio::Pipe;
    plan.steps.push(Step::Mount(Mount::new("proc").target(None, "/proc", None)));
    let held = Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).hold().unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", held.process().pid)).unwrap();
    assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{status}");
    let task = format!("/proc/{0}/task/{0}/children", held.process().pid);
    assert_eq!(fs::read_to_string(&task).unwrap(), "");
    let mut child = held.start(&mut Nobody).unwrap();
    assert_ne!(fs::read_to_string(&task).unwrap(), "");
    let mut first = [0; 2];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert_eq!(first, *b"2\n");
    child.kill(libc::SIGTERM).unwrap();
    // The trap may not be set yet.
    assert!(matches!(child.wait().unwrap().code(), Some(6 | 143)));

    plan.program = "/nowhere".into();
    let error = Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).hold().unwrap_err();
    assert_eq!(error.to_string(), "execute /nowhere: ENOENT (No such file or directory)");
}

#[test]
fn every_failing_operation_leaves_nothing_in_new_namespaces_either() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    for (maps_root, stay_as_init) in [(false, true), (true, false), (true, true)] {
        let mut plan = shell("exit 7");
        plan.namespaces = Namespaces::USER | Namespaces::PID | Namespaces::UTS;
        (plan.rendezvous, plan.maps_root, plan.stay_as_init) = (true, maps_root, stay_as_init);
        plan.find_program = true;
        plan.hold = Some(Hold::Caller);
        plan.steps.push(Step::Hostname("held".into()));
        plan.last.push(Step::Sync { point: 1, send: vec![], receive: vec![] });
        let hold = |fault: Option<u32>| {
            let mut maps = Maps::single();
            // There is no operation with the highest number.
            Spawner::new(&plan, &[]).rendezvous(&mut maps).fail_at(fault.unwrap_or(u32::MAX)).hold()
        };
        let child = hold(None).unwrap().start(&mut Nobody);
        assert_eq!(child.unwrap().wait().unwrap().code(), Some(7));
        let before = (descriptors(), children());
        for operation in 0..plan.operations().unwrap() {
            let error = hold(Some(operation)).and_then(|held| held.start(&mut Nobody)).unwrap_err();
            assert_eq!(error.errno().unwrap().number(), libc::ENOSYS, "operation {operation}: {error}");
            assert_eq!((descriptors(), children()), before, "operation {operation}: {error}");
        }
    }
}

#[test]
fn what_cannot_be_held_is_refused_before_anything_happens() {
    let _alone = alone();
    let mut plan = shell("exit 0");
    let error = hold(&plan, &[]).unwrap_err();
    assert_eq!(error.to_string(), "plan for \"/bin/sh\" is not to be held");
    plan.hold = Some(Hold::Caller);
    let error = plan.spawn(&[]).unwrap_err();
    assert_eq!(error.to_string(), "plan for \"/bin/sh\" is to be held, which is not what spawning does");
    let empty = plan.slot("nothing");
    plan.hold = Some(Hold::Listener(empty));
    let error = hold(&plan, &[]).unwrap_err();
    assert_eq!(error.to_string(), "slot \"nothing\" is empty when the last steps need it");

    let mut place = Place::new();
    let mut plan = shell("exit 0");
    plan.hold = Some(Hold::Listener(plan.input("start")));
    let listener = place.listener.take().unwrap();
    let held = hold(&plan, &[listener.as_fd()]).unwrap();
    let expected = format!(
        "process \"{}\" is held for a listener: it is started by who connects there",
        held.process().pid
    );
    assert_eq!(held.start(&mut Nobody).unwrap_err().to_string(), expected);
    // A number for the connection is looked for while there is somebody to tell.
    let resource: Resource = "nofile".parse().unwrap();
    plan.steps.push(Step::ResourceLimit { resource, soft: 3, hard: 3 });
    let error = hold(&plan, &[listener.as_fd()]).unwrap_err();
    assert_eq!(error.to_string(), "wait to be started: EMFILE (Too many open files)");
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let (mut child, remaining) = Place::new().hold(shell("exit 0")).unwrap();
    let error = resume(ours.into(), process(&child), &remaining, &mut Nobody).unwrap_err();
    assert!(
        error.to_string().ends_with("is not SOCK_SEQPACKET, which a process that is held listens on"),
        "{error}"
    );
    child.kill(libc::SIGKILL).unwrap();
    child.wait().unwrap();
}
