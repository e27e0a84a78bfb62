//! A running program.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::program::Program;
use crate::{ChildStderr, ChildStdin, ChildStdout, Error, ExitStatus, Output, streams};

const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();

/// A program that was started by a [`Command`](crate::Command) or an [`Exec`](crate::Exec).
///
/// It is held by a pidfd, so no signal ever reaches another process that got the same number.
///
/// # Dropping
///
/// Dropping a `Child` neither kills nor waits for the program, like `std::process::Child`, unless
/// [`kill_on_drop`](crate::Command::kill_on_drop) says so.
#[derive(Debug)]
pub struct Child {
    process: cofferdam_process::Child,
    limit: Option<Limit>,
    kill_on_drop: bool,
    /// The writing end of the program's standard input, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
}

/// How long the program may run.
#[derive(Clone, Copy, Debug)]
struct Limit {
    timeout: Duration,
    /// `None` lies too far in the future to be counted.
    end: Option<Instant>,
}

impl Child {
    pub(crate) fn new(mut process: cofferdam_process::Child, program: &Program) -> Self {
        let limit =
            program.timeout.map(|timeout| Limit { timeout, end: Instant::now().checked_add(timeout) });
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        Self { process, limit, kill_on_drop: program.kill_on_drop, stdin, stdout, stderr }
    }

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
        match self.end() {
            None => Ok(self.process.wait()?),
            Some(end) => self.wait_until(end)?.ok_or_else(|| self.timed_out()),
        }
    }

    /// Tells how the program ended, or `None` while it runs.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        if let Some(status) = self.process.try_wait()? {
            return Ok(Some(status));
        }
        match self.end() {
            Some(end) if end <= Instant::now() => {
                self.kill_and_reap()?;
                Err(self.timed_out())
            }
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
        match (self.end(), until) {
            (Some(end), until) if until.is_none_or(|until| end <= until) => {
                self.wait_until(end)?.map(Some).ok_or_else(|| self.timed_out())
            }
            _ => Ok(self.process.wait_timeout(timeout)?),
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
        let Some([stdout, stderr]) = streams::collect(files, self.end())? else {
            self.kill_and_reap()?;
            return Err(self.timed_out());
        };
        let status = self.wait()?;
        Ok(Output { status, stdout, stderr })
    }

    fn end(&self) -> Option<Instant> {
        self.limit.and_then(|limit| limit.end)
    }

    /// Waits until a moment, and kills the program then.
    fn wait_until(&mut self, end: Instant) -> Result<Option<ExitStatus>, Error> {
        let status = self.process.wait_timeout(end.saturating_duration_since(Instant::now()))?;
        if status.is_none() {
            self.kill_and_reap()?;
        }
        Ok(status)
    }

    fn kill_and_reap(&mut self) -> Result<ExitStatus, Error> {
        self.kill()?;
        Ok(self.process.wait()?)
    }

    fn timed_out(&self) -> Error {
        Error::TimedOut { timeout: self.limit.map_or(Duration::ZERO, |limit| limit.timeout) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop && matches!(self.process.try_wait(), Ok(None)) {
            // Nobody is left to be told of a failure.
            drop(self.kill_and_reap());
        }
    }
}

impl std::os::fd::AsFd for Child {
    /// The pidfd.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd()
    }
}
