//! Programs as futures, over tokio (feature `tokio`).
//!
//! Starting a program takes about a millisecond and is done by the calling thread, as `tokio::process` does it. Waiting and the
//! streams are asynchronous.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! use cofferdam::{Command, Stdio, tokio::Child};
//!
//! let child = Command::new("hostname").hostname("box").stdout(Stdio::piped()).spawn()?;
//! let output = Child::new(child)?.wait_with_output().await?;
//! assert_eq!(output.stdout, b"box\n");
//! # Ok::<(), cofferdam::Error>(())
//! # })?;
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::os::fd::BorrowedFd;

use cofferdam_process::tokio::Child as Process;
use rustix::process::Signal;

use crate::cgroup::{Enclosed, limits_methods};
use crate::child::{KillOnDrop, Limit};
use crate::held::Held;
use crate::{Error, ExitStatus, Output};

pub use tokio::net::unix::pipe::{Receiver, Sender};

/// A program whose end and streams can be awaited.
///
/// Its command's [`timeout`](crate::Command::timeout) is kept by the waiting methods, for which the runtime needs its
/// timer. Dropping it is as for [`crate::Child`].
#[derive(Debug)]
pub struct Child {
    process: Process,
    limit: Option<Limit>,
    #[allow(dead_code, reason = "its drop is all that it does")]
    kill_on_drop: Option<KillOnDrop>,
    enclosed: Option<Enclosed>,
    #[allow(dead_code, reason = "that it exists is all that counts")]
    held: Held,
    /// The writing end of the program's standard input, if it is a pipe.
    pub stdin: Option<Sender>,
    /// The reading end of its standard output, if it is a pipe.
    pub stdout: Option<Receiver>,
    /// The reading end of its standard error, if it is a pipe.
    pub stderr: Option<Receiver>,
}

impl Child {
    /// Hands a child to the runtime of the calling task.
    ///
    /// # Errors
    /// `InvalidInput` outside a runtime; `EMFILE` if there is no descriptor left.
    pub fn new(child: crate::Child) -> Result<Self, Error> {
        let (process, limit, kill_on_drop, enclosed, held) = child.into_parts();
        let mut process = Process::new(process)?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        Ok(Self { process, limit, kill_on_drop, enclosed, held, stdin, stdout, stderr })
    }

    limits_methods!();

    /// The process id as the caller sees it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd()
    }

    /// Kills the program, as [`crate::Child::kill`].
    ///
    /// # Errors
    /// As there.
    pub fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::KILL.as_raw())
    }

    /// Sends a signal, as [`crate::Child::signal`].
    ///
    /// # Errors
    /// As there.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        Ok(self.process.kill(signal)?)
    }

    /// Tells how the program ended, or `None` while it runs. Keeps no timeout.
    ///
    /// # Errors
    /// As [`crate::Child::wait`], but for the timeout.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let status = self.process.try_wait()?;
        if status.is_some() {
            self.ended();
        }
        Ok(status)
    }

    /// Closes standard input and waits for the end of the program. May be cancelled and called again.
    ///
    /// # Errors
    /// [`Error::TimedOut`] after the command's timeout: the program was killed.
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        match within(self.limit, self.process.wait()).await {
            Ok(status) => {
                let status = status?;
                self.ended();
                Ok(status)
            }
            Err(limit) => {
                self.kill()?;
                self.process.wait().await?;
                self.ended();
                Err(limit.error())
            }
        }
    }

    /// It was waited for.
    fn ended(&mut self) {
        if let Some(enclosed) = &mut self.enclosed {
            enclosed.ended();
        }
    }

    /// Closes standard input, reads the other streams to their ends, and waits.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and if reading fails.
    pub async fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        // Holds the process while its owner is given away.
        let pidfd = rustix::io::fcntl_dupfd_cloexec(self.process.pidfd(), 3).map_err(Error::call("fcntl"))?;
        self.process.stdout = self.stdout.take();
        self.process.stderr = self.stderr.take();
        let collected = within(self.limit, self.process.wait_with_output()).await;
        // What could not be read to its end may run on.
        let over = !matches!(collected, Ok(Err(_)));
        if let Some(enclosed) = self.enclosed.as_mut().filter(|_| over) {
            enclosed.ended();
        }
        match collected {
            Ok(output) => Ok(output?),
            Err(limit) => {
                drop(KillOnDrop::new(pidfd));
                Err(limit.error())
            }
        }
    }
}

/// Awaits something as long as there is time.
async fn within<T>(limit: Option<Limit>, future: impl Future<Output = T>) -> Result<T, Limit> {
    match limit {
        None => Ok(future.await),
        Some(limit) => tokio::time::timeout_at(limit.end.into(), future).await.map_err(|_| limit),
    }
}
