//! What is mounted: the hierarchies of this host, as this process sees them.

use crate::dir::Dir;
use crate::{CgroupPath, Controllers, Version};
use std::ffi::OsString;
use std::sync::Arc;

/// One mounted hierarchy.
#[derive(Debug)]
pub struct Hierarchy {
    version: Version,
    /// On v1 those it was mounted with, on v2 those of the root's `cgroup.controllers`.
    controllers: Controllers,
    /// The name of a v1 hierarchy without a controller, such as `systemd`.
    name: Option<OsString>,
    /// The directory where it is mounted.
    root: Dir,
    /// Which cgroup is at the mount point; the root, but for mounts of a part.
    shown: CgroupPath,
    /// Where this process is, below the mount point; none where that is outside of what is shown.
    own: Option<CgroupPath>,
}

impl Hierarchy {
    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The controllers that it serves.
    pub fn controllers(&self) -> Controllers {
        self.controllers
    }
}

/// All hierarchies that this process can see.
#[derive(Clone, Debug)]
pub struct Hierarchies {
    list: Arc<[Hierarchy]>,
}

impl Hierarchies {
    pub(crate) fn get(&self, index: usize) -> Option<&Hierarchy> {
        self.list.get(index)
    }
}
