//! Meetings, listeners and calls, for tests of processes that are held and of last steps.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use cofferdam_process::{
    Argument, BoxError, Child, Error, Held, Hold, Plan, Process, RawCall, Remaining, Rendezvous, Spawner,
    resume,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Meets nobody.
pub struct Nobody;

impl Rendezvous for Nobody {}

/// Runs functions at the meetings.
pub struct Meeting<F>(pub F);

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
pub fn listener(path: &Path) -> OwnedFd {
    let socket = socket();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 8).unwrap();
    socket
}

/// A connection to it.
pub fn connect(path: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket();
    rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).map(|()| socket)
}

/// A directory with a listener in it.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub listener: Option<OwnedFd>,
    waiting: Option<Ends>,
}

/// A process that is ended with this, so that a test that fails leaves none that waits for ever.
pub struct Ends(pub OwnedFd);

impl Drop for Ends {
    fn drop(&mut self) {
        // Most have ended.
        rustix::process::pidfd_send_signal(&self.0, rustix::process::Signal::KILL).unwrap_or_default();
    }
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = Some(listener(&directory.path().join("start")));
        Self { directory, listener, waiting: None }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("start")
    }

    /// Holds a plan at the listener, which only the process has then.
    pub fn hold(&mut self, mut plan: Plan) -> Result<(Child, Remaining), Error> {
        plan.hold = Some(Hold::Listener(plan.input("start")));
        let listener = self.listener.take().unwrap();
        let (child, remaining) = Spawner::new(&plan, &[listener.as_fd()]).hold().map(Held::detach)?;
        self.waiting = Some(Ends(child.pidfd().try_clone_to_owned().unwrap()));
        Ok((child, remaining))
    }

    pub fn start(&self, child: &Child, remaining: &Remaining) -> Result<(), Error> {
        resume(connect(&self.path()).unwrap(), process(child), remaining, &mut Nobody)
    }
}

pub fn process(child: &Child) -> Process<'_> {
    Process { pid: child.id(), pidfd: child.pidfd() }
}

/// A system call.
pub fn call(name: &str, number: libc::c_long, arguments: Vec<Argument>) -> RawCall {
    RawCall {
        name: name.into(),
        number: u32::try_from(number).unwrap(),
        arguments,
        into: None,
        tolerate: None,
    }
}

/// Whether a process is an init that waits.
pub fn is_init(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() == "cofferdam-init\n"
}

/// Waits until a process has ended that need not be a child.
pub fn ended(pidfd: BorrowedFd<'_>) {
    let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
}
