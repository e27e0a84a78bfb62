//! What is done last, right before the exec: meetings, files, filters.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;

use cofferdam_process::{
    Argument, Error, Field, Hold, Location, Open, Plan, Process, RawCall, Rendezvous, Slot, Spawner, Stdio,
    Step, resume,
};
use common::held::{Meeting, Nobody, Place, call, connect, process};
use common::{children, descriptors, shell, text};

/// Most tests of this file look at the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The file of the init stays open from the first spawn on.
    Plan::new("true").spawn(&[]).unwrap().wait().unwrap();
    guard
}

/// A plan with meetings, a call and a written file after the hold.
fn busy(directory: &Path) -> Plan {
    let mut plan = shell("cat <&3; exit 6");
    plan.stdout = Stdio::Pipe;
    let place = plan.slot("a directory");
    plan.steps.push(Step::Open {
        location: Location::path(directory),
        how: Open { flags: u64::from(libc::O_PATH.unsigned_abs()), mode: 0, resolve: 0 },
        into: place,
    });
    let (pipe, file) = (plan.slot("our pipe"), plan.slot("their file"));
    plan.steps.push(Step::Sync { point: 1, send: vec![], receive: vec![pipe] });
    plan.pass = vec![(pipe, 3)];
    plan.find_program = true;
    let arguments = vec![Argument::Descriptor(place), Argument::Text("version".into()), Argument::Number(0)];
    let mut open = call("openat", libc::SYS_openat, arguments);
    open.into = Some(file);
    let late = plan.slot("what comes late");
    plan.last = vec![
        Step::NoNewPrivileges,
        Step::Write { location: Location::at(place, "version"), content: b"written".to_vec() },
        Step::Call(open),
        Step::Sync { point: 2, send: vec![file], receive: vec![late] },
        Step::Close(late),
        Step::Sync { point: 3, send: vec![], receive: vec![] },
    ];
    plan
}

/// Meets such a plan; gives its points.
fn meet(points: &mut Vec<u32>) -> impl Rendezvous {
    Meeting(|point, process: Process<'_>, received: Vec<OwnedFd>| {
        points.push(point);
        assert!(fs::metadata(format!("/proc/{}", process.pid)).is_ok());
        match point {
            1 => {
                let (read, write) = rustix::pipe::pipe()?;
                rustix::io::write(&write, b"from the creator")?;
                Ok(vec![read])
            }
            2 => {
                let mut content = String::new();
                fs::File::from(received.into_iter().next().unwrap()).read_to_string(&mut content)?;
                assert_eq!(content, "written");
                Ok(vec![fs::File::open("/dev/null")?.into()])
            }
            _ => Ok(vec![]),
        }
    })
}

#[test]
fn the_last_steps_are_done_after_the_start_and_meet_who_starts() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("version");
    for listening in [false, true] {
        fs::write(&file, "").unwrap();
        let (mut plan, mut place) = (busy(directory.path()), Place::new());
        let (mut points, mut later) = (Vec::new(), Vec::new());
        let slot = plan.input("start");
        plan.hold = Some(if listening { Hold::Listener(slot) } else { Hold::Caller });
        let listener = place.listener.take().unwrap();
        let held =
            Spawner::new(&plan, &[listener.as_fd()]).rendezvous(&mut meet(&mut points)).hold().unwrap();
        drop(listener);
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
        assert_eq!(points, [1]);
        let child = if listening {
            let (child, remaining) = held.detach();
            resume(connect(&place.path()).unwrap(), process(&child), &remaining, &mut meet(&mut later))
                .unwrap();
            child
        } else {
            held.start(&mut meet(&mut later)).unwrap()
        };
        assert_eq!(later, [2, 3]);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(6), "from the creator"));
    }
    // Without a hold the last steps are last as well.
    let plan = busy(directory.path());
    let mut points = Vec::new();
    let mut child = Spawner::new(&plan, &[]).rendezvous(&mut meet(&mut points)).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(6));
    assert_eq!(points, [1, 2, 3]);
}

#[test]
fn every_failing_operation_is_named_on_either_side_of_the_hold_and_leaves_nothing() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("version"), "").unwrap();
    for listening in [false, true] {
        let mut plan = busy(directory.path());
        plan.stdout = Stdio::Null;
        let slot = plan.input("start");
        plan.hold = Some(if listening { Hold::Listener(slot) } else { Hold::Caller });
        let before = (descriptors(), children());
        let (mut early, mut late) = (0, 0);
        for operation in 0..plan.operations().unwrap() {
            let mut place = Place::new();
            let listener = place.listener.take().unwrap();
            let inputs = [listener.as_fd()];
            let (mut points, mut later) = (Vec::new(), Vec::new());
            let mut creator = meet(&mut points);
            let held = Spawner::new(&plan, &inputs).rendezvous(&mut creator).fail_at(operation).hold();
            drop(listener);
            let error = match held {
                Err(error) => {
                    early += 1;
                    error
                }
                Ok(held) if listening => {
                    late += 1;
                    let (mut child, remaining) = held.detach();
                    let socket = connect(&place.path()).unwrap();
                    let error =
                        resume(socket, process(&child), &remaining, &mut meet(&mut later)).unwrap_err();
                    assert_eq!(child.wait().unwrap().code(), Some(125));
                    error
                }
                Ok(held) => {
                    late += 1;
                    held.start(&mut meet(&mut later)).unwrap_err()
                }
            };
            assert_eq!(error.errno().unwrap().number(), libc::ENOSYS, "operation {operation}: {error}");
            drop(place);
            assert_eq!((descriptors(), children()), before, "operation {operation}: {error}");
        }
        assert!(early > 5 && late > 5, "{early} before the hold, {late} after it");
    }
}

/// A seccomp filter in the init's words: what it answers to some calls; all others are allowed.
fn filter(flags: u64, calls: &[libc::c_long], answer: u32, into: Option<Slot>) -> RawCall {
    const SECCOMP_SET_MODE_FILTER: u64 = 1;
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    let line = |code: u16, jumps: [u8; 2], k: u32| -> Vec<u8> {
        [&code.to_ne_bytes()[..], &jumps, &k.to_ne_bytes()].concat()
    };
    let mut program = line(LOAD, [0, 0], 0);
    for number in calls {
        program.extend(line(EQUAL, [0, 1], u32::try_from(*number).unwrap()));
        program.extend(line(RETURN, [0, 0], answer));
    }
    program.extend(line(RETURN, [0, 0], ALLOW));
    // struct sock_fprog: the number of instructions, and a pointer to them.
    let mut bytes = vec![0; 16];
    bytes[..2].copy_from_slice(&u16::try_from(program.len() / 8).unwrap().to_ne_bytes());
    let program = Argument::Structure { bytes, fields: vec![(8, Field::Pointer(program))] };
    let arguments = vec![Argument::Number(SECCOMP_SET_MODE_FILTER), Argument::Number(flags), program];
    RawCall { into, ..call("seccomp", libc::SYS_seccomp, arguments) }
}

const ERRNO_EPERM: u32 = 0x0005_0001;

#[test]
fn a_filter_that_forbids_what_the_init_itself_needs_is_in_force_and_not_in_the_way() {
    let _alone = alone();
    let mut plan = shell("grep ^Seccomp: /proc/self/status");
    plan.stdout = Stdio::Pipe;
    let words = [libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_recvfrom, libc::SYS_read + 1000];
    plan.last = vec![Step::NoNewPrivileges, Step::Call(filter(0, &words, ERRNO_EPERM, None))];
    for hold in [None, Some(Hold::Caller)] {
        plan.hold = hold;
        let child = match hold {
            None => plan.spawn(&[]).unwrap(),
            Some(_) => Spawner::new(&plan, &[]).hold().unwrap().start(&mut Nobody).unwrap(),
        };
        assert_eq!(text(&child.wait_with_output().unwrap().stdout), "Seccomp:\t2");
    }
    // A filter that the kernel refuses, and one that forbids the exec, are told.
    plan.hold = None;
    plan.last = vec![Step::NoNewPrivileges, Step::Call(filter(1 << 20, &[], 0, None))];
    assert_eq!(plan.spawn(&[]).unwrap_err().to_string(), "call seccomp: EINVAL (Invalid argument)");
    plan.last = vec![Step::NoNewPrivileges, Step::Call(filter(0, &[libc::SYS_execve], ERRNO_EPERM, None))];
    let error = plan.spawn(&[]).unwrap_err();
    assert_eq!(error.to_string(), "execute /bin/sh: EPERM (Operation not permitted)");
    // Before a meeting the same filter is in the way.
    plan.last = vec![
        Step::NoNewPrivileges,
        Step::Call(filter(0, &words, ERRNO_EPERM, None)),
        Step::Sync { point: 1, send: vec![], receive: vec![] },
    ];
    let error = plan.spawn(&[]).unwrap_err();
    assert!(matches!(error, Error::Died(status) if status.code() == Some(125)), "{error:?}");
}

#[test]
fn the_listener_of_a_filter_is_handed_to_who_starts() {
    let _alone = alone();
    const SECCOMP_FILTER_FLAG_NEW_LISTENER: u64 = 1 << 3;
    const USER_NOTIF: u32 = 0x7fc0_0000;
    let mut place = Place::new();
    let mut plan = shell("exit 3");
    let listener = plan.slot("seccomp listener");
    let notify = filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, &[libc::SYS_mount], USER_NOTIF, Some(listener));
    plan.last = vec![
        Step::NoNewPrivileges,
        Step::Call(notify),
        Step::Sync { point: 5, send: vec![listener], receive: vec![] },
    ];
    let (mut child, remaining) = place.hold(plan).unwrap();
    let mut kinds = Vec::new();
    let mut meeting = Meeting(|point, _: Process<'_>, received: Vec<OwnedFd>| {
        use std::os::fd::AsRawFd;
        let link = fs::read_link(format!("/proc/self/fd/{}", received[0].as_raw_fd()))?;
        kinds.push((point, received.len(), link.display().to_string()));
        Ok(vec![])
    });
    resume(connect(&place.path()).unwrap(), process(&child), &remaining, &mut meeting).unwrap();
    assert_eq!(kinds, [(5, 1, "anon_inode:seccomp notify".to_owned())]);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn whoever_starts_can_refuse_at_a_meeting() {
    let _alone = alone();
    let before = (descriptors(), children());
    let mut plan = shell("exit 0");
    plan.last = vec![Step::Sync { point: 9, send: vec![], receive: vec![] }];
    let mut place = Place::new();
    let (mut child, remaining) = place.hold(plan.clone()).unwrap();
    let mut meeting = Meeting(|_, _: Process<'_>, _| Err("a hook failed".into()));
    let socket = connect(&place.path()).unwrap();
    let error = resume(socket, process(&child), &remaining, &mut meeting).unwrap_err();
    assert_eq!(error.to_string(), "meet the new process (at point 9)");
    assert_eq!(child.wait().unwrap().code(), Some(125));
    drop((place, child));
    plan.hold = Some(Hold::Caller);
    let error = Spawner::new(&plan, &[]).hold().unwrap().start(&mut meeting).unwrap_err();
    assert!(matches!(error, Error::Rendezvous { .. }), "{error:?}");
    assert_eq!((descriptors(), children()), before);
}

#[test]
fn last_steps_are_of_a_few_kinds_and_need_what_is_there() {
    let mut plan = shell("exit 0");
    plan.last = vec![Step::Umask(0o22)];
    let refused = |plan: &Plan| plan.spawn(&[]).unwrap_err().to_string();
    let expected = "last step \"set umask 022\" has to come before the exec is at hand";
    assert_eq!(refused(&plan), expected);
    let file = plan.slot("a file");
    plan.last = vec![Step::Close(file)];
    assert_eq!(refused(&plan), "slot \"a file\" is empty when the last steps need it");
    let open = call("openat", libc::SYS_openat, vec![Argument::Number(0), Argument::Text("/".into())]);
    plan.last = vec![Step::Call(RawCall { into: Some(file), ..open }), Step::Close(file), Step::Close(file)];
    assert_eq!(refused(&plan), "slot \"a file\" is empty when the last steps need it");
    let many: Vec<Slot> = (0..65).map(|index| plan.input(format!("input {index}"))).collect();
    plan.last = many.into_iter().map(Step::Close).collect();
    assert_eq!(refused(&plan), "number of descriptors \"65\" is above 64 for the last steps");
}

#[test]
fn a_plan_says_when_it_waits_and_what_comes_last() {
    let mut plan = Plan::new("/bin/true");
    plan.hold = Some(Hold::Listener(plan.input("the start socket")));
    plan.find_program = true;
    plan.last = vec![Step::NoNewPrivileges];
    let text = plan.explain();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "look for /bin/true",
        "wait to be started at the start socket",
        "set no_new_privs",
        "execute /bin/true",
    ];
    assert_eq!(lines[lines.len() - 4..], expected);
}
