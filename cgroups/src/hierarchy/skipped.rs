//! Mounts that cannot be used.

use crate::Errno;
use std::ffi::OsString;
use std::fmt;

/// A mount of a cgroup file system that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Its mount point, or the line of the table that could not be read.
    pub mount: OsString,
    /// Why not.
    pub reason: SkipReason,
}

/// Why a mount is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// The line of the table does not have the form of one.
    #[error("the line cannot be read")]
    Malformed,
    /// Something else is mounted over it, or on the way to it.
    #[error("another mount covers it")]
    Covered,
    /// It could not be opened.
    #[error("open: {0}")]
    Open(Errno),
    /// Its `cgroup.controllers` could not be read.
    #[error("read cgroup.controllers: {0}")]
    Read(Errno),
    /// What is there is not what the table says.
    #[error("no cgroup file system is there")]
    NotCgroup,
    /// A v1 mount whose files have no controller's name in front (`noprefix`, or of the type `cpuset`).
    #[error("its files have no prefix")]
    NoPrefix,
    /// None of its controllers is known, and it has no name.
    #[error("no controller of it is known")]
    Unknown,
    /// The same hierarchy is mounted a second time, and the other one is used.
    #[error("the same hierarchy is mounted elsewhere, too")]
    Second,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mount.display(), self.reason)
    }
}
