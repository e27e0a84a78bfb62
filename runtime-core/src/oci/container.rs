//! A container, and what can be said of it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use cofferdam_process::{Child, Held};
use oci_spec::runtime::{Process as ProcessSpec, Spec};

use super::cgroup::{CgroupRecord, ContainerCgroup};
use super::create::START;
use super::delete::PATIENCE;
use super::state::{Entry, Record, has_ended};
use super::{Details, Error, Result, State, Status};
use crate::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};

/// A container, held by the pidfd of its process.
///
/// # Dropping
/// A container without a state directory ends when it is dropped before it was started. Otherwise dropping does nothing.
#[derive(Debug)]
pub struct Container {
    pub(super) record: Record,
    pub(super) entry: Option<Entry>,
    pub(super) life: Life,
    pub(super) console: Option<OwnedFd>,
    pub(super) seccomp: Option<OwnedFd>,
    pub(super) notifications: Option<OwnedFd>,
    not_applied: Vec<String>,
    /// The writing end of the program's standard input, if it is a pipe of this process.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if it is a pipe of this process.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if it is a pipe of this process.
    pub stderr: Option<ChildStderr>,
}

/// The process of a container.
#[derive(Debug)]
pub(super) enum Life {
    /// It waits for this process to start it.
    Held(Waiting),
    /// It lives on its own.
    Process(Child),
    /// It had ended when the container was found, or there never was one.
    Ended,
}

/// A process that nobody else can start. If it is not started it ends, and its cgroup with it.
#[derive(Debug)]
pub(super) struct Waiting {
    held: Option<Held>,
    cgroup: CgroupRecord,
}

impl Waiting {
    /// To start it. The cgroup is somebody else's business then.
    pub(super) fn take(mut self) -> Option<Held> {
        self.held.take()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            drop(held);
            // There is nobody to tell; `delete` tells it.
            drop(ContainerCgroup::open(&self.cgroup).and_then(|mut cgroup| cgroup.remove(PATIENCE)));
        }
    }
}

impl Life {
    fn of(record: &Record) -> Result<Self> {
        let Some(process) = &record.process else { return Ok(Self::Ended) };
        let pidfd = process.open()?;
        Ok(pidfd.map_or(Self::Ended, |pidfd| Self::Process(Child::from_pidfd(process.pid, pidfd))))
    }
}

impl Container {
    /// One that was just created.
    pub(super) fn created(
        record: Record,
        entry: Option<Entry>,
        held: Held,
        console: Option<OwnedFd>,
        not_applied: Vec<String>,
    ) -> Self {
        let life = match entry {
            None => {
                let cgroup = record.cgroup.clone().unwrap_or_default();
                Life::Held(Waiting { held: Some(held), cgroup })
            }
            Some(_) => Life::Process(held.detach().0),
        };
        Self { console, not_applied, ..Self::of(record, entry, life) }
    }

    /// One that is found in the state directory.
    pub(super) fn found(entry: Entry) -> Result<Self> {
        let record = entry.read()?;
        let life = Life::of(&record)?;
        Ok(Self::of(record, Some(entry), life))
    }

    /// Looks again at what is stored.
    pub(super) fn refresh(&mut self) -> Result<()> {
        let Some(entry) = &self.entry else { return Ok(()) };
        let record = entry.read()?;
        if record.process != self.record.process {
            self.life = Life::of(&record)?;
        }
        self.record = record;
        Ok(())
    }

    fn of(record: Record, entry: Option<Entry>, mut life: Life) -> Self {
        let (mut stdin, mut stdout, mut stderr) = (None, None, None);
        if let Life::Process(child) = &mut life {
            (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        }
        let (console, seccomp, notifications) = (None, None, None);
        let not_applied = Vec::new();
        Self { record, entry, life, console, seccomp, notifications, not_applied, stdin, stdout, stderr }
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Its configuration as of its creation.
    pub fn spec(&self) -> &Spec {
        &self.record.config
    }

    /// The directory of its bundle.
    pub fn bundle(&self) -> &Path {
        &self.record.bundle
    }

    /// What of the configuration was left out because the host does not know it, such as a capability that is newer than the
    /// kernel. Known to the creator.
    pub fn not_applied(&self) -> &[String] {
        &self.not_applied
    }

    /// Its process, as the caller sees it; none if it had ended when the container was found.
    pub fn pid(&self) -> Option<u32> {
        self.process().map(|(pid, _)| pid)
    }

    /// The pidfd of its process; it polls readable when that has ended. None if it had ended when the container was found.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process().map(|(_, pidfd)| pidfd)
    }

    pub(super) fn process(&self) -> Option<(u32, BorrowedFd<'_>)> {
        match &self.life {
            Life::Held(waiting) => {
                let process = waiting.held.as_ref()?.process();
                Some((process.pid, process.pidfd))
            }
            Life::Process(child) => Some((child.id(), child.pidfd())),
            Life::Ended => None,
        }
    }

    /// Its process, if that lives.
    pub(super) fn living(&self) -> Result<Option<(u32, BorrowedFd<'_>)>> {
        match self.process() {
            Some((pid, pidfd)) if !has_ended(pidfd)? => Ok(Some((pid, pidfd))),
            Some(_) | None => Ok(None),
        }
    }

    /// How far it is, right now.
    ///
    /// # Errors
    /// If its process or its cgroup cannot be looked at.
    pub fn status(&self) -> Result<Status> {
        if !self.record.complete {
            // Whoever creates it has the lock; without one nobody does any more.
            let creating = self.entry.as_ref().is_some_and(|entry| matches!(entry.try_lock(), Ok(None)));
            return Ok(if creating { Status::Creating } else { Status::Stopped });
        }
        if self.living()?.is_none() {
            return Ok(Status::Stopped);
        }
        if self.cgroup()?.frozen()?.asked {
            return Ok(Status::Paused);
        }
        Ok(if self.waits() { Status::Created } else { Status::Running })
    }

    /// Whether its program was not started yet.
    fn waits(&self) -> bool {
        match (&self.life, &self.entry, &self.record.process) {
            (Life::Held(_), ..) => true,
            (_, Some(entry), Some(process)) => process.waits().unwrap_or_else(|| entry.has(START)),
            _ => false,
        }
    }

    /// Its state as the runtime-spec has it, right now.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn state(&self) -> Result<State> {
        let status = self.status()?;
        Ok(self.record.state(status, self.pid_in(status)))
    }

    /// Its state and more, right now.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn details(&self) -> Result<Details> {
        let status = self.status()?;
        Ok(self.record.details(status, self.pid_in(status)))
    }

    fn pid_in(&self, status: Status) -> Option<u32> {
        if status == Status::Stopped { None } else { self.pid() }
    }

    pub(super) fn not_running(&self, status: Status) -> Error {
        Error::NotRunning { id: self.record.id.clone(), status }
    }

    pub(super) fn refuse(&self, operation: &'static str, status: Status) -> Error {
        Error::Status { operation, id: self.record.id.clone(), status }
    }

    /// The cgroup of the container; an empty value if it has none or that is gone.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn cgroup(&self) -> Result<ContainerCgroup> {
        ContainerCgroup::open(&self.record.cgroup.clone().unwrap_or_default())
    }

    /// The process of its configuration, to be changed and executed again.
    pub fn process_template(&self) -> ProcessSpec {
        self.record.config.process().clone().unwrap_or_default()
    }

    /// The master of its terminal, once, where it has one and no console socket took it.
    pub fn take_console(&mut self) -> Option<OwnedFd> {
        self.console.take()
    }

    /// The listener of its seccomp filter, once, if that notifies and the configuration has no `listenerPath`; known to who
    /// started it.
    pub fn take_seccomp_listener(&mut self) -> Option<OwnedFd> {
        self.seccomp.take()
    }

    /// Waits for the end of its process and tells how it ended. That may be only when each [`Process`](super::Process) that this
    /// program started in it has been waited for.
    ///
    /// # Errors
    /// [`cofferdam_process::Error::StatusLost`] if this process is not the creator and the kernel is older than 6.15, which
    /// tells the status by the pidfd. [`Error::NotRunning`] if it had ended when the container was found.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        match &mut self.life {
            Life::Process(child) => Ok(child.wait()?),
            Life::Held(_) => Err(self.refuse("wait for", Status::Created)),
            Life::Ended => Err(self.not_running(Status::Stopped)),
        }
    }

    /// As [`wait`](Self::wait), but no longer than this; `None` if it still runs then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>> {
        drop(self.stdin.take());
        match &mut self.life {
            Life::Process(child) => Ok(child.wait_timeout(timeout)?),
            Life::Held(_) => Err(self.refuse("wait for", Status::Created)),
            Life::Ended => Err(self.not_running(Status::Stopped)),
        }
    }
}
