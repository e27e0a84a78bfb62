//! What can go wrong, with the operands.

use std::io;

use crate::{Errno, ExitStatus};

/// A failed operation of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan or value that cannot be carried out, found before anything happened.
    #[error("{what} {value:?} {reason}")]
    Invalid {
        /// What kind of thing it is.
        what: &'static str,
        /// The value.
        value: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// The process could not be created.
    #[error("start a process in new namespaces ({namespaces}): {call}: {errno}")]
    Clone {
        /// The new namespaces.
        namespaces: String,
        /// The call that failed.
        call: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The kernel, or a filter around this process, has no such call.
    #[error("this system does not offer {feature} (in Linux since {since}): {errno}")]
    Unsupported {
        /// What is missing.
        feature: &'static str,
        /// The kernel that brought it.
        since: &'static str,
        /// What the call answered.
        errno: Errno,
    },
    /// The init could not carry out a step of the plan.
    #[error("{step}: {errno}{}", .call.map(|call| format!(", by {call}")).unwrap_or_default())]
    Step {
        /// Its index in [`Plan::steps`](crate::Plan::steps), after which those of [`Plan::last`](crate::Plan::last) are
        /// counted; `None` for what belongs to no step.
        index: Option<usize>,
        /// The step in words.
        step: String,
        /// The system call, where the step has several.
        call: Option<&'static str>,
        /// Why.
        errno: Errno,
    },
    /// The program could not be executed. [`Error::kind`] is `NotFound` or `PermissionDenied` as it is from
    /// `std::process::Command`.
    #[error("execute {program}: {errno}")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        errno: Errno,
    },
    /// The sealed init could not be put in place.
    #[error("prepare the sealed init: {call}: {errno}{}", .hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    Init {
        /// The call that failed.
        call: &'static str,
        /// Why.
        errno: Errno,
        /// The host's setting that forbids it, where known.
        hint: Option<&'static str>,
    },
    /// The process ended before it became the program, without saying why.
    #[error("the process ended before it became the program: {0}")]
    Died(ExitStatus),
    /// The process that was to be [resumed](crate::resume) ended before it became the program, without saying why. How it
    /// ended is for its parent to know.
    #[error("process {pid} ended before it became the program")]
    Gone {
        /// The process.
        pid: u32,
    },
    /// The caller's part of a meeting failed.
    #[error("meet the new process ({point})")]
    Rendezvous {
        /// Which meeting.
        point: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call of this process failed.
    #[error("{call}: {errno}")]
    Call {
        /// Which.
        call: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The exit status is lost: another part of this program reaped the child or ignores `SIGCHLD`, and the
    /// kernel is older than 6.15, which tells it by the pidfd.
    #[error("the exit status of process {pid} was taken by another part of this program")]
    StatusLost {
        /// The process.
        pid: u32,
    },
}

impl Error {
    pub(crate) fn call(call: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Call { call, errno: errno.into() }
    }

    /// The kernel's error number, where one was the reason.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Clone { errno, .. }
            | Self::Unsupported { errno, .. }
            | Self::Step { errno, .. }
            | Self::Exec { errno, .. }
            | Self::Init { errno, .. }
            | Self::Call { errno, .. } => Some(*errno),
            Self::Invalid { .. }
            | Self::Died(_)
            | Self::Gone { .. }
            | Self::Rendezvous { .. }
            | Self::StatusLost { .. } => None,
        }
    }

    /// The kind that `std::process::Command` would give.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Invalid { .. } => io::ErrorKind::InvalidInput,
            Self::Rendezvous { source, .. } => {
                source.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind)
            }
            _ => self.errno().map_or(io::ErrorKind::Other, Errno::kind),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}
