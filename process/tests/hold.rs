//! Processes that are set up now and started later, by their creator or by somebody else.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;

use cofferdam_process::{
    Argument, BoxError, Child, Error, Held, Hold, Location, Open, Plan, Process, RawCall, Remaining,
    Rendezvous, Spawner, Stdio, Step, resume,
};
use common::{children, descriptors, shell, text};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Most tests of this file look at the whole process: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The file of the init stays open from the first spawn on.
    Plan::new("true").spawn(&[]).unwrap().wait().unwrap();
    guard
}

/// Meets nobody.
struct Nobody;

impl Rendezvous for Nobody {}

/// Runs functions at the meetings.
struct Meeting<F>(F);

impl<F> Rendezvous for Meeting<F>
where
    F: FnMut(u32, Process<'_>, Vec<OwnedFd>) -> Result<Vec<OwnedFd>, BoxError>,
{
    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        self.0(point, process, received)
    }
}

fn socket() -> OwnedFd {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

/// A listening socket at a path.
fn listener(path: &Path) -> OwnedFd {
    let socket = socket();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 8).unwrap();
    socket
}

/// A connection to it.
fn connect(path: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket();
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).map(|()| socket)
}

/// A directory with a listener in it.
struct Place {
    directory: tempfile::TempDir,
    listener: Option<OwnedFd>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = Some(listener(&directory.path().join("start")));
        Self { directory, listener }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("start")
    }

    /// Holds a plan at the listener, which only the process has then.
    fn hold(&mut self, mut plan: Plan) -> Result<(Child, Remaining), Error> {
        plan.hold = Some(Hold::Listener(plan.input("start")));
        let listener = self.listener.take().unwrap();
        Spawner::new(&plan, &[listener.as_fd()]).hold().map(Held::detach)
    }

    fn start(&self, child: &Child, remaining: &Remaining) -> Result<(), Error> {
        let process = Process { pid: child.id(), pidfd: child.pidfd() };
        resume(connect(&self.path()).unwrap(), process, remaining, &mut Nobody)
    }
}

fn hold(plan: &Plan, inputs: &[BorrowedFd<'_>]) -> Result<Held, Error> {
    Spawner::new(plan, inputs).hold()
}

/// A call with numbers only.
fn call(name: &str, number: libc::c_long, arguments: &[u64]) -> RawCall {
    RawCall {
        name: name.into(),
        number: u32::try_from(number).unwrap(),
        arguments: arguments.iter().copied().map(Argument::Number).collect(),
        into: None,
        tolerate: None,
    }
}

fn is_init(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() == "cofferdam-init\n"
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
    let mut open = call("openat", libc::SYS_openat, &[]);
    open.arguments = vec![Argument::Descriptor(place), Argument::Text("version".into()), Argument::Number(0)];
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
            let process = Process { pid: child.id(), pidfd: child.pidfd() };
            resume(connect(&place.path()).unwrap(), process, &remaining, &mut meet(&mut later)).unwrap();
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
                    let process = Process { pid: child.id(), pidfd: child.pidfd() };
                    let socket = connect(&place.path()).unwrap();
                    let error = resume(socket, process, &remaining, &mut meet(&mut later)).unwrap_err();
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

#[test]
fn a_held_process_that_is_dropped_or_killed_leaves_nothing() {
    let _alone = alone();
    let before = (descriptors(), children());
    let mut plan = shell("exit 0");
    plan.hold = Some(Hold::Caller);
    drop(hold(&plan, &[]).unwrap());
    assert_eq!((descriptors(), children()), before);
    let held = hold(&plan, &[]).unwrap();
    rustix::process::pidfd_send_signal(held.process().pidfd, rustix::process::Signal::KILL).unwrap();
    let error = held.start(&mut Nobody).unwrap_err();
    assert!(matches!(error, Error::Died(status) if status.signal() == Some(libc::SIGKILL)), "{error:?}");
    assert_eq!((descriptors(), children()), before);
}
