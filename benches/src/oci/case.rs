//! The cases: the parts of the life of a container.

use super::subjects::{FLOORS, NAMES};
use crate::flags::Cases;

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// A whole life: created, started, ended, deleted.
    Run,
    /// The same without cgroups, for those that can do without.
    #[value(name = "run-no-cgroup")]
    RunNoCgroup,
    /// Until the process of a container waits for its start.
    Create,
    /// From there to its program.
    Start,
    /// From the end of the program until nothing is left.
    Delete,
    /// A further process in a container that runs, and its end.
    Exec,
    /// Fifty lives at once.
    #[value(name = "parallel-50")]
    Parallel,
    /// The memory of a container that waits for its start.
    CreatedMemory,
    /// So many containers that run and do nothing.
    #[value(name = "idle-500")]
    Idle,
}

impl Case {
    /// Its name in the command line and in every output.
    pub fn name(self) -> &'static str {
        match self {
            Case::Run => "run",
            Case::RunNoCgroup => "run-no-cgroup",
            Case::Create => "create",
            Case::Start => "start",
            Case::Delete => "delete",
            Case::Exec => "exec",
            Case::Parallel => "parallel-50",
            Case::CreatedMemory => "created-memory",
            Case::Idle => "idle-500",
        }
    }

    /// How many samples are taken where `asked` were asked for.
    pub(crate) fn samples(self, asked: u32) -> u32 {
        match self {
            Case::Parallel | Case::CreatedMemory => asked.div_ceil(10),
            _ => asked,
        }
    }

    /// Whether a subject takes part: the floors know nothing but whole lives, and some not a container without cgroups.
    pub(crate) fn has(self, subject: &str) -> bool {
        match self {
            Case::Run | Case::Parallel => true,
            Case::RunNoCgroup => !["runc", "youki"].contains(&subject),
            _ => !FLOORS.contains(&subject),
        }
    }
}

impl Cases for Case {
    const SUBJECTS: &'static [&'static str] = &NAMES;

    fn weight(self) -> u32 {
        match self {
            Case::CreatedMemory => 1,
            Case::Run | Case::RunNoCgroup | Case::Create | Case::Start | Case::Delete | Case::Exec => 2,
            Case::Parallel | Case::Idle => 4,
        }
    }
}
