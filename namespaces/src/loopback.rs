//! The loopback device of a new network namespace, which starts down; `netdevice(7)`.

use crate::{Error, Result, sys};

/// Brings `lo` up in the network namespace of the calling thread.
///
/// With that the kernel gives it the addresses 127.0.0.1/8 and ::1. Does nothing to a device that is up.
///
/// # Privileges
/// `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
///
/// # Errors
/// [`Error::Loopback`] with `EPERM` where the privilege is missing.
pub fn loopback_up() -> Result<()> {
    sys::raise_loopback().map_err(|(step, errno)| Error::Loopback { step, errno })
}
