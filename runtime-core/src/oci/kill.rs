//! Signals, and the list of processes.

use std::time::Duration;

use cofferdam_cgroups::Statistics;
use cofferdam_process::Child;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::cgroup::ContainerCgroup;
use super::rdt::ResourceGroup;
use super::{Container, Error, Result, Status};

/// How long freezing and thawing may take.
const FREEZING: Duration = Duration::from_secs(10);

impl Container {
    /// Sends a signal, by its number, to the container's process, or with `all` to all processes of the container.
    ///
    /// # Errors
    /// [`Error::NotRunning`] if it has ended; with `all` that is no error as long as some of its processes are left.
    pub fn kill(&self, signal: i32, all: bool) -> Result<()> {
        let cgroup = self.cgroup()?;
        let living = self.living()?.is_some();
        if all && signal == libc::SIGKILL && !cgroup.processes()?.is_empty() {
            return cgroup.kill_all(super::delete::PATIENCE);
        }
        let others = if all { signal_members(&cgroup, signal, self.pid())? } else { 0 };
        if !living {
            return if others > 0 { Ok(()) } else { Err(self.not_running(Status::Stopped)) };
        }
        if let Some((pid, pidfd)) = self.process() {
            let pidfd = pidfd.try_clone_to_owned();
            let pidfd = pidfd.map_err(|error| Error::io("pidfd", "/proc/self/fd")(&error))?;
            Child::from_pidfd(pid, pidfd).kill(signal)?;
        }
        // What is frozen does not end, on v1.
        if signal == libc::SIGKILL && cgroup.frozen()?.asked {
            cgroup.thaw(FREEZING)?;
        }
        Ok(())
    }

    /// Freezes all of its processes.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is created or runs; if it has no cgroup that can be frozen.
    pub fn pause(&self) -> Result<()> {
        match self.status()? {
            Status::Created | Status::Running => self.cgroup()?.freeze(FREEZING),
            Status::Stopped => Err(self.not_running(Status::Stopped)),
            status => Err(self.refuse("pause", status)),
        }
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// [`Error::Status`] unless it is paused.
    pub fn resume(&self) -> Result<()> {
        match self.status()? {
            Status::Paused => self.cgroup()?.thaw(FREEZING),
            status => Err(self.refuse("resume", status)),
        }
    }

    /// All of its processes, as the caller sees them, in no order.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it runs and has no cgroup.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let cgroup = self.cgroup()?;
        if cgroup.cgroup().is_none() && self.living()?.is_some() {
            return Err(Error::Unsupported {
                what: "listing the processes of a container without a cgroup".into(),
            });
        }
        cgroup.processes()
    }

    /// Its group of resctrl; none if it has none, or that is gone.
    ///
    /// # Errors
    /// [`Error::Path`].
    pub fn group(&self) -> Result<Option<ResourceGroup>> {
        Ok(self.record.rdt.as_ref().map(ResourceGroup::open).transpose()?.flatten())
    }

    /// What the container used.
    ///
    /// # Errors
    /// If it has no cgroup.
    pub fn statistics(&self) -> Result<Statistics> {
        Ok(self.cgroup()?.required()?.statistics()?)
    }
}

/// Signals the processes in a cgroup, but for one. Each is held by a pidfd, and looked for once more before the signal.
fn signal_members(cgroup: &ContainerCgroup, signal: i32, but: Option<u32>) -> Result<usize> {
    let mut signalled = 0;
    for pid in cgroup.processes()? {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| Some(pid) != but)
        else {
            continue;
        };
        let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => continue,
            Err(errno) => return Err(Error::call("pidfd_open")(errno)),
        };
        if cgroup.processes()?.contains(&pid) {
            Child::from_pidfd(pid, pidfd).kill(signal)?;
            signalled += 1;
        }
    }
    Ok(signalled)
}
