//! What can go wrong, with the operands.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Errno;

/// A failed operation of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option, or two together, that cannot be carried out. Nothing happened.
    #[error("{what} {value:?} {reason}")]
    Invalid {
        /// Which option.
        what: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// A path of the host that is needed and cannot be used. Nothing happened.
    #[error("{what} {}: {errno}", .path.display())]
    Path {
        /// What it is for.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the kernel says about it.
        errno: Errno,
    },
    /// There is nothing to mount on, and it cannot be made because the root is read-only. Nothing happened.
    #[error("mount target {} does not exist, and the root {} is read-only", .path.display(), .root.display())]
    NoMountPoint {
        /// The missing directory or file, as seen inside.
        path: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// A missing privilege, and what would give it.
    #[error("{hint}")]
    Denied {
        /// What is missing, or the setting of the host to change.
        hint: String,
        /// What failed.
        source: Box<Error>,
    },
    /// The process could not be started, or be waited for.
    #[error(transparent)]
    Process(#[from] cofferdam_process::Error),
    /// A namespace could not be looked at, or its id maps not be written.
    #[error(transparent)]
    Namespace(#[from] cofferdam_namespaces::Error),
    /// The union of a root's directories could not be mounted.
    #[error(transparent)]
    Overlay(#[from] cofferdam_overlay::Error),
    /// An image could not be read, imported or unpacked.
    #[cfg(feature = "image")]
    #[error(transparent)]
    Image(#[from] cofferdam_image_spec::Error),
    /// A cgroup could not be made, limited, looked at or removed.
    #[error(transparent)]
    Cgroup(#[from] cofferdam_cgroups::Error),
    /// Something about this process or the host could not be found out.
    #[error("{call}: {errno}")]
    Call {
        /// The call.
        call: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The program ran longer than it may, and was killed.
    #[error("the program was killed after {timeout:?}")]
    TimedOut {
        /// How long it might run.
        timeout: Duration,
    },
    /// The program could not be started, and a mount point made for it could not be removed again.
    #[error("{source}; the mount point {} stays behind: {errno}", .path.display())]
    LeftBehind {
        /// The mount point, as seen inside.
        path: PathBuf,
        /// Why it could not be removed.
        errno: Errno,
        /// Why the program could not be started.
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn invalid(what: &'static str, value: impl ToString, reason: &'static str) -> Self {
        Self::Invalid { what, value: value.to_string(), reason }
    }

    pub(crate) fn call(call: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Call { call, errno: Errno::new(errno.raw_os_error()) }
    }

    /// The kernel's error number, where one was the reason.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Path { errno, .. } | Self::Call { errno, .. } => Some(*errno),
            Self::Process(error) => error.errno(),
            Self::Namespace(error) => error.errno().map(|errno| Errno::new(errno.raw())),
            Self::Overlay(error) => error.errno().map(|errno| Errno::new(errno.raw())),
            #[cfg(feature = "image")]
            Self::Image(error) => error.raw_os_error().map(Errno::new),
            Self::Cgroup(error) => error.errno().map(|errno| Errno::new(errno.number())),
            Self::Denied { source, .. } | Self::LeftBehind { source, .. } => source.errno(),
            Self::Invalid { .. } | Self::NoMountPoint { .. } | Self::TimedOut { .. } => None,
        }
    }

    /// The kind that `std::process::Command` would give: `NotFound` for a missing program, `PermissionDenied` for
    /// one that may not be executed, `InvalidInput` for an impossible option, `TimedOut`.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Invalid { .. } | Self::Overlay(cofferdam_overlay::Error::Invalid { .. }) => {
                io::ErrorKind::InvalidInput
            }
            Self::NoMountPoint { .. } => io::ErrorKind::NotFound,
            Self::Denied { .. } => io::ErrorKind::PermissionDenied,
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
            Self::LeftBehind { source, .. } => source.kind(),
            Self::Process(error) => error.kind(),
            _ => self.errno().map_or(io::ErrorKind::Other, Errno::kind),
        }
    }

    /// The exit status that a shell would give for this error: 127 for a program that was not found, 126 for one
    /// that could not be executed, 125 for everything before.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Process(cofferdam_process::Error::Exec { errno, .. }) => {
                if errno.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
            }
            Self::LeftBehind { source, .. } => source.exit_code(),
            _ => 125,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}
