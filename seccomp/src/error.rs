//! The one error type of the crate.

use std::io;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a profile, or which operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name of an architecture that there is no table for.
    #[error("architecture {name} is not supported")]
    Architecture {
        /// The name.
        name: String,
    },
    /// The architectures of one filter differ in the order of bytes: no machine has both.
    #[error("{first} and {other} differ in the order of bytes and cannot be in one filter")]
    ByteOrder {
        /// The first architecture of the profile.
        first: crate::Architecture,
        /// One that does not fit.
        other: crate::Architecture,
    },
    /// An errno, or a number for a tracer, that the kernel could not hand over.
    #[error("{path}: {errno} is above {highest}")]
    Errno {
        /// Where in the profile.
        path: String,
        /// The number.
        errno: u32,
        /// The highest that there can be.
        highest: u16,
    },
    /// An errno with an action that hands over none.
    #[error("{path}: {action} takes no errno")]
    ErrnoUnused {
        /// Where in the profile.
        path: String,
        /// The action.
        action: String,
    },
    /// An argument that no call has.
    #[error("{path}: {index} is above 5, the last argument")]
    ArgumentIndex {
        /// Where in the profile.
        path: String,
        /// The number of the argument.
        index: usize,
    },
    /// A rule for no call at all.
    #[error("{path}: at least one name is needed")]
    NoNames {
        /// Where in the profile.
        path: String,
    },
    /// The filter is longer than the kernel takes.
    #[error("the filter has {instructions} instructions, the kernel takes 4096")]
    TooLong {
        /// How many there are.
        instructions: usize,
    },
    /// The filter is for other architectures than that of this program.
    #[error("the filter is not for {native}: it would kill this program")]
    Foreign {
        /// The architecture of this program.
        native: crate::Architecture,
    },
    /// A call that was to be decided waits no more: it was interrupted, or its process killed.
    #[error("notification {id}: the call waits no more")]
    Gone {
        /// The number of the notification.
        id: u64,
    },
    /// A call into the kernel failed.
    #[error("{call}: {source}")]
    Call {
        /// What was called.
        call: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The thread with this number cannot get the filter, as it has others than the thread that installs it.
    #[error("seccomp: thread {thread} has other filters")]
    Synchronize {
        /// Its number.
        thread: i64,
    },
}

impl Error {
    /// Where in the profile a wrong value stands, below `linux.seccomp` of the OCI runtime-spec: `syscalls[3].errnoRet`.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Errno { path, .. }
            | Self::ErrnoUnused { path, .. }
            | Self::ArgumentIndex { path, .. }
            | Self::NoNames { path } => Some(path),
            Self::Architecture { .. } | Self::ByteOrder { .. } => Some("architectures"),
            _ => None,
        }
    }
}
