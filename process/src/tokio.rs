//! The child as futures, over tokio (feature `tokio`).
//!
//! Spawning itself takes less than a millisecond and is done by the calling thread, as `tokio::process` does it;
//! waiting and the streams are asynchronous.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use cofferdam_process::{Plan, Stdio, tokio::Child};
//!
//! let mut plan = Plan::new("echo");
//! plan.args.push("hello".into());
//! plan.stdout = Stdio::Pipe;
//! let output = Child::new(plan.spawn(&[])?)?.wait_with_output().await?;
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok::<(), cofferdam_process::Error>(())
//! # })?;
//! # Ok(())
//! # }
//! ```

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::{Errno, Error, ExitStatus, Output};

/// A process whose end and streams can be awaited. Dropping it is as for [`crate::Child`].
#[derive(Debug)]
pub struct Child {
    child: crate::Child,
    /// A second descriptor of the pidfd, watched by the runtime.
    ended: AsyncFd<OwnedFd>,
    /// The writing end of the program's standard input, where the plan asked for a pipe.
    pub stdin: Option<Sender>,
    /// The reading end of its standard output, where the plan asked for a pipe.
    pub stdout: Option<Receiver>,
    /// The reading end of its standard error, where the plan asked for a pipe.
    pub stderr: Option<Receiver>,
}

impl Child {
    /// Hands a child to the runtime of the calling task.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] outside a runtime with I/O enabled; `EMFILE` if there is no descriptor left.
    pub fn new(mut child: crate::Child) -> Result<Self, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            let reason = "belongs to no tokio runtime";
            return Err(Error::Invalid { what: "thread", value: String::new(), reason });
        }
        let pidfd = rustix::io::fcntl_dupfd_cloexec(child.pidfd(), 3).map_err(Error::call("fcntl"))?;
        let ended = crate::sys::watch(pidfd).map_err(failed("epoll_ctl"))?;
        let stdin = child.stdin.take().map(|pipe| Sender::from_owned_fd(pipe.into())).transpose();
        let stdout = child.stdout.take().map(|pipe| Receiver::from_owned_fd(pipe.into())).transpose();
        let stderr = child.stderr.take().map(|pipe| Receiver::from_owned_fd(pipe.into())).transpose();
        Ok(Self {
            child,
            ended,
            stdin: stdin.map_err(failed("pipe"))?,
            stdout: stdout.map_err(failed("pipe"))?,
            stderr: stderr.map_err(failed("pipe"))?,
        })
    }

    /// The process id in the caller's pid namespace.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    /// Closes standard input and waits for the end of the process. May be cancelled and called again.
    ///
    /// # Errors
    ///
    /// As [`crate::Child::wait`].
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            self.ended.readable().await.map_err(failed("epoll_wait"))?.clear_ready();
        }
    }

    /// Waits like [`wait`](Self::wait), but no longer than `timeout`; `None` if the process still runs then.
    /// The runtime needs its timer.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub async fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        tokio::time::timeout(timeout, self.wait()).await.ok().transpose()
    }

    /// Tells how the process ended, or `None` while it runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait()
    }

    /// Sends a signal, as [`crate::Child::kill`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn kill(&self, signal: i32) -> Result<(), Error> {
        self.child.kill(signal)
    }

    /// Closes standard input, reads the other streams to their ends, and waits.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and if reading fails.
    pub async fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let (stdout, stderr) = tokio::try_join!(read_all(stdout), read_all(stderr))?;
        let status = self.wait().await?;
        Ok(Output { status, stdout, stderr })
    }
}

async fn read_all(stream: Option<Receiver>) -> Result<Vec<u8>, Error> {
    let mut buffer = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut buffer).await.map_err(failed("read"))?;
    }
    Ok(buffer)
}

fn failed(call: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Call { call, errno: Errno::new(error.raw_os_error().unwrap_or(libc::EIO)) }
}
