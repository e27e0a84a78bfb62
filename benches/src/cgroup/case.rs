//! The cases: what is done with a cgroup.

use super::place::Version;
use super::subjects::NAMES;
use crate::flags::Cases;

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// A cgroup is made, limited, removed.
    CreateLimitRemove,
    /// A sleeping process is moved into a cgroup.
    AddProcess,
    /// The statistics of a cgroup are read once.
    Statistics,
    /// All processes of a cgroup are killed.
    #[value(name = "kill-100")]
    Kill,
}

/// How many processes are killed.
pub(crate) const HERD: u32 = 100;
/// How many there are in a cgroup whose statistics are read.
pub(crate) const SLEEPERS: u32 = 4;

impl Case {
    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::CreateLimitRemove => "create-limit-remove",
            Case::AddProcess => "add-process",
            Case::Statistics => "statistics",
            Case::Kill => "kill-100",
        }
    }

    /// How many samples are taken where `asked` were asked for: a hundred processes take long to make.
    pub(crate) fn samples(self, asked: u32) -> u32 {
        if self == Case::Kill { asked.div_ceil(4) } else { asked }
    }

    /// The controllers that the cgroup must have.
    pub(crate) fn controllers(self, version: Version) -> &'static [&'static str] {
        match (self, version) {
            // On v1 the time used is counted by a controller of its own.
            (Case::Statistics, Version::V1) => &["memory", "pids", "cpu", "cpuacct"],
            _ => &["memory", "pids", "cpu"],
        }
    }
}

impl Cases for Case {
    const SUBJECTS: &'static [&'static str] = &NAMES;

    fn weight(self) -> u32 {
        if self == Case::Kill { 3 } else { 1 }
    }
}
