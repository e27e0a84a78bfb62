//! Cgroups that are there already.

use super::{Cgroup, Part};
use crate::{CgroupPath, Error, Hierarchies, Hierarchy, PathFault, Result};
use std::ffi::{OsStr, OsString};

impl Hierarchies {
    /// The cgroups at the mount points of all hierarchies.
    ///
    /// # Errors
    ///
    /// [`Error::Open`].
    pub fn root(&self) -> Result<Cgroup> {
        self.collect(|_| Some(CgroupPath::root()))
    }

    /// The cgroup of this process as it was when the hierarchies were looked at, in each hierarchy where it can be
    /// seen. Its paths can differ from hierarchy to hierarchy.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]; [`Error::OwnOutside`] if all of them are outside of what is mounted.
    pub fn own(&self) -> Result<Cgroup> {
        self.collect(|hierarchy| hierarchy.own().cloned())
    }

    /// The cgroup with this path in each hierarchy that has one.
    ///
    /// # Errors
    ///
    /// [`Error::NoPart`] if no hierarchy has one; [`Error::Open`] if one is there and cannot be opened.
    pub fn open(&self, path: &CgroupPath) -> Result<Cgroup> {
        let parts = self.iter().enumerate().map(|(index, hierarchy)| hierarchy.part(index, path));
        Cgroup::of_those_there(self, parts, path)
    }

    /// Where this process may make cgroups: what [`Hierarchies::delegated`] says, opened.
    ///
    /// # Errors
    ///
    /// As [`Hierarchies::delegated`]; [`Error::NotDelegated`] if that is nothing.
    pub fn base(&self) -> Result<Cgroup> {
        let mut parts = Vec::new();
        for delegation in self.delegated()? {
            if let Some(hierarchy) = self.get(delegation.hierarchy) {
                parts.push(hierarchy.part(delegation.hierarchy, &delegation.path)?);
            }
        }
        if parts.is_empty() {
            return Err(Error::NotDelegated);
        }
        Ok(Cgroup { hierarchies: self.clone(), parts })
    }

    fn collect(&self, path: impl Fn(&Hierarchy) -> Option<CgroupPath>) -> Result<Cgroup> {
        let mut parts = Vec::new();
        for (index, hierarchy) in self.iter().enumerate() {
            if let Some(path) = path(hierarchy) {
                parts.push(hierarchy.part(index, &path)?);
            }
        }
        if parts.is_empty() {
            return Err(Error::OwnOutside);
        }
        Ok(Cgroup { hierarchies: self.clone(), parts })
    }
}

impl Hierarchy {
    pub(super) fn part(&self, index: usize, path: &CgroupPath) -> Result<Part> {
        let dir = self.root().open_below(path.as_path())?;
        Ok(Part { hierarchy: index, version: self.version(), path: path.clone(), dir })
    }
}

impl Part {
    /// The part of a cgroup in this one.
    pub(super) fn child(&self, name: &OsStr) -> Result<Self> {
        let path = self.path.join(name)?;
        let dir = self.dir.open_below(name.as_ref())?;
        Ok(Self { hierarchy: self.hierarchy, version: self.version, path, dir })
    }
}

impl Cgroup {
    /// The cgroup of this name in this one, in each of its hierarchies that has one.
    ///
    /// # Errors
    ///
    /// [`Error::NoPart`] if there is none; [`Error::Open`] if one is there and cannot be opened; [`Error::Path`] for
    /// what is no single name.
    pub fn open(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = one_name(name.as_ref())?;
        let path = self.path().join(name)?;
        Self::of_those_there(&self.hierarchies, self.parts.iter().map(|part| part.child(name)), &path)
    }

    /// The names of the cgroups in it, in order; on several hierarchies those in any of them.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], for a cgroup that is gone, say.
    pub fn children(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        for part in &self.parts {
            names.extend(part.dir.subdirectories()?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn of_those_there(
        hierarchies: &Hierarchies,
        opened: impl Iterator<Item = Result<Part>>,
        path: &CgroupPath,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        for part in opened {
            match part {
                Ok(part) => parts.push(part),
                Err(error) if error.errno().is_some_and(|errno| errno.number() == libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        if parts.is_empty() {
            return Err(Error::NoPart { path: path.clone() });
        }
        Ok(Self { hierarchies: hierarchies.clone(), parts })
    }
}

/// Refuses an empty name, and one with slashes.
pub(super) fn one_name(name: &OsStr) -> Result<&OsStr> {
    let path = CgroupPath::new(name)?;
    if path.name() == Some(name) { Ok(name) } else { Err(PathFault::Name { name: name.to_owned() }.into()) }
}
