//! One cgroup: its directory in each hierarchy that it has one in.

mod add;
mod cpuset;
mod create;
mod delegate;
mod enable;
mod freeze;
mod kill;
mod lock;
mod members;
mod nest;
mod open;
mod place;
mod remove;
mod select;
mod wait;

use crate::dir::Dir;
use crate::{CgroupPath, Controller, Error, Hierarchies, Hierarchy, Result, Version};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::LazyLock;

pub use add::MoveFault;
pub use enable::EnableFault;
pub use freeze::FreezerState;
pub use place::Placed;

/// A cgroup, held by descriptors.
///
/// On a v2 host it is one directory; on v1 one for each hierarchy it was made in, and on a hybrid host both. Its
/// path can differ from hierarchy to hierarchy, as that of the process that made it can.
///
/// Dropping it leaves the cgroup as it is: it ends by [`Cgroup::kill`] and [`Cgroup::remove`].
///
/// ```no_run
/// use cofferdam_cgroups::{Controller, Controllers, Hierarchies};
/// use std::time::Duration;
///
/// let base = Hierarchies::discover()?.base()?;
/// let pids = Controllers::from(Controller::Pids);
/// base.enable(pids)?;
/// let job = base.create("job", pids)?;
/// job.add(std::process::id())?;
/// // ... and once it is empty again:
/// job.remove(Duration::from_secs(1))?;
/// # Ok::<(), cofferdam_cgroups::Error>(())
/// ```
#[derive(Debug)]
pub struct Cgroup {
    hierarchies: Hierarchies,
    /// The v2 part first, if there is one. There is at least one part.
    parts: Vec<Part>,
}

/// The directory of a cgroup in one hierarchy.
#[derive(Debug)]
pub(crate) struct Part {
    /// Index of its hierarchy.
    pub(crate) hierarchy: usize,
    pub(crate) version: Version,
    /// Below the hierarchy's mount point.
    pub(crate) path: CgroupPath,
    pub(crate) dir: Dir,
}

impl Cgroup {
    /// Its path below the mount point: in the v2 hierarchy if it has a part there, else in the first of the others.
    pub fn path(&self) -> &CgroupPath {
        static ROOT: LazyLock<CgroupPath> = LazyLock::new(CgroupPath::root);
        self.parts.first().map_or(&ROOT, |part| &part.path)
    }

    /// The hierarchies that it has a directory in, and its path in each; v2 first.
    pub fn paths(&self) -> impl Iterator<Item = (&Hierarchy, &CgroupPath)> {
        self.parts.iter().filter_map(|part| Some((self.hierarchies.get(part.hierarchy)?, &part.path)))
    }

    /// The hierarchies that it was found in.
    pub fn hierarchies(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// Its v2 directory, for `CLONE_INTO_CGROUP` of `clone3(2)`; none on a host with v1 only.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.unified().map(|part| part.dir.as_fd())
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part on v2, if it has one.
    pub(crate) fn unified(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.version == Version::V2)
    }

    /// Where the files of a controller are: in the v1 hierarchy that serves it, else in the v2 part, should v2 have it.
    /// On v2 this does not say that the controller is enabled: its files may be missing.
    pub(crate) fn part_of(&self, controller: Controller) -> Option<&Part> {
        // Accounting, the freezer and device programs are a part of every v2 cgroup, whatever v1 has; what v1 serves
        // otherwise v2 does not have.
        let implicit = matches!(controller, Controller::CpuAcct | Controller::Freezer | Controller::Devices);
        let on_v1 = || {
            self.hierarchies
                .iter()
                .any(|h| h.version() == Version::V1 && h.controllers().contains(controller))
        };
        let on_v2 = || implicit || (controller.name(Version::V2).is_some() && !on_v1());
        self.v1_part_of(controller).or_else(|| self.unified().filter(|_| on_v2()))
    }

    /// The part in the v1 hierarchy that serves a controller.
    pub(crate) fn v1_part_of(&self, controller: Controller) -> Option<&Part> {
        self.parts.iter().find(|part| {
            part.version == Version::V1
                && self.hierarchies.get(part.hierarchy).is_some_and(|h| h.controllers().contains(controller))
        })
    }

    /// Refuses what would be done to all of the host.
    fn refuse_root(&self, what: &'static str) -> Result<()> {
        let root = self.parts.iter().find(|part| part.path.is_root());
        root.map_or(Ok(()), |part| Err(Error::Root { what, path: part.dir.path().to_owned() }))
    }
}

/// Its path.
impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().fmt(f)
    }
}
