//! The two families of reasons that concern id maps: wrong in itself, and not permitted to this caller.

use crate::IdRange;

/// What is wrong with an id map, by the rules of `user_namespaces(7)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapFault {
    /// There is no range. The kernel's file is also empty until it has been written.
    #[error("no range")]
    Empty,
    /// The count of a range is zero.
    #[error("the range \"{0}\" has a count of zero")]
    ZeroCount(IdRange),
    /// A range reaches 4294967295, which stands for "no id", or beyond.
    #[error("the range \"{0}\" reaches the id 4294967295 or beyond")]
    TooHigh(IdRange),
    /// Two ranges share an id inside.
    #[error("the ranges \"{0}\" and \"{1}\" overlap inside")]
    OverlapInside(IdRange, IdRange),
    /// Two ranges share an id outside.
    #[error("the ranges \"{0}\" and \"{1}\" overlap outside")]
    OverlapOutside(IdRange, IdRange),
    /// The kernel takes at most 340 ranges (5 before Linux 4.15).
    #[error("{0} ranges are more than the 340 that the kernel takes")]
    TooManyRanges(usize),
    /// The kernel takes less than a page by one write.
    #[error("{bytes} bytes of text are not below the page size of {page}")]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The page size.
        page: usize,
    },
    /// The ids outside are not all known to the map above.
    #[error("the range \"{0}\" is not covered by the map above")]
    NotCovered(IdRange),
    /// A line, or a group of three arguments, is not three numbers.
    #[error("entry {entry}: {text:?} is not three numbers")]
    Syntax {
        /// The line or the group of arguments, from 1.
        entry: usize,
        /// What was there.
        text: String,
    },
}

/// What a caller lacks in order to write an id map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lack {
    /// The helper program is not on PATH; on Debian it is in the package `uidmap`, elsewhere in
    /// `shadow-utils`.
    #[error("{helper} is not installed, which could map \"{range}\"")]
    Helper {
        /// `newuidmap` or `newgidmap`.
        helper: &'static str,
        /// The range that needs it.
        range: IdRange,
    },
    /// The user has no entry at all.
    #[error("{file} has no range for {user}")]
    NoSubIds {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// Name or uid of the user.
        user: String,
    },
    /// The user's entries do not cover a range.
    #[error("{file} gives {user} no range that covers \"{range}\"")]
    SubIdsTooSmall {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
        /// Name or uid of the user.
        user: String,
        /// The range in question.
        range: IdRange,
    },
    /// A capability is needed in the caller's user namespace.
    #[error("the range \"{range}\" needs {capability}")]
    Capability {
        /// For instance `CAP_SETFCAP`.
        capability: &'static str,
        /// The range in question.
        range: IdRange,
    },
    /// Ids outside are not mapped in the caller's own user namespace, or by several of its ranges.
    #[error("the range \"{range}\" is not within one range of the caller's own user namespace")]
    NotMappedHere {
        /// The range in question.
        range: IdRange,
    },
    /// A gid map of the caller's own group alone can only be written with `setgroups` denied.
    #[error("a map of the caller's own group alone needs setgroups to be denied")]
    SetgroupsDenied,
}
