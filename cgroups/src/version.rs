//! The two interfaces of the kernel.

use std::fmt;

/// The version of a cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// One hierarchy for one or a few controllers each: `cgroup` in the mount table.
    V1,
    /// One hierarchy for all controllers: `cgroup2` in the mount table.
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}
