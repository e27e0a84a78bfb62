//! One cgroup: its directory in each hierarchy that it has one in.

use crate::dir::Dir;
use crate::{CgroupPath, Controller, Hierarchies, Version};

/// A cgroup, held by descriptors.
///
/// On a v2 host it is one directory; on v1 one for each hierarchy it was made in, and on a hybrid host both. Its
/// path can differ from hierarchy to hierarchy, as that of the process that made it can.
#[derive(Debug)]
pub struct Cgroup {
    hierarchies: Hierarchies,
    /// The v2 part first, if there is one.
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
    /// The part on v2, if it has one.
    pub(crate) fn unified(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.version == Version::V2)
    }

    /// Where the files of a controller are: in the v1 hierarchy that serves it, else in the v2 part, should v2 know
    /// it at all. On v2 this does not say that the controller is enabled: its files may be missing.
    pub(crate) fn part_of(&self, controller: Controller) -> Option<&Part> {
        let serves = |part: &&Part| {
            part.version == Version::V1
                && self.hierarchies.get(part.hierarchy).is_some_and(|h| h.controllers().contains(controller))
        };
        // Accounting, the freezer and device programs are a part of every v2 cgroup.
        let on_v2 = controller.name(Version::V2).is_some()
            || matches!(controller, Controller::CpuAcct | Controller::Freezer | Controller::Devices);
        self.parts.iter().find(serves).or_else(|| self.unified().filter(|_| on_v2))
    }
}
