//! A cgroup in fewer hierarchies.

use super::{Cgroup, Part};
use crate::dir::Dir;
use crate::stats::duplicate;
use crate::{Controller, Controllers, Error, Result, Version};

impl Cgroup {
    /// The same cgroup in those hierarchies alone that serve one of these controllers.
    ///
    /// On a host with v1 a cgroup has a directory in each hierarchy, and on a hybrid one in the v2 hierarchy too, which
    /// serves to end, freeze and watch it. What is made in the selected one has only directories that its controllers need.
    ///
    /// # Errors
    ///
    /// [`Error::NoPart`] if none serves any of them; [`Error::Call`] if there is no descriptor left.
    pub fn select(&self, controllers: Controllers) -> Result<Self> {
        let mut parts = Vec::new();
        for part in &self.parts {
            let Some(hierarchy) = self.hierarchies.get(part.hierarchy) else { continue };
            let all_of_v2 = part.version == Version::V2 && controllers.iter().any(|c| self.v2_serves(c));
            if all_of_v2 || !hierarchy.controllers().and(controllers).is_empty() {
                let dir = Dir::new(duplicate(&part.dir)?, part.dir.path().to_owned());
                parts.push(Part { dir, path: part.path.clone(), ..*part });
            }
        }
        if parts.is_empty() {
            return Err(Error::NoPart { path: self.path().clone() });
        }
        Ok(Self { hierarchies: self.hierarchies.clone(), parts })
    }

    fn v2_serves(&self, controller: Controller) -> bool {
        self.part_of(controller).is_some_and(|part| part.version == Version::V2)
    }
}
