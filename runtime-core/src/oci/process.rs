//! A further process in a container.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use super::Result;
use crate::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

/// A process that was started by [`Container::exec`](super::Container::exec). It is a child of the caller.
///
/// # Dropping
/// Dropping it neither kills nor waits for the process, like `std::process::Child`. One that nobody waits for stays a zombie
/// from its end until this program ends: a program that runs for long has to [`wait`](Self::wait) for each.
///
/// The container depends on that, too. Where it has a pid namespace of its own, the kernel lets its first process end only
/// when all others in the namespace have been waited for. Until then [`Container::wait`](super::Container::wait) does not
/// return, though all of them were killed. If the container is deleted meanwhile, its first process is a zombie from then on
/// until another container is created or deleted.
#[derive(Debug)]
pub struct Process {
    child: cofferdam_process::Child,
    console: Option<OwnedFd>,
    /// The writing end of its standard input, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
}

impl Process {
    pub(super) fn new(mut child: cofferdam_process::Child, console: Option<OwnedFd>) -> Self {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Self { child, console, stdin, stdout, stderr }
    }

    /// Its number, as the caller sees it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its pidfd; it polls readable when the process has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    /// The master of its terminal, once, where it has one and no console socket took it.
    pub fn take_console(&mut self) -> Option<OwnedFd> {
        self.console.take()
    }

    /// Sends a signal, by its number. One that already ended is no error.
    ///
    /// # Errors
    /// `EINVAL` if there is no such signal, `EPERM` if the process now runs as somebody else.
    pub fn kill(&self, signal: i32) -> Result<()> {
        Ok(self.child.kill(signal)?)
    }

    /// Closes standard input, waits for the end of the process, and tells how it ended.
    ///
    /// # Errors
    /// If the status was taken by another part of this program.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        Ok(self.child.wait()?)
    }

    /// Tells how it ended, or `None` while it runs.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// As [`wait`](Self::wait), but no longer than this; `None` if it still runs then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>> {
        drop(self.stdin.take());
        Ok(self.child.wait_timeout(timeout)?)
    }
}
