//! The one error type of the crate.

use std::path::PathBuf;

use crate::Errno;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, on what, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("{call} {on}: {errno}{}", log_suffix(.log))]
    Call {
        /// The call by its kernel name: `fsconfig`, `move_mount`, ...
        call: &'static str,
        /// Its operands.
        on: String,
        /// The kernel's reason.
        errno: Errno,
        /// What the kernel wrote to the context's log about it, one message a line, such as
        /// `e overlay: Unknown parameter 'x'`; often empty.
        log: Vec<String>,
    },
    /// A path that is needed cannot be opened, made, read or removed.
    #[error("{what} {}: {errno}", .path.display())]
    Path {
        /// What was done to it: `open`, `read`, ...
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// The kernel's reason.
        errno: Errno,
    },
    /// A value that makes no sense. Nothing happened.
    #[error("{what} {value:?} {reason}")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// As it was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of a mount table that does not have the form of one.
    #[error("line {line} of mountinfo {fault}: {text:?}")]
    MountInfo {
        /// Counted from 1.
        line: usize,
        /// What it lacks.
        fault: &'static str,
        /// Its first 200 bytes; others than ASCII are escaped.
        text: String,
    },
    /// More directories for a union mount than can be told to the kernel. Nothing happened.
    #[error("{layers} layers are too many: {fit} fit {place}")]
    TooManyLayers {
        /// How many lower directories there are.
        layers: usize,
        /// How many there can be.
        fit: usize,
        /// In what they fit.
        place: &'static str,
    },
    /// This kernel has no such thing.
    #[error("{feature} needs Linux {since}")]
    Unsupported {
        /// What was asked for.
        feature: &'static str,
        /// The version that brought it.
        since: &'static str,
    },
}

fn log_suffix(log: &[String]) -> String {
    log.iter().map(|line| format!("; {line}")).collect()
}

impl Error {
    pub(crate) fn mount_info(line: usize, text: &[u8], fault: &'static str) -> Self {
        let text = text.get(..200).unwrap_or(text).escape_ascii().to_string();
        Self::MountInfo { line, fault, text }
    }

    /// The kernel's number, where one was given.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Call { errno, .. } | Self::Path { errno, .. } => Some(*errno),
            Self::Invalid { .. }
            | Self::MountInfo { .. }
            | Self::TooManyLayers { .. }
            | Self::Unsupported { .. } => None,
        }
    }
}
