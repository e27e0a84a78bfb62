//! What can go wrong with a container.

use std::path::PathBuf;

use crate::Errno;

/// The result of an operation on containers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a container.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration that cannot be applied, with its path in the document. Nothing happened.
    #[error("config.json: {path}: {reason}")]
    Config {
        /// Where in the document, as `linux.devices[2].path`.
        path: String,
        /// What is wrong with it, with the value.
        reason: String,
    },
    /// A file or directory that is needed and cannot be used.
    #[error("{what} {}: {errno}", .path.display())]
    Path {
        /// What it is for.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the kernel says about it.
        errno: Errno,
    },
    /// The container could not be made or entered.
    #[error(transparent)]
    Container(#[from] crate::Error),
}

impl Error {
    /// A value of the configuration that cannot be applied.
    pub(crate) fn config(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { path: path.into(), reason: reason.into() }
    }

    /// A system call on a path.
    pub(crate) fn path(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.into();
        move |errno| Self::Path { what, path, errno: Errno::new(errno.raw_os_error()) }
    }
}

impl From<cofferdam_process::Error> for Error {
    fn from(error: cofferdam_process::Error) -> Self {
        Self::Container(error.into())
    }
}

impl From<cofferdam_cgroups::Error> for Error {
    fn from(error: cofferdam_cgroups::Error) -> Self {
        Self::Container(error.into())
    }
}

impl From<cofferdam_namespaces::Error> for Error {
    fn from(error: cofferdam_namespaces::Error) -> Self {
        Self::Container(error.into())
    }
}
