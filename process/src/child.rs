//! The child: a process held by its pidfd.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Signal, pidfd_send_signal};

use crate::spawn::wait::{self, Wait};
use crate::{ChildStderr, ChildStdin, ChildStdout, Error, ExitStatus, Output};

/// A process that was started from a plan.
///
/// It is held by a pidfd, so no signal ever reaches another process that got the same number.
///
/// # Dropping
///
/// Dropping a `Child` neither kills nor waits for the process, like `std::process::Child`. It stays a zombie
/// after its end until this program ends or ignores `SIGCHLD`. Call [`kill`](Self::kill) and
/// [`wait`](Self::wait) for an end that is known.
#[derive(Debug)]
pub struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) status: Option<ExitStatus>,
    /// The writing end of the program's standard input, where the plan asked for a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, where the plan asked for a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, where the plan asked for a pipe.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    /// A process by its pidfd, whoever started it. `pid` is for its [`id`](Self::id) and for messages. It has no streams.
    ///
    /// How the process of somebody else ended is known once its parent has reaped it, from Linux 6.15 on.
    ///
    /// ```
    /// use std::os::fd::OwnedFd;
    ///
    /// use cofferdam_process::{Child, Plan};
    ///
    /// let child = Plan::new("true").spawn(&[])?;
    /// let pidfd: OwnedFd = child.pidfd().try_clone_to_owned().expect("a descriptor");
    /// assert!(Child::from_pidfd(child.id(), pidfd).wait()?.success());
    /// # Ok::<(), cofferdam_process::Error>(())
    /// ```
    pub fn from_pidfd(pid: u32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, status: None, stdin: None, stdout: None, stderr: None }
    }

    /// The process id in the caller's pid namespace. It may belong to another process once this one was
    /// waited for; prefer [`pidfd`](Self::pidfd).
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// The pidfd. It polls readable when the process has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Closes standard input, waits for the end of the process, and tells how it ended.
    ///
    /// # Errors
    ///
    /// [`Error::StatusLost`] if another part of this program took the status.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.finish(Wait::Block)?.ok_or(Error::StatusLost { pid: self.pid })
    }

    /// Tells how the process ended, or `None` while it runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.finish(Wait::Poll)
    }

    /// Waits like [`wait`](Self::wait), but no longer than `timeout`; `None` if the process still runs then.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        drop(self.stdin.take());
        if self.status.is_some() {
            return Ok(self.status);
        }
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            let ended = {
                let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
                retry_on_intr(|| poll(&mut fds, limit.as_ref())).map_err(Error::call("poll"))? > 0
            };
            if ended {
                return self.finish(Wait::Block);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
        }
    }

    /// Sends a signal, such as `libc::SIGTERM`. One that already ended is no error.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such signal, `EPERM` if the process now runs as somebody else.
    pub fn kill(&self, signal: i32) -> Result<(), Error> {
        if self.status.is_some() {
            return Ok(());
        }
        let Some(signal) = Signal::from_named_raw(signal) else {
            return crate::sys::pidfd_send_signal(self.pidfd.as_fd(), signal);
        };
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => other.map_err(Error::call("pidfd_send_signal")),
        }
    }

    /// Closes standard input, reads the other streams to their ends, and waits.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and if reading fails.
    pub fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        match (self.stdout.take(), self.stderr.take()) {
            (Some(out), Some(err)) => read_both(out, err, &mut stdout, &mut stderr)?,
            (Some(mut out), None) => read_all(&mut out, &mut stdout)?,
            (None, Some(mut err)) => read_all(&mut err, &mut stderr)?,
            (None, None) => {}
        }
        let status = self.wait()?;
        Ok(Output { status, stdout, stderr })
    }

    fn finish(&mut self, how: Wait) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_none() {
            self.status = wait::wait(self.pidfd.as_fd(), self.pid, how)?;
        }
        Ok(self.status)
    }
}

fn read_all(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<(), Error> {
    stream.read_to_end(buffer).map(|_| ()).map_err(|error| read_error(&error))
}

fn read_error(error: &std::io::Error) -> Error {
    Error::Call { call: "read", errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)) }
}

/// Reads two streams at once, so that neither fills up while the other is waited for.
fn read_both(
    out: ChildStdout,
    err: ChildStderr,
    stdout: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut streams = [(Some(out.0), stdout), (Some(err.0), stderr)];
    let mut chunk = vec![0; 64 * 1024];
    while streams.iter().any(|(file, _)| file.is_some()) {
        let ready = wait_readable(&streams)?;
        for ((file, buffer), ready) in streams.iter_mut().zip(ready) {
            let Some(open) = file.as_mut().filter(|_| ready) else { continue };
            match open.read(&mut chunk) {
                Ok(0) => *file = None,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(&error)),
            }
        }
    }
    Ok(())
}

fn wait_readable(streams: &[(Option<std::fs::File>, &mut Vec<u8>); 2]) -> Result<[bool; 2], Error> {
    let mut fds: Vec<_> = streams
        .iter()
        .filter_map(|(file, _)| file.as_ref())
        .map(|file| PollFd::new(file, PollFlags::IN))
        .collect();
    retry_on_intr(|| poll(&mut fds, None)).map_err(Error::call("poll"))?;
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    Ok([0, 1].map(|index| streams[index].0.is_some() && ready.next() == Some(true)))
}
