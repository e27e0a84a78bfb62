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

    /// What one of a controller's files says, as it is; none where the cgroup has no such file. For what this crate has no
    /// type for.
    ///
    /// # Errors
    ///
    /// [`Error::NoController`] if it has no directory where the controller is; [`Error::Value`] for what is no name of a
    /// file; [`Error::Open`] and [`Error::Read`].
    pub fn control_file(&self, controller: Controller, file: &str) -> Result<Option<String>> {
        if file.is_empty() || file.contains('/') || file.starts_with('.') {
            let expected = "a name such as memory.stat";
            return Err(Error::Value { what: "a control file", value: file.to_owned(), expected });
        }
        let part = self.part_of(controller).ok_or_else(|| self.no_controller(controller))?;
        match part.dir.read(file) {
            Ok(text) => Ok(Some(text)),
            Err(Error::Open { errno, .. }) if errno.number() == libc::ENOENT && self.exists() => Ok(None),
            // The kernel was started without it, and shows the file all the same.
            Err(Error::Read { errno, .. }) if errno.number() == libc::EOPNOTSUPP => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn v2_serves(&self, controller: Controller) -> bool {
        self.part_of(controller).is_some_and(|part| part.version == Version::V2)
    }
}
