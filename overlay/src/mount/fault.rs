//! From a failed call to this crate's error.

use std::os::fd::BorrowedFd;

use crate::{Errno, Error};

/// The error of a call of the mount interface. What the kernel does not know at all is told apart.
pub(crate) fn failed(call: &'static str, on: String, errno: Errno) -> Error {
    if errno == Errno::from_raw(libc::ENOSYS) {
        let since = if call == "mount_setattr" { "5.12" } else { "5.2" };
        return Error::Unsupported { feature: call, since };
    }
    Error::Call { call, on, errno, log: Vec::new() }
}

/// The same for a call on a file system context, with what the kernel wrote to its log.
pub(super) fn failed_in(context: BorrowedFd<'_>, call: &'static str, on: String, errno: Errno) -> Error {
    match failed(call, on, errno) {
        Error::Call { call, on, errno, .. } => Error::Call { call, on, errno, log: log(context) },
        other => other,
    }
}

/// Takes all messages from a context's log. Each is read by a call of its own; the kernel keeps the last eight.
pub(super) fn log(context: BorrowedFd<'_>) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = [0_u8; 4096];
    while messages.len() < 64 {
        match rustix::io::read(context, &mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                let text = String::from_utf8_lossy(&buffer[..length]);
                messages.push(text.trim_end_matches('\n').to_owned());
            }
        }
    }
    messages
}
