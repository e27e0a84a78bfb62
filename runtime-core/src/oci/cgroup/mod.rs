//! The cgroup of a container: `linux.cgroupsPath` and `linux.resources`.
//!
//! [`ContainerCgroup::create`] makes it before the process exists, in all hierarchies at once, with all of its limits. What
//! a later process needs to find it again is a plain [`CgroupRecord`]. See config-linux.md of the runtime-spec, "Control
//! groups".

mod create;
mod operate;
mod ownership;
mod place;
mod record;
mod resources;
mod sub;
mod update;

pub use record::CgroupRecord;

use std::os::fd::{BorrowedFd, OwnedFd};

use cofferdam_cgroups::{Cgroup, Hierarchies, Outcome, Version};

use super::Result;
use super::plan::{CgroupHierarchy, CgroupView};
use crate::cgroup::Shape;

/// The cgroup of one container, in every hierarchy that is mounted.
///
/// Dropping it leaves the cgroup as it is. As long as the value lives that made it, nobody else makes a container in
/// the same cgroup.
#[derive(Debug)]
pub struct ContainerCgroup {
    /// None where nothing is mounted.
    hierarchies: Option<Hierarchies>,
    /// None if the container has none, or it is gone.
    cgroup: Option<Cgroup>,
    existed: bool,
    outcome: Outcome,
}

impl ContainerCgroup {
    /// Which limits hold and which were left out, and why; empty unless it was made by this value.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Whether it was there before the container; it is removed with the container all the same.
    pub fn existed(&self) -> bool {
        self.existed
    }

    /// The cgroup; none if the container has none of its own, or it is gone.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// The same, without what is about the container.
    pub fn into_cgroup(self) -> Option<Cgroup> {
        self.cgroup
    }

    /// Its v2 directory, for `CLONE_INTO_CGROUP`; none without v2.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref()?.fd()
    }

    /// The v1 files by which a process moves itself there, in the order that a plan expects.
    ///
    /// # Errors
    /// [`Error::Container`](super::Error::Container) if one cannot be opened.
    ///
    /// # Privileges
    /// The right to write to them.
    pub fn task_files(&self) -> Result<Vec<OwnedFd>> {
        Ok(self.cgroup.as_ref().map_or_else(|| Ok(Vec::new()), Cgroup::task_files)?)
    }

    /// How a process gets there.
    pub(crate) fn shape(&self) -> Shape {
        let Some(cgroup) = &self.cgroup else { return Shape::default() };
        let v1 = cgroup.paths().filter(|(hierarchy, _)| hierarchy.version() == Version::V1);
        Shape { unified: cgroup.fd().is_some(), tasks: v1.count() }
    }

    /// What a plan has to know of it. In a hierarchy where the container has none, its place is the caller's.
    pub(crate) fn view(&self) -> CgroupView {
        let own = |mount_point| {
            let mut paths = self.cgroup.iter().flat_map(Cgroup::paths);
            paths.find(|(other, _)| other.mount_point() == mount_point).map(|(_, path)| path)
        };
        let mut hierarchies = Vec::new();
        for hierarchy in self.hierarchies.iter().flat_map(Hierarchies::iter) {
            let mount_point = hierarchy.mount_point();
            // One that neither the container nor the caller is seen in has no part that could be shown.
            let Some(path) = own(mount_point).or(hierarchy.own()) else { continue };
            hierarchies.push(CgroupHierarchy {
                mount_point: mount_point.to_owned(),
                directory: mount_point.join(path.as_path()),
                v1_options: (hierarchy.version() == Version::V1).then(|| record::key(hierarchy)),
            });
        }
        CgroupView { shape: self.shape(), hierarchies }
    }
}
