//! A plan of settings, how it is applied, and what came of it.

mod apply;
mod check;
mod execution;
mod journal;
mod operation;
mod outcome;
mod reach;

pub use outcome::{Applied, LeftOut, Outcome, Written};

pub(crate) use operation::{Operation, Operations, Write, microseconds, or_minus_one};

use crate::{Controller, Controllers, Result, Setting};

/// What v1 prints for no limit of memory: the largest number of bytes in whole pages, of whatever size.
pub(crate) const UNLIMITED_V1: u64 = i64::MAX as u64 - 0xffff;

/// What a setting that cannot be had means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// An error, and nothing is applied at all.
    #[default]
    Must,
    /// It is left out, and the [`Outcome`] says why.
    ///
    /// That is so for a controller that is not there or may not be used, and for what a version or a kernel does not have.
    /// A value that is out of range, or that the kernel refuses, is an error all the same.
    IfAvailable,
}

/// A plan of settings for a cgroup: a plain value, without a live resource in it.
///
/// ```
/// use cofferdam_cgroups::{Cpu, Limit, Memory, Resources, Setting};
///
/// let resources = Resources::new()
///     .must(Memory::max(64 << 20))
///     .must(Setting::Pids(Limit::Value(32)))
///     .if_available(Cpu::cpus(0.5));
/// let lines: Vec<_> = resources.settings().map(Setting::to_string).collect();
/// assert_eq!(lines, ["memory.max 67108864", "pids.max 32", "cpu.max 50000 100000"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    entries: Vec<(Setting, Require)>,
    check_before_update: bool,
}

impl Resources {
    /// No setting.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), check_before_update: false }
    }

    /// This plan and one more setting, which replaces an earlier one of the same subject.
    #[must_use]
    pub fn with(mut self, setting: impl Into<Setting>, require: Require) -> Self {
        let setting = setting.into();
        let subject = setting.subject();
        self.entries.retain(|(earlier, _)| earlier.subject() != subject);
        self.entries.push((setting, require));
        self
    }

    /// This plan and one more setting that must be had.
    #[must_use]
    pub fn must(self, setting: impl Into<Setting>) -> Self {
        self.with(setting, Require::Must)
    }

    /// This plan and one more setting that is left out where it cannot be had.
    #[must_use]
    pub fn if_available(self, setting: impl Into<Setting>) -> Self {
        self.with(setting, Require::IfAvailable)
    }

    /// Refuses a new limit of memory that is below what is used, before anything is written; otherwise the kernel would
    /// reclaim, and kill. `checkBeforeUpdate` of the OCI runtime-spec.
    #[must_use]
    pub fn check_before_update(mut self, check: bool) -> Self {
        self.check_before_update = check;
        self
    }

    /// The settings, in the order in which they are applied, but for devices, which come last.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.entries.iter().map(|(setting, _)| setting)
    }

    /// Settings and what each means when it cannot be had.
    pub fn entries(&self) -> impl Iterator<Item = (&Setting, Require)> {
        self.entries.iter().map(|(setting, require)| (setting, *require))
    }

    /// Whether there is no setting.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The controllers that have these settings.
    pub fn controllers(&self) -> Controllers {
        self.settings().filter_map(Setting::controller).collect()
    }

    /// Whether a controller has one of the settings that must be had.
    pub fn requires(&self, controller: Controller) -> bool {
        self.entries()
            .any(|(setting, require)| require == Require::Must && setting.controller() == Some(controller))
    }

    /// Checks all values alone, without looking at the system.
    ///
    /// # Errors
    ///
    /// [`Error::Value`](crate::Error::Value) for the first that no kernel takes.
    pub fn validate(&self) -> Result<()> {
        self.settings().try_for_each(Setting::validate)
    }

    pub(crate) fn checks_before_update(&self) -> bool {
        self.check_before_update
    }
}
