//! Applying a plan: the public functions.

use super::execution::Execution;
use super::journal::Journal;
use super::{Outcome, Resources};
use crate::{Cgroup, Error, Result};
use std::ffi::OsStr;
use std::time::Duration;

impl Cgroup {
    /// Applies a plan to this cgroup, as a whole: where a setting that must be had fails, the values that were there
    /// before are written back.
    ///
    /// On v2 a controller is enabled for this cgroup, in its parent's `cgroup.subtree_control`, if its files are missing;
    /// that is not taken back.
    ///
    /// # Errors
    ///
    /// What no kernel takes, before anything is written. A control file that refuses its value. For settings that must be
    /// had, also what is not there. [`Error::NotRestored`] should it be impossible to write back an earlier value.
    ///
    /// # Privileges
    ///
    /// Those of the files: an owner for what is delegated, else root. Rules of devices on v2 need `CAP_BPF` and
    /// `CAP_NET_ADMIN`, or `CAP_SYS_ADMIN`, of the host.
    pub fn apply(&self, resources: &Resources) -> Result<Outcome> {
        resources.validate()?;
        super::check::check_usage(self, resources)?;
        let mut execution = Execution::new(self, resources, Some(Journal::default()));
        match execution.run() {
            Ok(()) => Ok(execution.into_outcome()),
            Err(cause) => match execution.restore() {
                failed if failed.is_empty() => Err(cause),
                failed => Err(Error::NotRestored { cause: Box::new(cause), failed }),
            },
        }
    }

    /// Applies a plan to a cgroup that is of no use if that fails: nothing is noted of what was there, which saves half of
    /// the system calls, and so nothing can be written back. The caller removes it then, as [`Cgroup::create_with`] does.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::apply`].
    ///
    /// # Privileges
    ///
    /// As [`Cgroup::apply`].
    pub fn apply_to_new(&self, resources: &Resources) -> Result<Outcome> {
        resources.validate()?;
        let mut execution = Execution::new(self, resources, None);
        execution.run()?;
        Ok(execution.into_outcome())
    }

    /// Makes a cgroup below this one and applies a plan to it; on failure nothing is left of it.
    ///
    /// It has a part in the v2 hierarchy, if there is one, and in the v1 hierarchies of the plan's controllers.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::create`] and [`Cgroup::apply`].
    ///
    /// # Privileges
    ///
    /// As [`Cgroup::apply`].
    pub fn create_with(&self, name: impl AsRef<OsStr>, resources: &Resources) -> Result<(Cgroup, Outcome)> {
        resources.validate()?;
        let cgroup = self.create(name, self.reachable(resources))?;
        match cgroup.apply_to_new(resources) {
            Ok(outcome) => Ok((cgroup, outcome)),
            Err(cause) => match cgroup.remove(Duration::from_secs(1)) {
                Ok(()) => Err(cause),
                Err(failed) => Err(Error::NotRestored { cause: Box::new(cause), failed: vec![failed] }),
            },
        }
    }
}
