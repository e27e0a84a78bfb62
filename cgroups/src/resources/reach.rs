//! Which controllers a plan can reach in a cgroup.

use super::Resources;
use crate::{Cgroup, Controllers, Result};

impl Cgroup {
    /// The controllers of a plan that this cgroup could have, on either version.
    pub(super) fn reachable(&self, resources: &Resources) -> Controllers {
        resources
            .controllers()
            .iter()
            .filter(|controller| {
                self.part_of(*controller).is_some() && self.hierarchies().hierarchy_of(*controller).is_ok()
            })
            .collect()
    }

    /// Makes controllers of v2 available to this cgroup, in its parent.
    pub(crate) fn enable_in_parent(&self, controllers: Controllers) -> Result<()> {
        let parent = self.unified().and_then(|part| part.path.parent());
        match parent {
            Some(parent) => self.hierarchies().open(&parent)?.enable(controllers),
            // The root has no limits, and nothing above it that could enable them.
            None => Ok(()),
        }
    }

    /// Whether it is still there, in all its hierarchies: one that was removed has no files.
    pub fn exists(&self) -> bool {
        self.parts().iter().all(|part| part.dir.has("cgroup.procs"))
    }
}
