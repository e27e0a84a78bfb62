//! Calls that another process decides (`seccomp_unotify(2)`).

mod listener;
mod notification;

pub use listener::Listener;
pub use notification::Notification;

use std::os::fd::OwnedFd;

/// Decides about calls. Closures are handlers, too.
pub trait Handler {
    /// Decides about one call. The process that made it waits.
    fn handle(&mut self, notification: &Notification<'_>) -> Response;
}

impl<F: FnMut(&Notification<'_>) -> Response> Handler for F {
    fn handle(&mut self, notification: &Notification<'_>) -> Response {
        self(notification)
    }
}

/// What becomes of a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Response {
    /// The kernel makes the call.
    ///
    /// This is no way to allow a call after a look at what its pointers lead to: another thread can change that until the
    /// kernel looks. Make the call for the process instead, and answer with [`Response::Value`] or [`Response::AddFd`].
    Continue,
    /// The call is not made, and fails with this errno.
    Errno(u16),
    /// The call is not made, and returns this value.
    Value(i64),
    /// The call is not made; the process gets a copy of this descriptor, and the call returns its number (Linux 5.14).
    AddFd {
        /// The descriptor.
        fd: OwnedFd,
        /// Whether the copy is closed when the process executes a program.
        close_on_exec: bool,
    },
}
