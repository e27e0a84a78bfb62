//! A cgroup in all hierarchies at once, with a path for each of them.

use super::create::Made;
use super::{Cgroup, Part};
use crate::{CgroupPath, Controller, Error, Hierarchies, Hierarchy, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use std::time::Duration;

/// A cgroup that was made or taken over; see [`Hierarchies::place`].
///
/// Dropping it leaves the cgroup as it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Placed {
    /// The cgroup; none where no hierarchy has it, as this process may not make it anywhere.
    pub cgroup: Option<Cgroup>,
    /// Whether some hierarchy had it before.
    pub existed: bool,
    /// Hierarchies in which this process may not make it, by the error in each.
    pub refused: Vec<Error>,
    /// The hierarchies in which it is new.
    made: Vec<usize>,
}

impl Hierarchies {
    /// Makes a cgroup in every hierarchy for which a path is told, named ones without a controller too, and takes it over
    /// where it is there. Cgroups above it that are missing are made; on v2 nothing is enabled, see [`Cgroup::enable`].
    ///
    /// Each directory is [locked](Cgroup::lock) before the next one is made. So of two processes that place the same cgroup
    /// one fails at once, and never removes what the other one has.
    ///
    /// Who lets it be left out where this process may not make it (`partly`) finds the reasons in [`Placed::refused`].
    /// If it fails, what was made is removed again.
    ///
    /// # Errors
    ///
    /// [`Error::Create`] if it cannot be made, [`Error::Open`] if it is there and cannot be opened; [`Error::Root`] for
    /// the path of a root; [`Error::Lock`] with `EAGAIN` if somebody else has it.
    ///
    /// # Privileges
    ///
    /// The right to write to the directory above: root, or the user whom it was delegated to.
    pub fn place(&self, path: impl Fn(&Hierarchy) -> Option<CgroupPath>, partly: bool) -> Result<Placed> {
        let mut made = Made::new(self);
        let mut there: Vec<Part> = Vec::new();
        let mut refused = Vec::new();
        for (index, hierarchy) in self.iter().enumerate() {
            let Some(path) = path(hierarchy) else { continue };
            if path.is_root() {
                return Err(Error::Root { what: "taken", path: hierarchy.mount_point().to_owned() });
            }
            match made.locked(index, hierarchy, &path) {
                Err(error) if partly && is_denied(&error) => refused.push(error),
                part => there.extend(part?),
            }
        }
        let mut parts = made.take();
        let made = parts.iter().map(|part| part.hierarchy).collect();
        let existed = !there.is_empty();
        parts.append(&mut there);
        parts.sort_by_key(|part| part.hierarchy);
        let cgroup = (!parts.is_empty()).then(|| Cgroup { hierarchies: self.clone(), parts });
        Ok(Placed { cgroup, existed, refused, made })
    }

    /// The cgroup that has these paths, in each hierarchy that has it; none if no one has.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if one is there and cannot be opened.
    pub fn at(&self, path: impl Fn(&Hierarchy) -> Option<CgroupPath>) -> Result<Option<Cgroup>> {
        let mut parts = Vec::new();
        for (index, hierarchy) in self.iter().enumerate() {
            let Some(path) = path(hierarchy) else { continue };
            match hierarchy.part(index, &path) {
                Err(error) if super::create::is_missing(&error) => {}
                part => parts.push(part?),
            }
        }
        Ok((!parts.is_empty()).then(|| Cgroup { hierarchies: self.clone(), parts }))
    }
}

impl Made<'_> {
    /// The part that is there already, or none if it was made. Others may make and remove it at the same time.
    fn locked(&mut self, index: usize, hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Option<Part>> {
        const ATTEMPTS: u32 = 16;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match hierarchy.part(index, path) {
                Ok(part) if part.lock()? => return Ok(Some(part)),
                Err(error) if !super::create::is_missing(&error) => return Err(error),
                Ok(_) => {}
                Err(missing) => match self.at(index, hierarchy, path) {
                    Ok(()) if self.keep_if(Part::lock)? => return Ok(None),
                    Err(error) if attempt == ATTEMPTS || !is_raced(&error) => return Err(error),
                    Ok(()) if attempt == ATTEMPTS => return Err(missing),
                    _ => {}
                },
            }
        }
    }
}

impl Part {
    /// Locks it; false if it was removed before.
    fn lock(&self) -> Result<bool> {
        match retry_on_intr(|| flock(&self.dir, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(self.dir.has("cgroup.procs")),
            Err(errno) => Err(Error::Lock { path: self.dir.path().to_owned(), errno: errno.into() }),
        }
    }
}

impl Placed {
    /// Removes what was made, and leaves alone what was there before.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::remove`].
    pub fn undo(&mut self, timeout: Duration) -> Result<()> {
        let Some(Cgroup { hierarchies, parts }) = self.cgroup.take() else { return Ok(()) };
        let parts: Vec<Part> = parts.into_iter().filter(|part| self.made.contains(&part.hierarchy)).collect();
        Cgroup { hierarchies, parts }.remove(timeout)
    }
}

impl Cgroup {
    /// Enables controllers for this cgroup in those above, as [`Cgroup::enable`] does it for the cgroups in this one.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::enable`].
    ///
    /// # Privileges
    ///
    /// As [`Cgroup::enable`], of the cgroup above.
    pub fn enable_here(&self, controllers: impl IntoIterator<Item = Controller>) -> Result<()> {
        let served = |controller: &Controller| self.v1_part_of(*controller).is_none();
        self.enable_in_parent(controllers.into_iter().filter(served).collect())
    }
}

/// Somebody else made it, or removed what is above it, just now.
fn is_raced(error: &Error) -> bool {
    error.errno().is_some_and(|errno| [libc::EEXIST, libc::ENOENT, libc::ENODEV].contains(&errno.number()))
}

fn is_denied(error: &Error) -> bool {
    const DENIED: [i32; 3] = [libc::EACCES, libc::EPERM, libc::EROFS];
    error.errno().is_some_and(|errno| DENIED.contains(&errno.number()))
}
