//! What a program is handed: a console, many descriptors, files of procfs that are written before.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cofferdam_process::{
    Argument, Hold, Location, Mount, Namespaces, Open, Plan, Process, RawCall, Slot, Spawner, Stdio, Step,
};
use common::held::{Meeting, Nobody, call};
use common::{is_root, require, run, run_in_user_namespace, shell, text, user_namespaces};

/// A request to a terminal.
fn ioctl(terminal: Slot, request: u64, argument: Argument, into: Option<Slot>) -> Step {
    let request = Argument::Number(request);
    let arguments = vec![Argument::Descriptor(terminal), request, argument];
    Step::Call(RawCall { into, ..call("ioctl", libc::SYS_ioctl, arguments) })
}

#[test]
fn a_console_that_the_init_makes_is_all_three_streams_and_its_master_goes_to_the_caller() {
    let mut plan = shell(
        "test -t 0 && test -t 1 && test -t 2 && echo all three; ls /proc/self/fd | wc -l; \
         read answer; echo got $answer >/dev/tty",
    );
    let (master, console) = (plan.slot("console master"), plan.slot("console"));
    let flags = u64::from((libc::O_RDWR | libc::O_NOCTTY).unsigned_abs());
    plan.steps = vec![
        Step::Open {
            location: Location::path("/dev/ptmx"),
            how: Open { flags, mode: 0, resolve: 0 },
            into: master,
        },
        ioctl(master, libc::TIOCSPTLCK, Argument::Bytes(vec![0; 4]), None),
        ioctl(master, libc::TIOCGPTPEER, Argument::Number(flags), Some(console)),
        Step::NewSession,
        ioctl(console, libc::TIOCSCTTY, Argument::Number(0), None),
        Step::Sync { point: 2, send: vec![master], receive: vec![] },
        Step::Close(master),
    ];
    (plan.stdin, plan.stdout, plan.stderr) =
        (Stdio::Descriptor(console), Stdio::Descriptor(console), Stdio::Descriptor(console));
    for hold in [None, Some(Hold::Caller)] {
        plan.hold = hold;
        let mut ours = None;
        let mut meeting = Meeting(|_, _: Process<'_>, mut received: Vec<OwnedFd>| {
            ours = received.pop();
            Ok(vec![])
        });
        let spawner = Spawner::new(&plan, &[]).rendezvous(&mut meeting);
        let mut child = match hold {
            None => spawner.spawn().unwrap(),
            Some(_) => spawner.hold().unwrap().start(&mut Nobody).unwrap(),
        };
        let mut terminal = fs::File::from(ours.unwrap());
        // What the terminal echoes could be anywhere in a line that is being written.
        let mut content = Vec::new();
        while !content.ends_with(b"4\r\n") {
            let mut byte = [0];
            terminal.read_exact(&mut byte).unwrap();
            content.push(byte[0]);
        }
        terminal.write_all(b"yes\n").unwrap();
        child.wait().unwrap();
        // A terminal without a program is an error to read, after what was written.
        assert_eq!(terminal.read_to_end(&mut content).unwrap_err().raw_os_error(), Some(libc::EIO));
        let content = String::from_utf8(content).unwrap().replace('\r', "");
        // The list itself is the fourth.
        assert_eq!(content.lines().collect::<Vec<_>>(), ["all three", "4", "yes", "got yes"], "{content:?}");
    }
}

#[test]
fn descriptors_that_are_passed_one_after_the_other_arrive_in_order() {
    // As many as there could be sockets for activation, and at the numbers where the init has its own.
    const COUNT: u32 = 40;
    let files: Vec<OwnedFd> = (0..COUNT)
        .map(|index| {
            let (read, write) = rustix::pipe::pipe().unwrap();
            rustix::io::write(&write, format!("{index},").as_bytes()).unwrap();
            read
        })
        .collect();
    let mut plan = shell(&format!(
        "i=3; while [ $i -lt {} ]; do cat /proc/self/fd/$i; i=$((i+1)); done; ls /proc/self/fd | wc -l",
        COUNT + 3
    ));
    let start = plan.input("a listener that is in the way");
    plan.pass = (0..COUNT).map(|index| (plan.input(format!("socket {index}")), index + 3)).collect();
    plan.stdout = Stdio::Pipe;
    let place = common::held::Place::new();
    let listener = place.listener.as_ref().unwrap().as_fd();
    let inputs: Vec<BorrowedFd<'_>> = [listener].into_iter().chain(files.iter().map(AsFd::as_fd)).collect();
    let expected: String = (0..COUNT).map(|index| format!("{index},")).collect();
    plan.hold = Some(Hold::Listener(start));
    // The last steps have one of them as well, by its slot.
    plan.last = vec![Step::Close(plan.pass[7].0)];
    let (child, remaining) = Spawner::new(&plan, &inputs).hold().unwrap().detach();
    place.start(&child, &remaining).unwrap();
    let output = text(&child.wait_with_output().unwrap().stdout);
    assert_eq!(output, format!("{expected}{}", COUNT + 4));
}

fn write(proc: Option<Slot>, path: &str, content: &str) -> Step {
    Step::ProcWrite { proc, path: path.into(), content: content.into() }
}

#[test]
fn files_of_procfs_are_written_whatever_proc_shows() {
    require!(user_namespaces(), "user namespaces");
    let mut plan = shell("cat /proc/self/timerslack_ns");
    plan.namespaces = Namespaces::PID | Namespaces::MNT;
    plan.steps.push(Step::Mount(Mount::new("proc").target(None, "/proc", None)));
    plan.steps.push(write(None, "self/timerslack_ns", "123456"));
    assert_eq!(run_in_user_namespace(plan.clone()).unwrap(), "123456");
    // Where the kernel's links end.
    for (path, expected) in [
        ("self/cwd/etc/passwd", "ELOOP (Too many levels of symbolic links), by openat2"),
        ("self/fd/0", "ELOOP (Too many levels of symbolic links), by openat2"),
        ("self/attr/nothing", "ENOENT (No such file or directory), by openat2"),
    ] {
        *plan.steps.last_mut().unwrap() = write(None, path, "x");
        let error = run_in_user_namespace(plan.clone()).unwrap_err();
        assert_eq!(error.to_string(), format!("write \"x\" to {path} in procfs: {expected}"));
    }
    for path in ["/proc/self/comm", "self/../sys/kernel/core_pattern", ""] {
        let mut plan = Plan::new("true");
        plan.steps = vec![write(None, path, "x")];
        let expected = format!("file of procfs {path:?} is not a relative path without ..");
        assert_eq!(plan.spawn(&[]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn files_of_a_procfs_that_is_handed_over_are_not_written_through_mounts() {
    let proc = fs::File::open("/proc").unwrap();
    let mut plan = shell("cat /proc/self/timerslack_ns");
    let slot = plan.input("procfs");
    plan.steps = vec![write(Some(slot), "thread-self/../../self/timerslack_ns", "77")];
    assert!(plan.spawn(&[proc.as_fd()]).is_err());
    plan.steps = vec![write(Some(slot), "self/timerslack_ns", "77777")];
    plan.stdout = Stdio::Pipe;
    let output = plan.spawn(&[proc.as_fd()]).unwrap().wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "77777");

    require!(is_root(), "root");
    // Something lies over the file in the mounts of the init.
    let mut plan = shell("true");
    plan.namespaces = Namespaces::MNT;
    let proc = plan.slot("procfs");
    plan.steps = vec![
        Step::MountAttributes {
            mount: Location::path("/"),
            attributes: cofferdam_process::Attributes {
                propagation: Some(cofferdam_process::Propagation::Private),
                recursive: true,
                ..cofferdam_process::Attributes::default()
            },
        },
        Step::Mount(Mount::new("proc").target(None, "/proc", None).into_slot(proc)),
        Step::Mount(Mount::bind(Location::path("/dev/null"), false).target(
            None,
            "/proc/sys/kernel/domainname",
            None,
        )),
        write(Some(proc), "sys/kernel/domainname", "x"),
    ];
    let error = run(plan).unwrap_err();
    let expected =
        "write \"x\" to sys/kernel/domainname in procfs: EXDEV (Invalid cross-device link), by openat2";
    assert_eq!(error.to_string(), expected);
}
