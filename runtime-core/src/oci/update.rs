//! Other limits for a container that runs.

use oci_spec::runtime::{Linux, LinuxIntelRdt, LinuxResources};

use super::state::{Entry, Lock, Record, Staged};
use super::{Container, Error, Result, Status};

impl Container {
    /// Changes what the container may use. What is absent stays as it is.
    ///
    /// # Errors
    /// If something cannot be applied or kept: then nothing has changed. Or if it has no cgroup.
    pub fn update(&mut self, resources: &LinuxResources) -> Result<()> {
        let lock = self.entry.as_ref().map(Entry::lock).transpose()?;
        self.refresh()?;
        if self.living()?.is_none() {
            return Err(self.not_running(Status::Stopped));
        }
        let (cgroup, mut record) = (self.cgroup()?, self.record.clone());
        let mut linux = record.config.linux().clone().unwrap_or_default();
        let current = linux.resources().clone().unwrap_or_default();
        let mut staged = None;
        cgroup.update_announced(&current, resources, |changed| {
            linux.set_resources(Some(changed.clone()));
            staged = self.stage(&mut record, linux, lock.as_ref())?;
            Ok(())
        })?;
        staged.map_or(Ok(()), Staged::commit)?;
        self.record = record;
        Ok(())
    }

    /// Changes what its group of resctrl may use, for `update --l3-cache-schema` and `--mem-bw-schema`. What is absent stays
    /// as it is.
    ///
    /// # Errors
    /// [`Error::Config`] with what the kernel refuses; [`Error::Unsupported`] if it has no group.
    pub fn update_rdt(&mut self, change: &LinuxIntelRdt) -> Result<()> {
        let lock = self.entry.as_ref().map(Entry::lock).transpose()?;
        self.refresh()?;
        let none =
            || Error::Unsupported { what: "changing the group of a container without intelRdt".into() };
        let (group, mut record) = (self.group()?.ok_or_else(none)?, self.record.clone());
        let mut linux = record.config.linux().clone().unwrap_or_default();
        let mut rdt = linux.intel_rdt().clone().unwrap_or_default();
        if change.l3_cache_schema().is_some() {
            rdt.set_l3_cache_schema(change.l3_cache_schema().clone());
        }
        if change.mem_bw_schema().is_some() {
            rdt.set_mem_bw_schema(change.mem_bw_schema().clone());
        }
        if change.schemata().is_some() {
            rdt.set_schemata(change.schemata().clone());
        }
        linux.set_intel_rdt(Some(rdt));
        let staged = self.stage(&mut record, linux, lock.as_ref())?;
        group.update(change)?;
        staged.map_or(Ok(()), Staged::commit)?;
        self.record = record;
        Ok(())
    }

    /// Writes down what is about to hold, so that a full disk is noticed before anything has changed.
    fn stage(&self, record: &mut Record, linux: Linux, lock: Option<&Lock>) -> Result<Option<Staged<'_>>> {
        record.config.set_linux(Some(linux));
        let entry = self.entry.as_ref().zip(lock);
        entry.map(|(entry, lock)| entry.stage(record, lock)).transpose()
    }
}
