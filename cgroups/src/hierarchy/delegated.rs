//! Which cgroups this process may make cgroups in.

use super::{Hierarchies, Hierarchy};
use crate::dir::Dir;
use crate::{CgroupPath, Controllers, Result, Version};
use rustix::fs::{Access, AtFlags, accessat};
use std::path::PathBuf;

/// The topmost cgroup of a hierarchy in which this process may make cgroups and distribute processes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delegation {
    /// The version of the hierarchy.
    pub version: Version,
    /// Where the hierarchy is mounted, which tells one v1 hierarchy from another.
    pub mount_point: PathBuf,
    /// The cgroup, below the mount point.
    pub path: CgroupPath,
    /// The controllers that it has: on v1 those of the hierarchy, on v2 those of its `cgroup.controllers`.
    pub controllers: Controllers,
    /// Whether it has processes of its own. On v2 it can then not pass controllers on to cgroups in it, but for the
    /// real root.
    pub has_processes: bool,
    /// Whether it is the real root of the hierarchy.
    pub is_real_root: bool,
    pub(crate) hierarchy: usize,
}

impl Hierarchies {
    /// What this process may use, at most one cgroup for each hierarchy; none where nothing is delegated.
    ///
    /// From the own cgroup of the process it goes upwards as long as the kernel would let it write: to the directory,
    /// to `cgroup.procs` and, on v2, to `cgroup.subtree_control`. For root that ends at the mount point, which in a
    /// cgroup namespace is the root of that. A process whose own cgroup is not below the mount point begins there.
    ///
    /// # Errors
    ///
    /// [`Error::Open`](crate::Error::Open) if the own cgroup cannot be looked at; [`Error::Read`](crate::Error::Read)
    /// for the files of what was found.
    pub fn delegated(&self) -> Result<Vec<Delegation>> {
        let mut found = Vec::new();
        for (index, hierarchy) in self.iter().enumerate() {
            if let Some((path, dir)) = hierarchy.topmost_writable()? {
                found.push(hierarchy.delegation(index, path, &dir)?);
            }
        }
        Ok(found)
    }
}

impl Hierarchy {
    fn topmost_writable(&self) -> Result<Option<(CgroupPath, Dir)>> {
        let mut next = Some(self.own.clone().unwrap_or_default());
        let mut topmost = None;
        while let Some(path) = next {
            let dir = self.root.open_below(path.as_path())?;
            if !is_writable(&dir, self.version) {
                break;
            }
            next = path.parent();
            topmost = Some((path, dir));
        }
        Ok(topmost)
    }

    fn delegation(&self, hierarchy: usize, path: CgroupPath, dir: &Dir) -> Result<Delegation> {
        let controllers = match self.version {
            Version::V1 => self.controllers,
            Version::V2 => Controllers::parse(&dir.read("cgroup.controllers")?, Version::V2),
        };
        Ok(Delegation {
            version: self.version,
            mount_point: self.root.path().to_owned(),
            controllers,
            has_processes: !dir.read("cgroup.procs")?.trim_ascii().is_empty(),
            is_real_root: path.is_root() && self.shows_real_root(),
            path,
            hierarchy,
        })
    }
}

/// Whether this process could make cgroups in a directory, and move processes there. On a read-only mount it could not.
fn is_writable(dir: &Dir, version: Version) -> bool {
    let may = |file: &str, access| accessat(dir, file, access, AtFlags::EACCESS).is_ok();
    may(".", Access::WRITE_OK | Access::EXEC_OK)
        && may("cgroup.procs", Access::WRITE_OK)
        && (version == Version::V1 || may("cgroup.subtree_control", Access::WRITE_OK))
}
