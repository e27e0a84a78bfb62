//! The subjects: ways to work with cgroups.
//!
//! A subject is added as one file here with types that implement [`Subject`], [`Group`] and [`Reader`], its name in
//! [`NAMES`], its maker in [`MAKERS`].

mod floor;
mod library;
mod peer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::case::Case;
use super::place::{Hierarchy, Place};
use crate::Error;
use crate::subjects::Skip;

/// All names, in the order of the outputs.
pub(crate) const NAMES: [&str; 3] = ["floor", "cofferdam", "cgroups-rs"];

/// The limits that are set, in bytes, processes and microseconds.
pub(crate) const MEMORY: u64 = 64 << 20;
pub(crate) const PIDS: u64 = 32;
pub(crate) const QUOTA: u64 = 50_000;
pub(crate) const PERIOD: u64 = 100_000;

/// A way to work with cgroups.
pub(crate) trait Subject: fmt::Debug {
    /// Makes a cgroup with the controllers of the case, and with the limits if that is asked.
    fn create(&self, name: &str, limits: Limits) -> Result<Box<dyn Group>, Error>;

    /// The directory below which its cgroups are in a hierarchy.
    fn parent<'a>(&self, hierarchy: &'a Hierarchy) -> &'a Path {
        hierarchy.own()
    }

    /// The directories of a cgroup for these controllers, each once.
    fn directories(&self, place: &Place, name: &str, controllers: &[&str]) -> Result<Vec<PathBuf>, Error> {
        let hierarchies = place.hierarchies(controllers)?;
        Ok(hierarchies.into_iter().map(|hierarchy| self.parent(hierarchy).join(name)).collect())
    }
}

/// Whether limits are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// As the kernel makes it.
    None,
    /// Memory, processes, time.
    Set,
}

/// A cgroup. It stays when dropped.
pub(crate) trait Group: fmt::Debug {
    /// Moves a process into it.
    fn add(&mut self, pid: i32) -> Result<(), Error>;

    /// What reads its statistics again and again.
    fn reader(&self) -> Result<Box<dyn Reader>, Error>;

    /// Kills all its processes, and returns when it has none any more.
    fn kill(&mut self) -> Result<(), Error>;

    /// Removes it.
    fn remove(self: Box<Self>) -> Result<(), Error>;
}

/// Reads the statistics of a cgroup.
pub(crate) trait Reader: fmt::Debug {
    /// Reads them once.
    fn read(&mut self) -> Result<Figures, Error>;
}

/// What was used, in the units of the host's version: what a reader must have found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Processor time: all of it, that in programs, that in the kernel.
    pub(crate) cpu: [u64; 3],
    /// Periods in which it had to wait for the quota.
    pub(crate) throttled: u64,
    /// Memory now, and the most so far.
    pub(crate) memory: [u64; 2],
    /// Of it anonymous memory and files.
    pub(crate) parts: [u64; 2],
    /// Processes and threads: now, the most so far, the limit, refusals.
    pub(crate) pids: [u64; 4],
}

/// Makes a subject ready for a case.
type Make = fn(&Rc<Place>, Case) -> Result<Box<dyn Subject>, Error>;

const MAKERS: [Make; NAMES.len()] = [floor::new, library::new, peer::new];

/// A subject by its name, ready for a case.
pub(crate) fn make(name: &str, place: &Rc<Place>, case: Case) -> Result<Box<dyn Subject>, Skip> {
    let made = NAMES.iter().zip(MAKERS).find(|(known, _)| **known == name);
    let (_, make) = made.ok_or_else(|| Skip::from("no such subject"))?;
    Ok(make(place, case)?)
}
