//! A cgroup in all hierarchies at once, with a path for each of them.

use super::create::Made;
use super::{Cgroup, Part};
use crate::{CgroupPath, Controller, Error, Hierarchies, Hierarchy, Result};
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
    /// Who lets it be left out where this process may not make it (`partly`) finds the reasons in [`Placed::refused`].
    /// If it fails, what was made is removed again.
    ///
    /// # Errors
    ///
    /// [`Error::Create`] if it cannot be made, [`Error::Open`] if it is there and cannot be opened; [`Error::Root`] for
    /// the path of a root.
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
            match hierarchy.part(index, &path) {
                Ok(part) => there.push(part),
                Err(error) if !super::create::is_missing(&error) => return Err(error),
                Err(_) => match made.at(index, hierarchy, &path) {
                    Err(error) if partly && is_denied(&error) => refused.push(error),
                    Err(error) => return Err(error),
                    Ok(()) => {}
                },
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

fn is_denied(error: &Error) -> bool {
    const DENIED: [i32; 3] = [libc::EACCES, libc::EPERM, libc::EROFS];
    error.errno().is_some_and(|errno| DENIED.contains(&errno.number()))
}
