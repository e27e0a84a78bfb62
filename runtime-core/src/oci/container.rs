//! A container, and what can be done with it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam_cgroups::Statistics;
use oci_spec::runtime::{LinuxResources, Process as ProcessSpec, Spec};

use super::{Details, Error, ExecOptions, Process, Result, State, Status};
use crate::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

/// A container, held by the pidfd of its process.
///
/// # Dropping
/// A container without a state directory ends when it is dropped before it was started. Otherwise dropping does nothing.
#[derive(Debug)]
pub struct Container {
    id: String,
    spec: Spec,
    bundle: PathBuf,
    /// The writing end of the program's standard input, if it is a pipe of this process.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if it is a pipe of this process.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if it is a pipe of this process.
    pub stderr: Option<ChildStderr>,
}

fn unsupported<T>(what: &str) -> Result<T> {
    Err(Error::Unsupported { what: what.to_owned() })
}

impl Container {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its configuration as of its creation.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The directory of its bundle.
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// What of the configuration was left out because the host does not know it, such as a capability that is newer than the
    /// kernel. Known to the creator.
    pub fn not_applied(&self) -> &[String] {
        &[]
    }

    /// Its process, as the caller sees it; none once it has ended.
    pub fn pid(&self) -> Option<u32> {
        None
    }

    /// The pidfd of its process; it polls readable when that has ended. None if it had ended when the container was found.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// How far it is, right now.
    ///
    /// # Errors
    /// If its process or its cgroup cannot be looked at.
    pub fn status(&self) -> Result<Status> {
        unsupported("status")
    }

    /// Its state as the runtime-spec has it, right now.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn state(&self) -> Result<State> {
        unsupported("state")
    }

    /// Its state and more, right now.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn details(&self) -> Result<Details> {
        unsupported("details")
    }

    /// Lets its process become the program. Hooks of the kinds `startContainer` and `poststart` run. If this fails the
    /// container is stopped.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is created; what hooks and the program's execution say.
    pub fn start(&mut self) -> Result<()> {
        unsupported("start")
    }

    /// Sends a signal, by its number, to the container's process, or with `all` to all processes of the container.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if it has ended; with `all` that is no error as long as some of its processes are left.
    pub fn kill(&self, signal: i32, all: bool) -> Result<()> {
        let _: (i32, bool) = (signal, all);
        unsupported("kill")
    }

    /// Deletes the container: its cgroup, its state, and with `force` its processes. Hooks of the kind `poststop` run; what
    /// they say does not matter to the container and is returned.
    ///
    /// # Errors
    /// [`Error::Status`] if it runs and `force` is not set; if something cannot be removed. It can be tried again then.
    pub fn delete(self, force: bool) -> Result<Vec<Error>> {
        let _: bool = force;
        unsupported("delete")
    }

    /// Freezes all of its processes.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; if it has no cgroup that can be frozen.
    pub fn pause(&self) -> Result<()> {
        unsupported("pause")
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is paused.
    pub fn resume(&self) -> Result<()> {
        unsupported("resume")
    }

    /// All of its processes, as the caller sees them, in no order.
    ///
    /// # Errors
    /// If it has no cgroup.
    pub fn processes(&self) -> Result<Vec<u32>> {
        unsupported("processes")
    }

    /// The process of its configuration, to be changed and executed again: without terminal size and rlimits, which belong to
    /// the first process.
    pub fn process_template(&self) -> ProcessSpec {
        self.spec.process().clone().unwrap_or_default()
    }

    /// Starts a further process in the container. Returns when it has become the program.
    ///
    /// # Errors
    /// [`Error::NotRunning`] or [`Error::Status`]; [`Error::Config`] for a value of the process that cannot be applied.
    pub fn exec(&self, options: ExecOptions<'_>) -> Result<Process> {
        drop(options);
        unsupported("exec")
    }

    /// Changes what the container may use. What is absent stays as it is.
    ///
    /// # Errors
    /// If something cannot be applied: then nothing has changed. Or if it has no cgroup.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let _: &LinuxResources = resources;
        unsupported("update")
    }

    /// What the container used.
    ///
    /// # Errors
    /// If it has no cgroup.
    pub fn statistics(&self) -> Result<Statistics> {
        unsupported("statistics")
    }

    /// The cgroup of the container, if it has one.
    ///
    /// # Errors
    /// If it is gone.
    pub fn cgroup(&self) -> Result<Option<cofferdam_cgroups::Cgroup>> {
        unsupported("cgroup")
    }

    /// The master of its terminal, once, where it has one and no console socket took it.
    pub fn take_console(&mut self) -> Option<OwnedFd> {
        None
    }

    /// Forwards notifications of `sd_notify(3)` from the container to the socket that it was created with, until the first
    /// `READY=1` or the end of the container. Says `MAINPID` along with it.
    ///
    /// # Errors
    /// If the container was created without a socket for them, or either socket fails.
    pub fn forward_notifications(&self) -> Result<()> {
        unsupported("notifications")
    }

    /// Waits for the end of its process and tells how it ended.
    ///
    /// # Errors
    /// [`cofferdam_process::Error::StatusLost`] if this process is not the creator and the kernel is older than 6.15, which
    /// tells the status by the pidfd.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        unsupported("wait")
    }

    /// As [`wait`](Self::wait), but no longer than this; `None` if it still runs then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>> {
        let _: Duration = timeout;
        unsupported("wait")
    }
}
