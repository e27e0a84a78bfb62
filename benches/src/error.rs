//! The one error type of the benches.

use std::io;
use std::time::Duration;

/// What went wrong while a subject was prepared, run or reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of the bench itself failed.
    #[error("{what}: {source}")]
    Io {
        /// The operation and its operands.
        what: String,
        /// The reason.
        source: io::Error,
    },
    /// A step between clone and exec failed in the child.
    #[error("step {step:?}: {source}")]
    Step {
        /// Which step.
        step: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The child did not end in time and was killed.
    #[error("did not end within {0:?} and was killed")]
    Hang(Duration),
    /// The child ended otherwise than the workload does.
    #[error("ended with status {status}, the program ends with {expected}")]
    Status {
        /// What was seen; 128 + n for signal n.
        status: i32,
        /// What the workload exits with.
        expected: i32,
    },
    /// The probing program did not leave the proof it must.
    #[error("did not run the program as asked: {0}")]
    Proof(String),
    /// A library refused.
    #[error("{0}")]
    Library(String),
    /// A subject said that it did what it did not do.
    #[error("did not do what was asked: {0}")]
    Undone(String),
    /// Somebody ended the bench.
    #[error("ended by a signal; what was made is removed")]
    Interrupted,
    /// The surroundings of a case cannot be had.
    #[error("{0}")]
    Setting(String),
    /// The picture could not be drawn.
    #[error("draw the picture: {0}")]
    Plot(String),
    /// The measurement in a process of its own failed.
    #[error("the measuring process: {0}")]
    Inner(String),
}

impl Error {
    /// Wraps the error of the operation `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Wraps the error number of the operation `what`.
    pub(crate) fn errno(what: impl Into<String>) -> impl FnOnce(nix::Error) -> Error {
        let what = what.into();
        move |errno| Error::Io { what, source: errno.into() }
    }
}
