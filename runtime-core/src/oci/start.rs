//! From a process that waits to the program.

use cofferdam_process::{Process, Remaining, resume};

use super::container::Life;
use super::create::START;
use super::hooks::{self, Kind};
use super::meetings::Starting;
use super::state::Lock;
use super::{Container, Error, Result, Status, notify, reap, sockets};
use crate::Namespaces;

impl Container {
    /// Lets its process become the program. Hooks of the kinds `startContainer` and `poststart` run. If this fails the
    /// container is stopped.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is created; what hooks and the program's execution say.
    pub fn start(&mut self) -> Result<()> {
        let lock = self.entry.as_ref().map(super::state::Entry::lock).transpose()?;
        // What was known may have changed before the lock was there.
        if lock.is_some() {
            self.refresh()?;
        }
        match self.status()? {
            Status::Created => {}
            other => return Err(self.refuse("start", other)),
        }
        if self.record.config.process().is_none() {
            return Err(Error::config("process", "is missing, so there is nothing to start"));
        }
        if let (Some(entry), Some(_)) = (&self.entry, &self.record.notify_socket) {
            self.notifications = Some(notify::bind(entry)?);
        }
        let started = match &lock {
            Some(lock) => self.resume_init(lock),
            None => self.start_held(),
        };
        started.and_then(|()| self.poststart()).map_err(|error| self.stop_after(error))
    }

    /// Speaks with the process as its creator.
    fn start_held(&mut self) -> Result<()> {
        let held = match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Held(waiting) => waiting.take(),
            other => {
                self.life = other;
                None
            }
        };
        let held = held.ok_or_else(|| self.refuse("start", Status::Running))?;
        let mut meetings = Starting { record: &self.record, seccomp: None };
        let started = held.start(&mut meetings);
        self.seccomp = meetings.seccomp;
        let mut child = started.map_err(|error| Error::of_process(error, Namespaces::empty()))?;
        (self.stdin, self.stdout, self.stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        self.life = Life::Process(child);
        Ok(())
    }

    /// Speaks with the process over its socket.
    fn resume_init(&mut self, _: &Lock) -> Result<()> {
        let (Some(entry), Some((pid, pidfd))) = (&self.entry, self.process()) else {
            return Err(self.refuse("start", Status::Stopped));
        };
        let text = self.record.remaining.as_deref().unwrap_or_default();
        let remaining = Remaining::from_text(text)?;
        let socket = sockets::connect_at(entry, START)?;
        let mut meetings = Starting { record: &self.record, seccomp: None };
        let resumed = resume(socket, Process { pid, pidfd }, &remaining, &mut meetings);
        let seccomp = meetings.seccomp;
        resumed.map_err(|error| Error::of_process(error, Namespaces::empty()))?;
        entry.remove_file(START)?;
        self.seccomp = seccomp;
        Ok(())
    }

    fn poststart(&self) -> Result<()> {
        let Some((pid, pidfd)) = self.process() else { return Ok(()) };
        if hooks::list(&self.record.config, Kind::Poststart).is_empty() {
            return Ok(());
        }
        let state = self.record.state(Status::Running, Some(pid));
        // The program may be at its end already, which is not the hook's business.
        let around = hooks::Surroundings { process: None, ..self.record.surroundings(Some(pidfd)) };
        hooks::run(Kind::Poststart, around, &state)
    }

    /// Ends what was not started completely.
    fn stop_after(&mut self, error: Error) -> Error {
        let killed = match &self.life {
            Life::Process(child) => child.kill(libc::SIGKILL).map_err(Error::from),
            Life::Held(_) | Life::Ended => Ok(()),
        };
        let ended = killed.and_then(|()| self.cgroup()?.kill_all(super::delete::PATIENCE));
        if let Life::Process(child) = &mut self.life {
            // What failed before is what counts.
            drop(reap::reap(child, super::delete::PATIENCE));
        }
        match ended {
            Ok(()) => error,
            Err(cleanup) => Error::LeftBehind { cleanup: Box::new(cleanup), source: Box::new(error) },
        }
    }

    /// Forwards notifications of `sd_notify(3)` from the container to the socket that it was created with, until the first
    /// `READY=1` or the end of the container. Says `MAINPID` along with it.
    ///
    /// # Errors
    /// If the container was created without a socket for them or was not started by this value; if either socket fails.
    pub fn forward_notifications(&self) -> Result<()> {
        let (Some(socket), Some(host), Some((pid, pidfd))) =
            (&self.notifications, &self.record.notify_socket, self.process())
        else {
            return Err(Error::Unsupported {
                what: "forwarding notifications of a container without a notify socket".into(),
            });
        };
        notify::forward(std::os::fd::AsFd::as_fd(socket), host, pid, pidfd)
    }
}
