//! The end of all processes of a cgroup.

use super::members::event;
use super::wait::{Backoff, Deadline, changed};
use super::{Cgroup, Part};
use crate::{Controller, Error, Result, Version};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::time::Duration;

impl Cgroup {
    /// Kills all processes in it and in the cgroups in it, frozen or not, and waits until they have ended. Those that
    /// are children of this process have to be waited for as any.
    ///
    /// On v2 that is one write to `cgroup.kill`. On v1 the processes are frozen, so that none can fork, get `SIGKILL`
    /// by pidfd, so that no other process can be hit that has the number by then, and are thawed.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if some are left when the time is over; [`Error::FrozenAbove`] if that is because a v1
    /// freezer above is frozen; [`Error::Signal`] with `EPERM` on v1; [`Error::Caller`] if this process itself is in
    /// it; [`Error::Root`] for a cgroup at a mount point; [`Error::Open`], [`Error::Read`] and [`Error::Write`].
    /// Whatever fails, a v1 cgroup is not left frozen.
    ///
    /// # Privileges
    ///
    /// On v2 the right to write to `cgroup.kill`; on v1 the right to signal each process.
    pub fn kill(&self, timeout: Duration) -> Result<()> {
        self.refuse_root("killed")?;
        self.refuse_caller("killed")?;
        let deadline = Deadline::after(timeout);
        if let Some(part) = self.unified() {
            self.kill_v2(part, deadline)?;
        }
        // On a hybrid host somebody can be in the v1 parts alone.
        self.kill_v1(deadline)
    }

    fn kill_v2(&self, part: &Part, deadline: Deadline) -> Result<()> {
        let events = part.dir.open_file("cgroup.events", OFlags::RDONLY)?;
        part.dir.write("cgroup.kill", "1").map_err(|error| match error.errno() {
            Some(errno) if errno.number() == libc::EOPNOTSUPP => {
                Error::Threaded { path: part.dir.path().to_owned() }
            }
            _ => error,
        })?;
        // What the v1 freezer holds cannot end before it goes on.
        self.thaw_all()?;
        while event(&part.dir.read_again(&events, "cgroup.events")?, "populated") {
            if deadline.is_over() {
                return Err(self.left(deadline));
            }
            changed(&events, deadline)?;
        }
        Ok(())
    }

    /// Kills whoever is in some v1 part, until there is nobody.
    fn kill_v1(&self, deadline: Deadline) -> Result<()> {
        let mut backoff = Backoff::new();
        let mut signalled = BTreeSet::new();
        loop {
            let left = self.everybody()?;
            if left.is_empty() {
                return Ok(());
            }
            if !left.is_subset(&signalled) {
                let round = self.signal_frozen(deadline);
                self.thaw_all()?;
                signalled.append(&mut round?);
            }
            if !backoff.pause(deadline) {
                return Err(self.left(deadline));
            }
        }
    }

    /// One round. Who calls it thaws, whatever comes of it.
    fn signal_frozen(&self, deadline: Deadline) -> Result<BTreeSet<u32>> {
        if let Some(freezer) = self.v1_part_of(Controller::Freezer) {
            // Those that cannot be stopped in time are killed all the same, and new ones in the next round.
            let moment = Deadline::after(deadline.left().min(Duration::from_millis(500)));
            match freezer.freeze(moment) {
                Ok(()) | Err(Error::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut signalled = BTreeSet::new();
        let all: Vec<u32> = self.everybody()?.into_iter().collect();
        // A few at a time, as each is a descriptor.
        for some in all.chunks(64) {
            let mut open = Vec::new();
            for pid in some {
                open.extend(pidfd(*pid)?.map(|fd| (*pid, fd)));
            }
            // Who is here now, after its number was opened, is who was opened or one that has the number of one that
            // has ended; the signal goes nowhere then.
            let here = self.everybody()?;
            for (pid, fd) in open.into_iter().filter(|(pid, _)| here.contains(pid)) {
                match pidfd_send_signal(&fd, Signal::KILL) {
                    Ok(()) | Err(rustix::io::Errno::SRCH) => signalled.insert(pid),
                    Err(errno) => return Err(Error::Signal { pid, errno: errno.into() }),
                };
            }
        }
        Ok(signalled)
    }

    /// Those in the v1 parts.
    fn everybody(&self) -> Result<BTreeSet<u32>> {
        let mut all = BTreeSet::new();
        for part in self.parts.iter().filter(|part| part.version == Version::V1) {
            match part.members_recursive() {
                Err(error) if error.is_gone() => {}
                members => all.append(&mut members?),
            }
        }
        Ok(all)
    }

    /// Thaws the v1 freezer here and in all cgroups in it, which can be frozen for themselves.
    fn thaw_all(&self) -> Result<()> {
        let Some(freezer) = self.v1_part_of(Controller::Freezer) else { return Ok(()) };
        match freezer.walk(&mut |part| part.ask(false)) {
            Err(error) if error.is_gone() => Ok(()),
            thawed => thawed,
        }
    }

    fn left(&self, deadline: Deadline) -> Error {
        let freezer = self.v1_part_of(Controller::Freezer);
        let above = freezer.filter(|part| self.is_frozen_above(part).unwrap_or(false));
        match above {
            Some(part) => Error::FrozenAbove { path: part.dir.path().to_owned() },
            None => {
                let what = "the end of all processes";
                Error::Timeout { what, path: self.path().clone(), after: deadline.after }
            }
        }
    }
}

/// None for one that has ended, and for one that this process's pid namespace does not have.
fn pidfd(pid: u32) -> Result<Option<std::os::fd::OwnedFd>> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(number, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(errno) => Err(Error::Call { call: "pidfd_open", errno: errno.into() }),
    }
}
