//! The one error type of the crate: one variant for each operation that can fail, with its operands.

use crate::{Errno, Kind, Kinds, Lack, MapFault, Offset, Source};
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, on what, and why.
///
/// `Display` ends with the kernel's name of the reason where the kernel gave one:
/// `write "0 1000 1" to /proc/1234/uid_map: EPERM (Operation not permitted)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened.
    #[error("open {path}: {errno}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A file could not be read.
    #[error("read {path}: {errno}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A file of `/proc/PID` refused a value.
    #[error("write {value:?} to {path}: {errno}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What was written, by one call.
        value: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A file of `/proc/PID` took only a part of a value.
    #[error("write {value:?} to {path}: only {written} bytes were taken")]
    ShortWrite {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// How many bytes were taken.
        written: usize,
    },
    /// The file is not a namespace (it is not on nsfs).
    #[error("{path} is not a namespace file")]
    NotANamespace {
        /// The file; for a descriptor what `/proc/self/fd` says about it.
        path: PathBuf,
    },
    /// The file is a namespace of another kind.
    #[error("{path} is a {found} namespace, not a {expected} namespace")]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// The wanted kind.
        expected: Kind,
        /// The kind that it is.
        found: Kind,
    },
    /// The kernel has a kind of namespace that this crate does not know.
    #[error("namespace of unknown kind, CLONE_NEW flag {flag:#x}")]
    UnknownKind {
        /// What `NS_GET_NSTYPE` said.
        flag: u32,
    },
    /// This kernel was built without this kind, or is too old for it.
    #[error("this kernel has no {kind} namespaces")]
    KindNotInKernel {
        /// The missing kind.
        kind: Kind,
    },
    /// The process has ended.
    #[error("{process} has ended")]
    ProcessGone {
        /// The process as the caller named it: `process 12` or `pidfd 7`.
        process: String,
    },
    /// The namespace of a process could not be opened.
    #[error("open the {kind} namespace of {process}: {errno}")]
    OfProcess {
        /// The process as the caller named it: `process 12` or `pidfd 7`.
        process: String,
        /// The wanted kind.
        kind: Kind,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A question about a namespace failed.
    #[error("{request} of {kind}:[{inode}]: {errno}")]
    Query {
        /// The name of the ioctl or system call.
        request: &'static str,
        /// The kind of the namespace that was asked.
        kind: Kind,
        /// Its inode number.
        inode: u64,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The owner or the parent lies outside of what the caller may see: it is neither the caller's own
    /// namespace nor below that, or there is none above the first one.
    #[error("the {relation} of {kind}:[{inode}] is out of reach: EPERM (Operation not permitted)")]
    OutOfReach {
        /// `owner` or `parent`.
        relation: &'static str,
        /// The kind of the namespace that was asked.
        kind: Kind,
        /// Its inode number.
        inode: u64,
    },
    /// Only pid and user namespaces have a parent.
    #[error("{kind} namespaces have no parent")]
    NotHierarchical {
        /// The kind of the namespace that was asked.
        kind: Kind,
    },
    /// Only user namespaces have an owner uid; ask the owner of this namespace instead.
    #[error("{kind}:[{inode}] is not a user namespace")]
    NotAUserNamespace {
        /// The kind of the namespace that was asked.
        kind: Kind,
        /// Its inode number.
        inode: u64,
    },
    /// `setns` refused.
    #[error("enter {kind}:[{inode}]: {errno}")]
    Enter {
        /// The kind of the namespace.
        kind: Kind,
        /// Its inode number.
        inode: u64,
        /// The kernel's reason.
        errno: Errno,
    },
    /// `setns` of a pidfd refused.
    #[error("join {kinds} of {process}: {errno}")]
    JoinProcess {
        /// The process as `pidfd 7`.
        process: String,
        /// The kinds that were to be joined.
        kinds: Kinds,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A step of binding a namespace to a path failed.
    #[error("bind {kind}:[{inode}] to {path}: {step}: {errno}")]
    Bind {
        /// The system call.
        step: &'static str,
        /// The kind of the namespace.
        kind: Kind,
        /// Its inode number.
        inode: u64,
        /// The mount point.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A mount namespace can only be bound in an older mount namespace, and not below a mount that it shares:
    /// otherwise it would hold itself.
    #[error("mnt:[{inode}] cannot be bound to {path}: {rule}: {errno}")]
    MountNamespaceLoop {
        /// The inode number of the namespace.
        inode: u64,
        /// The mount point.
        path: PathBuf,
        /// The broken rule.
        rule: &'static str,
        /// `ELOOP` or `EINVAL`.
        errno: Errno,
    },
    /// After another error, the file that had been made could not be removed.
    #[error("{cause}; and the empty file {path} is left behind: {errno}")]
    LeftBehind {
        /// The file.
        path: PathBuf,
        /// What failed first.
        cause: Box<Error>,
        /// Why the file could not be removed.
        errno: Errno,
    },
    /// There is no namespace mounted on the path.
    #[error("{path} is not a mounted namespace")]
    NotANamespaceMount {
        /// The path.
        path: PathBuf,
    },
    /// A step of taking a bound namespace away failed.
    #[error("unbind {path}: {step}: {errno}")]
    Unbind {
        /// The system call.
        step: &'static str,
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A plan names two sources for one kind.
    #[error("two sources for the {kind} namespace: {first} and {second}")]
    SourceConflict {
        /// The kind.
        kind: Kind,
        /// The first source.
        first: Source,
        /// The second source.
        second: Source,
    },
    /// A plan names a descriptor that was not handed over.
    #[error("the {kind} namespace is descriptor {index} of {len}")]
    NoSuchDescriptor {
        /// The kind.
        kind: Kind,
        /// The index in the plan.
        index: usize,
        /// How many descriptors were given.
        len: usize,
    },
    /// The name of a kind was expected.
    #[error("{text:?} is not a kind of namespace")]
    ParseKind {
        /// What was there.
        text: String,
    },
    /// An id map is wrong in itself.
    #[error("id map: {0}")]
    IdMap(MapFault),
    /// An id map cannot be written by this caller.
    #[error("{map}: {lack}")]
    NotPermitted {
        /// `uid_map` or `gid_map`.
        map: &'static str,
        /// What is missing.
        lack: Lack,
    },
    /// `newuidmap` or `newgidmap` could not be started or waited for.
    #[error("run {command}: {errno}")]
    HelperRun {
        /// The command line.
        command: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// `newuidmap` or `newgidmap` refused.
    #[error("{command} failed with {status}: {stderr}")]
    HelperFailed {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The nanoseconds of a clock offset are not below a second.
    #[error("offset of the {clock} clock: {nanoseconds} nanoseconds are not below 1000000000")]
    NanosecondsTooLarge {
        /// `monotonic` or `boottime`.
        clock: &'static str,
        /// The nanoseconds.
        nanoseconds: u32,
    },
    /// The offset would make the clock negative, or so large that it could overflow (the kernel says ERANGE).
    #[error("offset {offset} of the {clock} clock: the clock would leave 0 to 4611686018 seconds")]
    OffsetOutOfRange {
        /// `monotonic` or `boottime`.
        clock: &'static str,
        /// The offset.
        offset: Offset,
    },
    /// A line of `timens_offsets` was not understood.
    #[error("line {line} of the clock offsets: {text:?}")]
    ParseOffsets {
        /// The line, from 1.
        line: usize,
        /// What was there.
        text: String,
    },
    /// A kernel setting is not a number.
    #[error("{path} has {text:?} where a number was expected")]
    ParseSetting {
        /// The file.
        path: PathBuf,
        /// What was there.
        text: String,
    },
    /// The loopback device could not be brought up.
    #[error("bring up lo: {step}: {errno}")]
    Loopback {
        /// The system call.
        step: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl Error {
    /// The kernel's error number, where the kernel gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { errno, .. }
            | Self::Read { errno, .. }
            | Self::Write { errno, .. }
            | Self::OfProcess { errno, .. }
            | Self::Query { errno, .. }
            | Self::Enter { errno, .. }
            | Self::JoinProcess { errno, .. }
            | Self::Bind { errno, .. }
            | Self::MountNamespaceLoop { errno, .. }
            | Self::Unbind { errno, .. }
            | Self::HelperRun { errno, .. }
            | Self::Loopback { errno, .. } => Some(*errno),
            Self::OutOfReach { .. } => Some(Errno::from_raw(libc::EPERM)),
            Self::LeftBehind { cause, .. } => cause.errno(),
            _ => None,
        }
    }
}

// By hand: `#[from]` would also make the fault the `source`, and a report of the whole chain would say it twice.
impl From<MapFault> for Error {
    fn from(fault: MapFault) -> Self {
        Self::IdMap(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_operands_and_the_name_of_the_reason() {
        let errno = Errno::from_raw(libc::EPERM);
        let value = "0 1000 1".to_owned();
        let error = Error::Write { path: "/proc/1234/uid_map".into(), value, errno };
        let text = "write \"0 1000 1\" to /proc/1234/uid_map: EPERM (Operation not permitted)";
        assert_eq!(error.to_string(), text);
        let left = Error::LeftBehind { path: "/x".into(), cause: Box::new(error), errno };
        assert_eq!(left.errno(), Some(errno));
        let text = format!("{text}; and the empty file /x is left behind: EPERM (Operation not permitted)");
        assert_eq!(left.to_string(), text);
    }

    #[test]
    fn nothing_is_said_twice() {
        let error = Error::from(MapFault::Empty);
        assert_eq!(error.to_string(), "id map: no range");
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(error.errno(), None);
    }
}
