//! Removing a cgroup and those in it.

use super::wait::{Backoff, Deadline};
use super::{Cgroup, Part};
use crate::{Error, Hierarchies, Result};
use std::time::Duration;

impl Cgroup {
    /// Removes it, with the cgroups in it, deepest first. It must have no process; see [`Cgroup::kill`].
    ///
    /// As processes that end keep a cgroup busy for a moment, it is tried again until the time is over. What is gone
    /// already counts as removed. A cgroup without others in it takes one system call for each hierarchy.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`] with some of the processes that are left when the time is over; [`Error::Remove`] with
    /// `EBUSY` if something else keeps it, and with `EACCES` or `EPERM` if this process may not; [`Error::Root`] for a
    /// cgroup at a mount point.
    ///
    /// # Privileges
    ///
    /// The right to write to the directory above.
    pub fn remove(&self, timeout: Duration) -> Result<()> {
        self.refuse_root("removed")?;
        let mut busy = Vec::new();
        let mut failed = Ok(());
        for part in &self.parts {
            match self.hierarchies.unlink(part) {
                Err(error) if is_busy(&error) => busy.push(part),
                removed => failed = failed.and(removed),
            }
        }
        // What can be removed is, even if something else cannot.
        let deadline = Deadline::after(timeout);
        busy.into_iter().fold(failed, |failed, part| failed.and(self.hierarchies.remove_tree(part, deadline)))
    }
}

impl Hierarchies {
    /// One attempt.
    fn unlink(&self, part: &Part) -> Result<()> {
        let Some(hierarchy) = self.get(part.hierarchy) else { return Ok(()) };
        match hierarchy.root().unlink(part.path.as_path()) {
            Ok(()) => Ok(()),
            Err(errno) if [libc::ENOENT, libc::ENODEV].contains(&errno.number()) => Ok(()),
            Err(errno) => Err(Error::Remove { path: part.dir.path().to_owned(), errno }),
        }
    }

    fn remove_tree(&self, part: &Part, deadline: Deadline) -> Result<()> {
        let mut backoff = Backoff::new();
        loop {
            self.remove_children(part, deadline)?;
            match self.unlink(part) {
                Err(error) if is_busy(&error) => {
                    if !backoff.pause(deadline) {
                        return Err(not_empty(part, error));
                    }
                }
                done => return done,
            }
        }
    }

    fn remove_children(&self, part: &Part, deadline: Deadline) -> Result<()> {
        let names = match part.dir.subdirectories() {
            Err(error) if error.is_gone() => return Ok(()),
            names => names?,
        };
        for name in names {
            match part.child(&name) {
                Err(error) if error.is_gone() => {}
                child => self.remove_tree(&child?, deadline)?,
            }
        }
        Ok(())
    }
}

fn is_busy(error: &Error) -> bool {
    error.errno().is_some_and(|errno| [libc::EBUSY, libc::ENOTEMPTY].contains(&errno.number()))
}

/// Says which processes keep it, if it is processes.
fn not_empty(part: &Part, error: Error) -> Error {
    const SOME: usize = 8;
    let content = part.dir.read("cgroup.procs").unwrap_or_default();
    let pids: Vec<u32> = content.lines().filter_map(|line| line.parse().ok()).take(SOME).collect();
    if pids.is_empty() { error } else { Error::NotEmpty { path: part.dir.path().to_owned(), pids } }
}
