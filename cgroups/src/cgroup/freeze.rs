//! Stopping all processes of a cgroup, and letting them go on.

use super::members::event;
use super::wait::{Backoff, Deadline, changed};
use super::{Cgroup, Part};
use crate::{Controller, Error, Result, Version};
use rustix::fs::OFlags;
use std::time::Duration;

/// Whether a cgroup is frozen, and by whose wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreezerState {
    /// This cgroup was asked to freeze.
    pub asked: bool,
    /// One above it was, so that this one cannot be thawed by itself.
    pub above: bool,
    /// All of its processes are stopped.
    pub frozen: bool,
}

impl Cgroup {
    /// Stops all processes in it and in the cgroups in it. Returns when they are stopped.
    ///
    /// It uses the v1 freezer if the cgroup has a part there, else `cgroup.freeze` of v2. A frozen v1 cgroup does not
    /// end by `SIGKILL` before it is thawed; [`Cgroup::kill`] takes care of that.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if some process could not be stopped in time; it is thawed again then. [`Error::Caller`] if
    /// this process itself is in it. [`Error::Root`] for a cgroup at a mount point. [`Error::NoController`] if it has
    /// neither a freezer part nor a v2 part. [`Error::Open`] and [`Error::Write`].
    ///
    /// # Privileges
    ///
    /// The right to write to `cgroup.freeze` or `freezer.state`: root, or the user whom it was delegated to.
    pub fn freeze(&self, timeout: Duration) -> Result<()> {
        let part = self.freezer("frozen")?;
        self.refuse_caller("frozen")?;
        part.freeze(Deadline::after(timeout))
    }

    /// Lets all processes go on. Returns when they do.
    ///
    /// # Errors
    ///
    /// [`Error::FrozenAbove`] if a cgroup above is frozen; this one is no more then, once that is thawed.
    /// [`Error::Timeout`]; otherwise as [`Cgroup::freeze`].
    ///
    /// # Privileges
    ///
    /// As [`Cgroup::freeze`].
    pub fn thaw(&self, timeout: Duration) -> Result<()> {
        self.freezer("thawed")?.thaw(self, Deadline::after(timeout))
    }

    /// Whether it is frozen, and by whose wish. On v2 only those cgroups above are looked at that this process sees.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::freeze`], but for the time and the caller.
    pub fn frozen(&self) -> Result<FreezerState> {
        let part = self.freezer("frozen")?;
        let dir = &part.dir;
        Ok(match part.version {
            Version::V1 => FreezerState {
                asked: dir.read("freezer.self_freezing")?.trim_ascii() == "1",
                above: dir.read("freezer.parent_freezing")?.trim_ascii() == "1",
                frozen: part.state()?,
            },
            Version::V2 => FreezerState {
                asked: dir.read("cgroup.freeze")?.trim_ascii() == "1",
                above: self.is_frozen_above(part)?,
                frozen: event(&dir.read("cgroup.events")?, "frozen"),
            },
        })
    }

    fn freezer(&self, what: &'static str) -> Result<&Part> {
        self.refuse_root(what)?;
        self.part_of(Controller::Freezer).ok_or_else(|| self.no_controller(Controller::Freezer))
    }

    pub(super) fn is_frozen_above(&self, part: &Part) -> Result<bool> {
        if part.version == Version::V1 {
            return Ok(part.dir.read("freezer.parent_freezing")?.trim_ascii() == "1");
        }
        let Some(hierarchy) = self.hierarchies.get(part.hierarchy) else { return Ok(false) };
        let mut above = part.path.parent();
        while let Some(path) = above {
            match hierarchy.part(part.hierarchy, &path)?.dir.read("cgroup.freeze") {
                Ok(asked) if asked.trim_ascii() == "1" => return Ok(true),
                // The real root has no such file.
                Err(error) if !error.is_gone() => return Err(error),
                _ => above = path.parent(),
            }
        }
        Ok(false)
    }
}

impl Part {
    pub(super) fn freeze(&self, deadline: Deadline) -> Result<()> {
        let frozen = match self.version {
            Version::V1 => self.freeze_v1(deadline),
            Version::V2 => self.set_v2("1", deadline, || Ok(())),
        };
        if matches!(frozen, Err(Error::Timeout { .. })) {
            self.ask(false)?;
        }
        frozen
    }

    fn thaw(&self, cgroup: &Cgroup, deadline: Deadline) -> Result<()> {
        let check = || match cgroup.is_frozen_above(self)? {
            true => Err(Error::FrozenAbove { path: self.dir.path().to_owned() }),
            false => Ok(()),
        };
        match self.version {
            Version::V1 => self.thaw_v1(deadline, check),
            Version::V2 => self.set_v2("0", deadline, check),
        }
    }

    /// Asks without waiting.
    pub(super) fn ask(&self, freeze: bool) -> Result<()> {
        match (self.version, freeze) {
            (Version::V1, true) => self.dir.write("freezer.state", "FROZEN"),
            (Version::V1, false) => self.dir.write("freezer.state", "THAWED"),
            (Version::V2, true) => self.dir.write("cgroup.freeze", "1"),
            (Version::V2, false) => self.dir.write("cgroup.freeze", "0"),
        }
    }

    /// Writes, and waits until `cgroup.events` says so.
    fn set_v2(&self, value: &str, deadline: Deadline, check: impl Fn() -> Result<()>) -> Result<()> {
        let events = self.dir.open_file("cgroup.events", OFlags::RDONLY)?;
        self.dir.write("cgroup.freeze", value)?;
        while event(&self.dir.read_again(&events, "cgroup.events")?, "frozen") != (value == "1") {
            check()?;
            if deadline.is_over() {
                return Err(self.late(deadline));
            }
            changed(&events, deadline)?;
        }
        Ok(())
    }

    /// A process that forks, or is about to leave a system call, can keep the kernel at `FREEZING`: so it is asked
    /// again and again, and now and then let go on for a moment.
    fn freeze_v1(&self, deadline: Deadline) -> Result<()> {
        let mut backoff = Backoff::new();
        for attempt in 1_u32.. {
            self.ask(true)?;
            if self.state()? {
                return Ok(());
            }
            if !backoff.pause(deadline) {
                break;
            }
            if attempt % 32 == 0 {
                self.ask(false)?;
            }
        }
        Err(self.late(deadline))
    }

    fn thaw_v1(&self, deadline: Deadline, check: impl Fn() -> Result<()>) -> Result<()> {
        let mut backoff = Backoff::new();
        self.ask(false)?;
        while self.dir.read("freezer.state")?.trim_ascii() != "THAWED" {
            check()?;
            if !backoff.pause(deadline) {
                return Err(self.late(deadline));
            }
        }
        Ok(())
    }

    /// Whether all processes of a v1 cgroup are stopped. The kernel looks when it is asked.
    fn state(&self) -> Result<bool> {
        Ok(self.dir.read("freezer.state")?.trim_ascii() == "FROZEN")
    }

    fn late(&self, deadline: Deadline) -> Error {
        Error::Timeout { what: "freezing or thawing", path: self.path.clone(), after: deadline.after }
    }
}
