//! New cgroups.

use super::open::one_name;
use super::{Cgroup, Part};
use crate::{CgroupPath, Controller, Controllers, Error, Hierarchies, Hierarchy, PathFault, Result, Version};
use std::ffi::OsStr;

impl Hierarchies {
    /// Makes a cgroup, and those above it that are missing: in the v2 hierarchy if there is one, and in the v1
    /// hierarchies that serve one of the controllers. On v2 nothing is enabled; see [`Cgroup::enable`].
    ///
    /// A new v1 `cpuset` gets the processors and memory nodes of the one above it, as processes cannot be in it
    /// without. If anything fails, what was made is removed again.
    ///
    /// # Errors
    ///
    /// [`Error::NoController`] for a controller that no hierarchy has; [`Error::NoPart`] on a v1 host without a
    /// controller to choose a hierarchy by; [`Error::Create`] with `EEXIST` if it is there already, with `EACCES` if
    /// this process may not, with `EAGAIN` at `cgroup.max.depth` or `cgroup.max.descendants`.
    ///
    /// # Privileges
    ///
    /// The right to write to the directory above: root, or the user whom it was delegated to.
    pub fn create(&self, path: &CgroupPath, controllers: Controllers) -> Result<Cgroup> {
        if path.is_root() {
            return Err(PathFault::Name { name: Default::default() }.into());
        }
        let wanted = self.wanted(path, controllers)?;
        let mut made = Made::new(self);
        for (index, hierarchy) in self.iter().enumerate().filter(|(index, _)| wanted.contains(index)) {
            made.at(index, hierarchy, path)?;
        }
        made.finish(path)
    }

    /// The indices of the hierarchies for these controllers, the v2 one in any case.
    fn wanted(&self, path: &CgroupPath, controllers: Controllers) -> Result<Vec<usize>> {
        let index = |hierarchy: &Hierarchy| self.iter().position(|other| std::ptr::eq(hierarchy, other));
        let unified = self.iter().position(|hierarchy| hierarchy.version() == Version::V2);
        let mut wanted = Vec::from_iter(unified);
        for controller in controllers.iter() {
            let hierarchy = self.hierarchy_of(controller).map_err(|reason| Error::NoController {
                controller,
                path: path.clone(),
                reason: reason.to_string(),
            })?;
            wanted.extend(index(hierarchy));
        }
        Ok(wanted)
    }
}

impl Cgroup {
    /// Makes a cgroup in this one: in the v2 hierarchy if this one is there, and in the v1 hierarchies that serve one
    /// of the controllers. Otherwise as [`Hierarchies::create`].
    ///
    /// # Errors
    ///
    /// As [`Hierarchies::create`]; [`Error::NoController`] also if this cgroup has no directory in the v1 hierarchy of
    /// a controller; [`Error::Path`] for what is no single name.
    ///
    /// # Privileges
    ///
    /// The right to write to the directory: root, or the user whom it was delegated to.
    pub fn create(&self, name: impl AsRef<OsStr>, controllers: Controllers) -> Result<Self> {
        let name = one_name(name.as_ref())?;
        let wanted = self.hierarchies.wanted(self.path(), controllers)?;
        self.refuse_missing(&wanted, controllers)?;
        let mut made = Made::new(&self.hierarchies);
        for part in self.parts.iter().filter(|part| wanted.contains(&part.hierarchy)) {
            made.child(part, name)?;
        }
        made.finish(self.path())
    }

    /// A v1 controller needs a directory of this cgroup in its hierarchy.
    fn refuse_missing(&self, wanted: &[usize], controllers: Controllers) -> Result<()> {
        let there = |index: &usize| self.parts.iter().any(|part| part.hierarchy == *index);
        for missing in wanted.iter().filter(|index| !there(index)) {
            let served = self.hierarchies.get(*missing).map(Hierarchy::controllers).unwrap_or_default();
            if let Some(controller) = controllers.iter().find(|controller| served.contains(*controller)) {
                return Err(self.no_controller(controller));
            }
        }
        Ok(())
    }
}

/// What was made so far, removed again unless it is finished.
pub(super) struct Made<'a> {
    hierarchies: &'a Hierarchies,
    parts: Vec<Part>,
    /// Cgroups above that had to be made.
    above: Vec<Part>,
}

impl<'a> Made<'a> {
    pub(super) fn new(hierarchies: &'a Hierarchies) -> Self {
        Self { hierarchies, parts: Vec::new(), above: Vec::new() }
    }

    /// Makes the cgroup of a path, and what is missing above it.
    pub(super) fn at(&mut self, index: usize, hierarchy: &Hierarchy, path: &CgroupPath) -> Result<()> {
        let above = self.parents(index, hierarchy, path)?;
        self.child(&above, path.name().unwrap_or_default())
    }

    /// Keeps what was made last if it passes; otherwise it is somebody else's, and is not removed. So it is if somebody has its
    /// lock; any other error leaves it to be removed.
    pub(super) fn keep_if(&mut self, check: impl FnOnce(&Part) -> Result<bool>) -> Result<bool> {
        let Some(part) = self.parts.pop() else { return Ok(false) };
        let keep = check(&part);
        let others = match &keep {
            Ok(keep) => !keep,
            Err(error) => error.errno().is_some_and(|errno| errno.number() == libc::EAGAIN),
        };
        if !others {
            self.parts.push(part);
        }
        keep
    }

    /// What was made stays.
    pub(super) fn take(mut self) -> Vec<Part> {
        self.above.clear();
        std::mem::take(&mut self.parts)
    }

    fn child(&mut self, above: &Part, name: &OsStr) -> Result<()> {
        self.parts.push(above.make(name)?);
        self.prepare(above, self.parts.last())
    }

    /// Opens the cgroup above a path, making what is missing.
    fn parents(&mut self, index: usize, hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Part> {
        let parent = path.parent().unwrap_or_default();
        match hierarchy.part(index, &parent) {
            Err(error) if is_missing(&error) => {}
            opened => return opened,
        }
        let mut above = hierarchy.part(index, &CgroupPath::root())?;
        for name in parent.as_path() {
            above = match above.child(name) {
                Err(error) if is_missing(&error) => self.parent(&above, name)?,
                opened => opened?,
            };
        }
        Ok(above)
    }

    fn parent(&mut self, above: &Part, name: &OsStr) -> Result<Part> {
        match above.make(name) {
            // Somebody else made it just now.
            Err(Error::Create { errno, .. }) if errno.number() == libc::EEXIST => return above.child(name),
            made => self.above.push(made?),
        }
        self.prepare(above, self.above.last())?;
        above.child(name)
    }

    /// Makes a new v1 cpuset usable.
    fn prepare(&self, above: &Part, made: Option<&Part>) -> Result<()> {
        let Some(made) = made.filter(|made| made.version == Version::V1) else { return Ok(()) };
        let Some(hierarchy) = self.hierarchies.get(made.hierarchy) else { return Ok(()) };
        if hierarchy.controllers().contains(Controller::CpuSet) {
            super::cpuset::inherit(hierarchy, above, made)?;
        }
        Ok(())
    }

    fn finish(self, path: &CgroupPath) -> Result<Cgroup> {
        if self.parts.is_empty() {
            return Err(Error::NoPart { path: path.clone() });
        }
        Ok(Cgroup { hierarchies: self.hierarchies.clone(), parts: self.take() })
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        for part in self.parts.iter().chain(self.above.iter().rev()) {
            // The error that is told is the one that led here. What somebody else uses meanwhile stays.
            if let Some(hierarchy) = self.hierarchies.get(part.hierarchy) {
                hierarchy.root().unlink(part.path.as_path()).unwrap_or(());
            }
        }
    }
}

impl Part {
    fn make(&self, name: &OsStr) -> Result<Self> {
        let path = self.path.join(name)?;
        let dir = self.dir.make(name)?;
        Ok(Self { hierarchy: self.hierarchy, version: self.version, path, dir })
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    error.errno().is_some_and(|errno| errno.number() == libc::ENOENT)
}
