//! What is mounted: the hierarchies of this host, as this process sees them.

mod delegated;
mod discover;
mod kernel;
mod membership;
mod mountinfo;
mod pick;
mod skipped;
mod unavailable;

use crate::dir::Dir;
use crate::{CgroupPath, Controllers, Version};
use kernel::KernelController;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

pub use delegated::Delegation;
pub use membership::Membership;
pub use mountinfo::MountEntry;
pub use skipped::{SkipReason, Skipped};
pub use unavailable::Unavailable;
pub(crate) use unavailable::is_implicit_on_v2;

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
    /// Which cgroup is at the mount point: the root, but for mounts of a part. None where that lies outside of the
    /// cgroup namespace.
    shown: Option<CgroupPath>,
    /// Where this process is, below the mount point; none where that is outside of what is shown.
    own: Option<CgroupPath>,
}

impl Hierarchy {
    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The controllers that it serves: on v1 those it is mounted with, on v2 those that the cgroup at the mount point
    /// has. In a cgroup namespace, and where only a part is mounted, that is what was delegated.
    pub fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// The name of a named v1 hierarchy: `systemd`, mostly.
    pub fn name(&self) -> Option<&OsStr> {
        self.name.as_deref()
    }

    /// Where it is mounted, for messages. This crate uses a descriptor of it.
    pub fn mount_point(&self) -> &Path {
        self.root.path()
    }

    /// Which cgroup is at the mount point, from the root of the cgroup namespace; none if it lies outside of that.
    pub fn shown(&self) -> Option<&CgroupPath> {
        self.shown.as_ref()
    }

    /// Where this process was when the hierarchies were looked at, below the mount point; none if outside of it.
    pub fn own(&self) -> Option<&CgroupPath> {
        self.own.as_ref()
    }

    /// Whether the cgroup at the mount point is the root of the whole hierarchy, which has no limits and may have
    /// both processes and children with controllers. It is not in a cgroup namespace.
    pub fn shows_real_root(&self) -> bool {
        match self.version {
            Version::V1 => self.root.has("cgroup.sane_behavior"),
            Version::V2 => !self.root.has("cgroup.events"),
        }
    }

    /// Whether a line of `/proc/PID/cgroup` is about this one.
    pub(crate) fn is_of(&self, membership: &Membership) -> bool {
        membership.version() == self.version
            && (self.version == Version::V2
                || (membership.controllers == self.controllers && membership.name == self.name))
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }
}

/// What versions are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// v2 alone.
    Unified,
    /// v1 alone.
    Legacy,
    /// Both, with each controller in one of them.
    Hybrid,
}

/// All hierarchies that this process can see.
///
/// A clone is cheap. It is what was there when it was made: mounts that come or go later, and a change of this
/// process's own cgroup, are not noticed.
///
/// ```no_run
/// use cofferdam_cgroups::{Controller, Hierarchies};
///
/// let hierarchies = Hierarchies::discover()?;
/// match hierarchies.hierarchy_of(Controller::Memory) {
///     Ok(hierarchy) => println!("memory: {} at {}", hierarchy.version(), hierarchy.mount_point().display()),
///     Err(reason) => println!("memory: {reason}"),
/// }
/// # Ok::<(), cofferdam_cgroups::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hierarchies {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The v2 one first.
    list: Vec<Hierarchy>,
    skipped: Vec<Skipped>,
    kernel: Vec<KernelController>,
}

impl Hierarchies {
    /// Which versions are mounted. A v1 hierarchy without a controller, such as `name=systemd`, counts.
    pub fn mode(&self) -> Mode {
        let has = |version| self.iter().any(|hierarchy| hierarchy.version == version);
        match (has(Version::V1), has(Version::V2)) {
            (false, _) => Mode::Unified,
            (true, false) => Mode::Legacy,
            (true, true) => Mode::Hybrid,
        }
    }

    /// All of them, the v2 one first.
    pub fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.inner.list.iter()
    }

    /// What the mount table has of cgroups and is not used, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.inner.skipped
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Hierarchy> {
        self.inner.list.get(index)
    }
}
