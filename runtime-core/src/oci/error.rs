//! What can go wrong with a container.

use std::path::PathBuf;

use super::Status;
use crate::Errno;

/// The result of an operation on containers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a container.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration that cannot be applied, with its path in the document. Nothing happened.
    #[error("config.json: {path}{}{reason}", if path.is_empty() { "" } else { ": " })]
    Config {
        /// Where in the document, as `linux.devices[2].path`; empty for the document itself.
        path: String,
        /// What is wrong with it, with the value.
        reason: String,
    },
    /// A limit that cannot be applied to the container's cgroup, with its path in the document.
    #[error("config.json: {path}: {source}")]
    Resource {
        /// Which one, as `linux.resources.memory.limit`.
        path: String,
        /// Why.
        source: Box<cofferdam_cgroups::Error>,
    },
    /// A network device that could not be moved into the container.
    #[error("config.json: {path}: {operation}: {errno}")]
    NetDevice {
        /// Which one, as `linux.netDevices["eth0"]`.
        path: String,
        /// What was done.
        operation: String,
        /// What the kernel says about it.
        errno: Errno,
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
    /// A name that no container can have.
    #[error("the container id {id:?} {reason}")]
    InvalidId {
        /// The name.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is a container, or a rest of one, with this name.
    #[error("container with given ID already exists: {id}")]
    Exists {
        /// The name.
        id: String,
    },
    /// There is no container with this name.
    #[error("container does not exist: {id}")]
    NotFound {
        /// The name.
        id: String,
    },
    /// Its process has ended, or was never there.
    #[error("container not running: {id} is {status}")]
    NotRunning {
        /// The name.
        id: String,
        /// How far it is.
        status: Status,
    },
    /// It is in another state than the operation needs.
    #[error("cannot {operation} container {id}, which is {status}")]
    Status {
        /// What was to be done.
        operation: &'static str,
        /// The name.
        id: String,
        /// How far it is.
        status: Status,
    },
    /// What is stored about a container cannot be understood. [`Runtime::delete`](super::Runtime::delete) with force removes
    /// what is left of it.
    #[error("state of the container {}: {reason}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A hook failed.
    #[error("hook {path}: {reason}")]
    Hook {
        /// Where in the document, as `hooks.prestart[0]`.
        path: String,
        /// What it did: its status, or why it could not be executed, and what it wrote to standard error.
        reason: String,
    },
    /// An operation that cannot be done here.
    #[error("{what} is not supported")]
    Unsupported {
        /// What.
        what: String,
    },
    /// The container could not be made, and something of it could not be removed again. `delete` with force tries again.
    #[error("{source}; and afterwards: {cleanup}")]
    LeftBehind {
        /// Why it could not be removed.
        cleanup: Box<Error>,
        /// Why the container could not be made.
        source: Box<Error>,
    },
    /// A container that has as many processes as it may, or one less, can have no further one: while it enters, a process
    /// is two.
    #[error(
        "{source}: the container has {current} processes and may have {limit}, and who enters takes two places"
    )]
    TooMany {
        /// How many it has.
        current: u64,
        /// How many it may have.
        limit: u64,
        /// What failed.
        source: Box<Error>,
    },
    /// A file that is read and is something else than a regular file.
    #[error("{what} {}: is no regular file", .path.display())]
    NotRegular {
        /// What it is for.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The container could not be made or entered.
    #[error(transparent)]
    Container(#[from] crate::Error),
}

#[allow(dead_code, reason = "used section by section")]
impl Error {
    /// A value of the configuration that cannot be applied.
    pub(crate) fn config(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { path: path.into(), reason: reason.into() }
    }

    /// A system call of this process.
    pub(crate) fn call(call: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Container(crate::Error::call(call)(errno))
    }

    /// What the standard library says about a path.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(&std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Path { what, path, errno: Errno::new(error.raw_os_error().unwrap_or(libc::EIO)) }
    }

    /// What came of a process in these new namespaces. What a meeting said is what counts.
    pub(crate) fn of_process(error: cofferdam_process::Error, new: crate::Namespaces) -> Self {
        let error = match error {
            cofferdam_process::Error::Rendezvous { point, source } => match source.downcast::<Self>() {
                Ok(error) => return *error,
                Err(source) => cofferdam_process::Error::Rendezvous { point, source },
            },
            other => other,
        };
        if is_without_root(&error) {
            let reason = "joins a user namespace in which ids 0 are not mapped: that works by the path \
                          /proc/PID/ns/user of a process in it, where its ids can be seen";
            return Self::config("linux.namespaces", reason);
        }
        Self::Container(crate::explain::explain(error, new))
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

/// Whether the process could not become root, which it only fails to where that is nobody.
fn is_without_root(error: &cofferdam_process::Error) -> bool {
    matches!(error, cofferdam_process::Error::Step { step, errno, .. }
        if step == "set uid 0, gid 0" && errno.number() == libc::EINVAL)
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
