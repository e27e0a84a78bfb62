//! A process that is set up and waits to be started.

use std::os::fd::OwnedFd;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use super::control::Control;
use super::conversation::{Conversation, End, Subject};
use super::remaining::Remaining;
use super::rendezvous::{Process, Rendezvous};
use super::wait::{self, Wait};
use crate::plan::Hold;
use crate::sys::{self, Guard};
use crate::{Child, Error};

/// A process in which everything is set up, and which is not the program yet
/// ([`Spawner::hold`](crate::Spawner::hold)).
///
/// # Dropping
///
/// Dropping it ends and reaps the process; [`start`](Self::start) and [`detach`](Self::detach) let it live.
#[derive(Debug)]
pub struct Held {
    guard: Guard,
    streams: [Option<OwnedFd>; 3],
    control: Control,
    remaining: Remaining,
    hold: Hold,
}

impl Held {
    pub(super) fn new(
        guard: Guard,
        streams: [Option<OwnedFd>; 3],
        control: Control,
        remaining: Remaining,
        hold: Hold,
    ) -> Self {
        Self { guard, streams, control, remaining, hold }
    }

    /// The process that waits.
    pub fn process(&self) -> Process<'_> {
        self.guard.process()
    }

    /// What is left to do until the process is the program.
    pub fn remaining(&self) -> &Remaining {
        &self.remaining
    }

    /// Starts a process that is held for the caller ([`Hold::Caller`]). Returns when it has become the program.
    ///
    /// # Errors
    ///
    /// The last step that failed, or the exec, as [`Spawner::spawn`](crate::Spawner::spawn) has them. Nothing is left
    /// behind then. [`Error::Invalid`] for a process that is held for a listener.
    pub fn start(self, rendezvous: &mut dyn Rendezvous) -> Result<Child, Error> {
        if self.hold != Hold::Caller {
            return Err(Error::Invalid {
                what: "process",
                value: self.process().pid.to_string(),
                reason: "is held for a listener: it is started by who connects there",
            });
        }
        let Self { mut guard, streams, control, remaining, .. } = self;
        finish(control, &remaining, &mut guard, rendezvous)?;
        Ok(child(guard, streams))
    }

    /// Leaves a process that is held for a listener ([`Hold::Listener`]) on its own, to be started by
    /// [`resume`](crate::resume) with what remains. One that is held for the caller ends with this, as nobody else can
    /// start it.
    pub fn detach(self) -> (Child, Remaining) {
        (child(self.guard, self.streams), self.remaining)
    }
}

/// The child that a guard lets live.
pub(super) fn child(guard: Guard, streams: [Option<OwnedFd>; 3]) -> Child {
    let (pid, pidfd) = guard.release();
    let [stdin, stdout, stderr] = streams;
    Child {
        pid,
        pidfd,
        status: None,
        stdin: stdin.map(Into::into),
        stdout: stdout.map(Into::into),
        stderr: stderr.map(Into::into),
    }
}

/// Starts a process that waits at a listener ([`Hold::Listener`]), from any process that can connect there. `socket` is
/// connected to the listener (`AF_UNIX`, `SOCK_SEQPACKET`), `process` is the one that waits, and `remaining` what its
/// creator got from [`Held::detach`]. Returns when the process has become the program.
///
/// A caller that ends before it has said a word leaves the process waiting, and the start can be tried again. With
/// [meetings](crate::Step::Sync) in [`Plan::last`](crate::Plan::last) the process ends with a caller that ends between
/// them.
///
/// # Errors
///
/// The last step that failed, or the exec: then the process has ended. [`Error::Rendezvous`] if the caller's own part
/// failed: then it ends too, as the connection is closed. [`Error::Gone`] if it ended without a word.
pub fn resume(
    socket: OwnedFd,
    process: Process<'_>,
    remaining: &Remaining,
    rendezvous: &mut dyn Rendezvous,
) -> Result<(), Error> {
    let kind = socket_type(&socket).map_err(Error::call("getsockopt"))?;
    if kind != SocketType::SEQPACKET {
        return Err(Error::Invalid {
            what: "type of socket",
            value: format!("{kind:?}"),
            reason: "is not SOCK_SEQPACKET, which a process that is held listens on",
        });
    }
    finish(Control::new(socket), remaining, &mut Other(process), rendezvous)
}

/// Says the word, and talks with the process until it has become the program.
fn finish(
    control: Control,
    remaining: &Remaining,
    subject: &mut dyn Subject,
    rendezvous: &mut dyn Rendezvous,
) -> Result<(), Error> {
    let mut conversation = Conversation {
        control,
        words: remaining,
        answers: remaining.meetings(),
        end: End::Program,
        to_the_end: false,
    };
    conversation.start()?;
    conversation.run(subject, rendezvous)
}

impl Subject for Guard {
    fn process(&self) -> Process<'_> {
        Process { pid: self.pid(), pidfd: self.pidfd() }
    }

    fn died(&self) -> Result<Error, Error> {
        died(self.process())
    }
}

/// The error for a child that ended without a word.
pub(super) fn died(process: Process<'_>) -> Result<Error, Error> {
    let status = wait::wait(process.pidfd, process.pid, Wait::Block)?;
    Ok(status.map_or(Error::StatusLost { pid: process.pid }, Error::Died))
}

/// A process that need not be a child of this one.
struct Other<'a>(Process<'a>);

impl Subject for Other<'_> {
    fn process(&self) -> Process<'_> {
        self.0
    }

    fn died(&self) -> Result<Error, Error> {
        // Its parent may have reaped it by now, or may not.
        let status =
            sys::pidfd_exit_status(self.0.pidfd).map(std::os::unix::process::ExitStatusExt::from_raw);
        Ok(status.map_or(Error::Gone { pid: self.0.pid }, Error::Died))
    }
}
