//! The calling program: nothing of it changes, nothing is left in it, whatever its threads do.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_process::{Namespaces, Plan, Spawner, Stdio, Step};
use common::{Maps, children, descriptors, is_root, require, shell, user_namespaces};

/// The tests of this file look at the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The lines of /proc/self/status that a spawn must not touch, and more.
fn state() -> String {
    let kept = ["Umask", "SigBlk", "SigIgn", "SigCgt", "Cap", "NoNewPrivs", "Groups", "Uid", "Gid"];
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let mut state: String =
        status.lines().filter(|line| kept.iter().any(|kept| line.starts_with(kept))).collect();
    state += &format!("{:?}", std::env::current_dir().unwrap());
    state += &format!("{:?}", std::env::vars_os().collect::<Vec<_>>());
    state += &format!("dumpable {:?}", rustix::process::dumpable_behavior().unwrap());
    state += &fs::read_to_string("/proc/self/mountinfo").unwrap();
    for kind in ["mnt", "pid", "user", "net", "uts", "ipc", "cgroup", "time"] {
        state += &format!("{:?}", fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap());
    }
    state
}

/// A plan that changes everything for the new process.
fn busy_plan() -> Plan {
    let mut plan = Plan::new("/bin/true");
    plan.namespaces =
        Namespaces::USER | Namespaces::MNT | Namespaces::PID | Namespaces::UTS | Namespaces::IPC;
    plan.rendezvous = true;
    plan.steps = vec![
        Step::Hostname("other".into()),
        Step::Umask(0o777),
        Step::WorkingDirectory("/usr".into()),
        Step::NewSession,
        Step::Credentials(cofferdam_process::Credentials {
            uid: Some(0),
            gid: Some(0),
            groups: None,
            capabilities: Some(cofferdam_process::Capabilities::NONE),
        }),
        Step::NoNewPrivileges,
    ];
    plan
}

#[test]
fn the_callers_state_is_untouched() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    let plan = busy_plan();
    Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn().unwrap().wait().unwrap();
    let before = state();
    for _ in 0..10 {
        Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn().unwrap().wait().unwrap();
    }
    assert_eq!(state(), before);
}

#[test]
fn nothing_is_left_after_a_thousand_spawns() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    let plan = busy_plan();
    let spawn = || Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn().unwrap();
    spawn().wait().unwrap();
    let (before, memory) = ((descriptors(), children(), state()), resident());
    for index in 0..common::times(1000) {
        let mut child = spawn();
        if index % 3 == 0 {
            child.kill(libc::SIGKILL).unwrap();
        }
        child.wait().unwrap();
    }
    assert_eq!((descriptors(), children(), state()), before);
    assert!(resident() < memory + 4096, "grew from {memory} to {} KiB", resident());
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn every_failing_operation_is_named_and_leaves_nothing() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    let plan = busy_plan();
    Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn().unwrap().wait().unwrap();
    let before = (descriptors(), children(), state());
    for operation in 0..plan.operations().unwrap() {
        let error =
            Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).fail_at(operation).spawn().unwrap_err();
        assert_eq!(error.errno().unwrap().number(), libc::ENOSYS, "{error}");
        assert!(error.to_string().contains("ENOSYS (Function not implemented)"), "{error}");
        assert_eq!((descriptors(), children(), state()), before, "operation {operation}: {error}");
    }
}

#[test]
fn sixteen_threads_that_allocate_spawn_ten_thousand() {
    let _alone = alone();
    let spawns = common::times(10_000);
    let (started, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut plan = Plan::new("/bin/true");
    plan.stdin = Stdio::Null;
    let before = {
        plan.spawn(&[]).unwrap().wait().unwrap();
        (descriptors(), children())
    };
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let spawners: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    while started.fetch_add(1, Ordering::Relaxed) < spawns {
                        // Allocates between and, in the other threads, during each spawn.
                        let noise: Vec<String> = (0..50).map(|index| format!("{index:>100}")).collect();
                        assert_eq!(noise.len(), 50);
                        let status = plan.spawn(&[]).unwrap().wait().unwrap();
                        assert!(status.success());
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                drop(vec![0_u8; 100_000]);
            }
        });
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    assert!(begin.elapsed() < Duration::from_secs(600));
    assert_eq!((descriptors(), children()), before);
}

#[test]
fn the_size_of_the_caller_does_not_matter_to_the_child() {
    let _alone = alone();
    // A caller with much memory: the child has none of it.
    let memory = vec![1_u8; 256 << 20];
    let mut plan =
        shell("grep -E 'VmHWM' /proc/$PPID/status >/dev/null; grep VmHWM /proc/self/status | tr -dc 0-9");
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[]).unwrap().wait_with_output().unwrap();
    let high: u64 = common::text(&output.stdout).parse().unwrap();
    assert!(high < 50_000, "{high} KiB");
    assert_eq!(memory[memory.len() - 1], 1);
}

#[test]
fn a_panic_at_the_rendezvous_ends_the_process() {
    struct Panics;
    impl cofferdam_process::Rendezvous for Panics {
        fn created(&mut self, _: cofferdam_process::Process<'_>) -> Result<(), cofferdam_process::BoxError> {
            panic!("on purpose");
        }
    }
    let _alone = alone();
    let mut plan = Plan::new("/bin/true");
    plan.spawn(&[]).unwrap().wait().unwrap();
    let before = (descriptors(), children());
    plan.rendezvous = true;
    let result =
        std::panic::catch_unwind(|| Spawner::new(&plan, &[]).rendezvous(&mut Panics).spawn().map(|_| ()));
    assert!(result.is_err());
    assert_eq!((descriptors(), children()), before);
}

#[test]
fn a_program_that_closes_our_file_gets_a_new_one() {
    let _alone = alone();
    let plan = shell("exit 3");
    plan.spawn(&[]).unwrap().wait().unwrap();
    let listed = descriptors();
    let (number, _) = listed.iter().find(|(_, target)| target.contains("memfd:cofferdam-init")).unwrap();
    // Somebody closes all descriptors and opens an own file that gets the number.
    let other = fs::File::open("/bin/sh").unwrap();
    let number: i32 = number.parse().unwrap();
    duplicate_over(&other, number);
    assert_eq!(plan.spawn(&[]).unwrap().wait().unwrap().code(), Some(3));
    duplicate_over(&other, number);
    assert_eq!(plan.spawn(&[]).unwrap().wait().unwrap().signal(), None);
}

#[allow(unsafe_code)]
fn duplicate_over(file: &fs::File, number: i32) {
    use std::os::fd::AsRawFd;
    // SAFETY: takes numbers; that the former file is lost is the point.
    unsafe { libc::dup3(file.as_raw_fd(), number, libc::O_CLOEXEC) };
}

#[test]
fn ignored_sigchld_does_not_lose_the_status() {
    // The disposition belongs to the whole process: in one of its own.
    let _alone = alone();
    if std::env::var_os("IGNORED_SIGCHLD").is_none() {
        let this = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(this);
        command.args(["--exact", "ignored_sigchld_does_not_lose_the_status", "--nocapture"]);
        assert!(command.env("IGNORED_SIGCHLD", "1").status().unwrap().success());
        return;
    }
    ignore_sigchld();
    let mut child = shell("exit 7").spawn(&[]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    match child.wait() {
        Ok(status) => assert_eq!(status.code(), Some(7)),
        // Before Linux 6.15 nobody can tell.
        Err(error) => assert!(matches!(error, cofferdam_process::Error::StatusLost { .. }), "{error}"),
    }
    // Process 1 must hear of its children all the same.
    let mut plan = shell("exit 8");
    plan.stay_as_init = true;
    assert!(plan.spawn(&[]).unwrap().wait().map_or(true, |status| status.code() == Some(8)));
    let mut child = shell("exec sleep 30").spawn(&[]).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    child.kill(libc::SIGKILL).unwrap();
    assert!(child.wait().map_or(true, |status| status.signal() == Some(libc::SIGKILL)));
    // Failures are still told, and leave nothing.
    assert_eq!(Plan::new("/nowhere").spawn(&[]).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(children(), "");
}

#[allow(unsafe_code)]
fn ignore_sigchld() {
    // SAFETY: a disposition without a handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

#[test]
fn closed_standard_streams_become_null() {
    let _alone = alone();
    if std::env::var_os("CLOSED_STREAMS").is_none() {
        let this = std::env::current_exe().unwrap();
        let mut command = shell("exec \"$0\" --exact closed_standard_streams_become_null <&- >&- 2>&-");
        command.args.push(this.into());
        command.env.push(("CLOSED_STREAMS".into(), "1".into()));
        assert_eq!(command.spawn(&[]).unwrap().wait().unwrap().code(), Some(0));
        return;
    }
    let mut plan = shell("readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 | tr '\\n' ' ' >&3");
    let (read, write) = rustix::pipe::pipe().unwrap();
    let slot = plan.input("pipe");
    plan.pass = vec![(slot, 3)];
    plan.spawn(&[std::os::fd::AsFd::as_fd(&write)]).unwrap().wait().unwrap();
    drop(write);
    let seen = common::read_all(read);
    assert!(seen.starts_with("/dev/null") && seen.ends_with("/dev/null "), "{seen}");
}

#[test]
fn a_caller_that_is_not_dumpable_can_spawn() {
    let _alone = alone();
    require!(user_namespaces(), "user namespaces");
    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
    let before = dumpable_behavior().unwrap();
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
    let plan = busy_plan();
    let result = Spawner::new(&plan, &[]).rendezvous(&mut Maps::single()).spawn();
    let after = dumpable_behavior().unwrap();
    set_dumpable_behavior(before).unwrap();
    assert_eq!(after, DumpableBehavior::NotDumpable);
    if is_root() {
        assert!(result.unwrap().wait().unwrap().success());
    }
}
