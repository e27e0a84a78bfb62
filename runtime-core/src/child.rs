//! A running program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::cgroup::{Enclosed, limits_methods};
use crate::held::Held;
use crate::program::Program;
use crate::{ChildStderr, ChildStdin, ChildStdout, Error, ExitStatus, Output, streams};

const SIGKILL: i32 = Signal::KILL.as_raw();

/// A program that was started by a [`Command`](crate::Command) or an [`Exec`](crate::Exec).
///
/// It is held by a pidfd, so no signal ever reaches another process that got the same number.
///
/// # Dropping
///
/// Dropping a `Child` neither kills nor waits for the program, like `std::process::Child`, unless
/// [`kill_on_drop`](crate::Command::kill_on_drop) says so. The cgroup of a program with limits is removed if the program
/// was waited for; otherwise it stays as long as something runs in it.
#[derive(Debug)]
pub struct Child {
    process: cofferdam_process::Child,
    limit: Option<Limit>,
    #[allow(dead_code, reason = "its drop is all that it does")]
    kill_on_drop: Option<KillOnDrop>,
    /// Below `kill_on_drop`: it is dropped when nothing runs in it any more.
    enclosed: Option<Enclosed>,
    #[allow(dead_code, reason = "that it exists is all that counts")]
    held: Held,
    /// The writing end of the program's standard input, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
}

/// How long the program may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    timeout: Duration,
    pub(crate) end: Instant,
}

/// What a child is made of.
#[cfg(feature = "tokio")]
pub(crate) type Parts = (cofferdam_process::Child, Option<Limit>, Option<KillOnDrop>, Option<Enclosed>, Held);

impl Child {
    pub(crate) fn new(
        mut process: cofferdam_process::Child,
        program: &Program,
        mut enclosed: Option<Enclosed>,
        held: Held,
    ) -> Result<Self, Error> {
        // A moment that cannot be counted never comes.
        let limit = program
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout).map(|end| Limit { timeout, end }));
        if let Some(enclosed) = enclosed.as_mut().filter(|_| program.kill_on_drop) {
            // Nothing is to be left, then.
            enclosed.ended();
        }
        let kill_on_drop = match program.kill_on_drop {
            true => match fcntl_dupfd_cloexec(process.pidfd(), 3) {
                Ok(pidfd) => Some(KillOnDrop(pidfd)),
                Err(errno) => {
                    process.kill(SIGKILL)?;
                    process.wait()?;
                    return Err(Error::call("fcntl")(errno));
                }
            },
            false => None,
        };
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        Ok(Self { process, limit, kill_on_drop, enclosed, held, stdin, stdout, stderr })
    }

    /// The process with its streams, how long it may run, and what kills it.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_parts(mut self) -> Parts {
        self.process.stdin = self.stdin;
        self.process.stdout = self.stdout;
        self.process.stderr = self.stderr;
        (self.process, self.limit, self.kill_on_drop, self.enclosed, self.held)
    }

    limits_methods!();

    /// The process id as the caller sees it. It may belong to another process once this one was waited for; prefer
    /// [`pidfd`](Self::pidfd).
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The pidfd. It polls readable when the program has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd()
    }

    /// Closes standard input, waits for the end of the program, and tells how it ended.
    ///
    /// # Errors
    /// [`Error::TimedOut`] after the command's [`timeout`](crate::Command::timeout): the program was killed.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        match self.limit {
            None => {
                let status = self.process.wait()?;
                self.ended();
                Ok(status)
            }
            Some(limit) => self.wait_until(limit),
        }
    }

    /// Tells how the program ended, or `None` while it runs.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        if let Some(status) = self.process.try_wait()? {
            self.ended();
            return Ok(Some(status));
        }
        match self.limit {
            Some(limit) if limit.end <= Instant::now() => Err(self.end(limit)?),
            _ => Ok(None),
        }
    }

    /// Waits like [`wait`](Self::wait), but no longer than `timeout`; `None` if the program still runs then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        drop(self.stdin.take());
        let until = Instant::now().checked_add(timeout);
        match self.limit {
            Some(limit) if until.is_none_or(|until| limit.end <= until) => self.wait_until(limit).map(Some),
            _ => {
                let status = self.process.wait_timeout(timeout)?;
                if status.is_some() {
                    self.ended();
                }
                Ok(status)
            }
        }
    }

    /// Kills the program (`SIGKILL`). One that already ended is no error.
    ///
    /// If it is process 1 of its pid namespace, all processes there end with it.
    ///
    /// # Errors
    /// `EPERM` if the program now runs as somebody else.
    pub fn kill(&self) -> Result<(), Error> {
        self.signal(SIGKILL)
    }

    /// Sends a signal, by its number. One that already ended is no error.
    ///
    /// To process 1 of a pid namespace only those signals matter that it handles; see
    /// [`init`](crate::Command::init).
    ///
    /// # Errors
    /// `EINVAL` if there is no such signal, `EPERM` if the program now runs as somebody else.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        Ok(self.process.kill(signal)?)
    }

    /// Closes standard input, reads the other streams to their ends, and waits.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and if reading fails.
    pub fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let files = [self.stdout.take().map(Into::into), self.stderr.take().map(Into::into)];
        let collected = streams::collect(files, self.limit.map(|limit| limit.end))?;
        match (collected, self.limit) {
            (None, Some(limit)) => Err(self.end(limit)?),
            (collected, _) => {
                let [stdout, stderr] = collected.unwrap_or_default();
                let status = self.wait()?;
                Ok(Output { status, stdout, stderr })
            }
        }
    }

    /// Waits until the program ends or has to.
    fn wait_until(&mut self, limit: Limit) -> Result<ExitStatus, Error> {
        let left = limit.end.saturating_duration_since(Instant::now());
        match self.process.wait_timeout(left)? {
            Some(status) => {
                self.ended();
                Ok(status)
            }
            None => Err(self.end(limit)?),
        }
    }

    /// It was waited for.
    fn ended(&mut self) {
        if let Some(enclosed) = &mut self.enclosed {
            enclosed.ended();
        }
    }

    /// Ends a program whose time is over.
    fn end(&mut self, limit: Limit) -> Result<Error, Error> {
        self.kill()?;
        self.process.wait()?;
        self.ended();
        Ok(limit.error())
    }
}

/// Kills the process of a pidfd when dropped, and waits for its end.
#[derive(Debug)]
pub(crate) struct KillOnDrop(OwnedFd);

#[cfg(feature = "tokio")]
impl KillOnDrop {
    pub(crate) fn new(pidfd: OwnedFd) -> Self {
        Self(pidfd)
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // One that was waited for is out of reach, and nobody is left to be told of a failure.
        if pidfd_send_signal(&self.0, Signal::KILL).is_ok() {
            let wait = || waitid(WaitId::PidFd(self.0.as_fd()), WaitIdOptions::EXITED);
            while matches!(wait(), Err(Errno::INTR)) {}
        }
    }
}

impl Limit {
    /// The error of one who waits when the time is over.
    pub(crate) fn error(self) -> Error {
        Error::TimedOut { timeout: self.timeout }
    }
}

impl AsFd for Child {
    /// The pidfd.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd()
    }
}
