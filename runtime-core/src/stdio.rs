//! Where the standard streams of a program go.

use std::fs::File;
use std::os::fd::OwnedFd;

use crate::{ChildStderr, ChildStdin, ChildStdout};

/// What a standard stream of the program is, like `std::process::Stdio`.
#[derive(Debug)]
pub struct Stdio(pub(crate) Stream);

#[derive(Debug)]
pub(crate) enum Stream {
    Inherit,
    Null,
    Pipe,
    Descriptor(OwnedFd),
}

impl Stdio {
    /// The caller's own stream.
    pub const fn inherit() -> Self {
        Self(Stream::Inherit)
    }

    /// `/dev/null`.
    pub const fn null() -> Self {
        Self(Stream::Null)
    }

    /// A new pipe; the other end is in the [`Child`](crate::Child).
    pub const fn piped() -> Self {
        Self(Stream::Pipe)
    }
}

macro_rules! from_descriptor {
    ($($type:ty),*) => {
        $(impl From<$type> for Stdio {
            /// The program gets this descriptor, as often as the command is started.
            fn from(stream: $type) -> Self {
                Self(Stream::Descriptor(stream.into()))
            }
        })*
    };
}

from_descriptor!(OwnedFd, File, ChildStdin, ChildStdout, ChildStderr);
