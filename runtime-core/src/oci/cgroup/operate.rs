//! What is done to the cgroup of a container that runs, and its end.

use std::time::Duration;

use cofferdam_cgroups::{Cgroup, CgroupPath, Error as CgroupError, FreezerState};

use super::ContainerCgroup;
use crate::oci::Result;

impl ContainerCgroup {
    /// The processes of the container, with those in cgroups that it made itself, as the caller's pid namespace numbers
    /// them; none if it has no cgroup or it is gone.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container).
    pub fn processes(&self) -> Result<Vec<u32>> {
        match self.cgroup.as_ref().map(Cgroup::processes_recursive) {
            None => Ok(Vec::new()),
            Some(Err(error)) if error.is_gone() => Ok(Vec::new()),
            Some(processes) => Ok(processes?),
        }
    }

    /// Kills all of its processes, frozen or not, and waits until they have ended; it is not frozen any more then. Nothing
    /// happens if there is no cgroup.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container) with the processes that are left after this time; those sleep
    /// in the kernel, and it can be tried again.
    ///
    /// # Privileges
    /// On v2 the right to write to `cgroup.kill`, on v1 the right to signal each process.
    pub fn kill_all(&self, timeout: Duration) -> Result<()> {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        match cgroup.kill(timeout) {
            Err(error) if error.is_gone() && !cgroup.exists() => Ok(()),
            Err(CgroupError::Timeout { what, path, after }) => {
                let pids = self.processes()?;
                match pids.is_empty() {
                    true => Err(CgroupError::Timeout { what, path, after }.into()),
                    false => {
                        let path = path.as_path().to_owned();
                        Err(CgroupError::NotEmpty { path, pids }.into())
                    }
                }
            }
            killed => {
                killed?;
                self.unfreeze(timeout)
            }
        }
    }

    /// v2 kills what is frozen, and leaves the cgroup so.
    fn unfreeze(&self, timeout: Duration) -> Result<()> {
        if !self.frozen()?.asked {
            return Ok(());
        }
        match self.required()?.thaw(timeout) {
            // Its own part of it is over.
            Err(CgroupError::FrozenAbove { .. }) => Ok(()),
            Err(error) if error.is_gone() => Ok(()),
            thawed => Ok(thawed?),
        }
    }

    /// Ends what is left in it and removes it, with the cgroups in it. Nothing happens if it is gone.
    ///
    /// # Errors
    /// As [`kill_all`](Self::kill_all); [`Error::Container`](crate::oci::Error::Container) if something keeps it.
    ///
    /// # Privileges
    /// As [`kill_all`](Self::kill_all), and the right to write to the directory above.
    pub fn remove(&mut self, timeout: Duration) -> Result<()> {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        // Usually nothing is left, and one attempt is enough.
        if cgroup.remove(Duration::ZERO).is_err() {
            self.kill_all(timeout)?;
            cgroup.remove(timeout)?;
        }
        self.cgroup = None;
        Ok(())
    }

    /// Stops all of its processes; see [`Cgroup::freeze`].
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container), also if there is no cgroup.
    ///
    /// # Privileges
    /// The right to write to `cgroup.freeze` or `freezer.state`.
    pub fn freeze(&self, timeout: Duration) -> Result<()> {
        Ok(self.required()?.freeze(timeout)?)
    }

    /// Lets them go on; see [`Cgroup::thaw`].
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    ///
    /// # Privileges
    /// As [`freeze`](Self::freeze).
    pub fn thaw(&self, timeout: Duration) -> Result<()> {
        Ok(self.required()?.thaw(timeout)?)
    }

    /// Whether its processes are stopped, and by whose wish; not, where there is no cgroup or no freezer.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container).
    pub fn frozen(&self) -> Result<FreezerState> {
        match self.cgroup.as_ref().map(Cgroup::frozen) {
            None | Some(Err(CgroupError::NoController { .. })) => Ok(FreezerState::default()),
            Some(Err(error)) if error.is_gone() => Ok(FreezerState::default()),
            Some(state) => Ok(state?),
        }
    }

    /// The cgroup, for what cannot be done without.
    ///
    /// # Errors
    /// [`Error::Container`](crate::oci::Error::Container) if there is none.
    pub(crate) fn required(&self) -> Result<&Cgroup> {
        let none = || CgroupError::NoPart { path: CgroupPath::root() };
        Ok(self.cgroup.as_ref().ok_or_else(none)?)
    }
}
