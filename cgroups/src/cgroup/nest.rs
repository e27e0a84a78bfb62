//! Where the cgroups of programs belong that this process starts.

use super::{Cgroup, Part};
use crate::dir::Dir;
use crate::{Error, Hierarchies, Hierarchy, Result, Version};
use rustix::fs::{Access, AtFlags, accessat};

impl Hierarchies {
    /// The cgroup in which programs that this process starts can have cgroups of their own.
    ///
    /// On v1 that is the process's own cgroup, so what limits this process limits them too. On v2 a cgroup that holds
    /// processes cannot have limits for the cgroups in it, but for the root of the host, so it is the one above the own
    /// one, if this process may write there: the cgroups of programs are beside its own. What limits the one above limits
    /// them, what is set for the own one alone does not.
    ///
    /// Hierarchies in which this process is outside of what is mounted are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]; [`Error::NotDelegated`] if the process is outside of everything that it can see.
    pub fn nest(&self) -> Result<Cgroup> {
        let mut parts = Vec::new();
        for (index, hierarchy) in self.iter().enumerate() {
            // One without controllers is somebody's own book-keeping.
            if hierarchy.version() == Version::V1 && hierarchy.controllers().is_empty() {
                continue;
            }
            if let Some(own) = hierarchy.own() {
                let own = hierarchy.part(index, own)?;
                parts.push(hierarchy.above(index, &own)?.unwrap_or(own));
            }
        }
        if parts.is_empty() {
            return Err(Error::NotDelegated);
        }
        Ok(Cgroup { hierarchies: self.clone(), parts })
    }
}

impl Hierarchy {
    /// The part above, where children belong beside the own one.
    fn above(&self, index: usize, own: &Part) -> Result<Option<Part>> {
        let Some(above) = own.path.parent().filter(|_| self.version() == Version::V2) else {
            return Ok(None);
        };
        let above = self.part(index, &above)?;
        Ok(is_writable(&above.dir).then_some(above))
    }
}

fn is_writable(dir: &Dir) -> bool {
    accessat(dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}
