//! Numbers of mounts, asked of descriptors.

use crate::errno::rustix as errno;
use crate::{Error, Result};
use rustix::fs::{AtFlags, StatxFlags, statx};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

/// `STATX_MNT_ID_UNIQUE`
const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// A number that the kernel gives to one mount and never again. Since Linux 6.8.
///
/// Another than that in `/proc/PID/mountinfo` ([`MountEntry::id`](crate::MountEntry::id)), which is given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(u64);

impl MountId {
    /// The mount that an open file or directory is on.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] before Linux 6.8; [`Error::Call`] if `statx(2)` fails.
    pub fn of(file: impl AsFd) -> Result<Self> {
        ask(file.as_fd(), UNIQUE)?
            .map(Self)
            .ok_or(Error::Unsupported { feature: "STATX_MNT_ID_UNIQUE of statx", since: "6.8" })
    }

    /// A number that was kept.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number.
    pub const fn raw(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number in mountinfo.
pub(super) fn mount_id_of(file: BorrowedFd<'_>) -> Result<u64> {
    ask(file, StatxFlags::MNT_ID)?
        .ok_or(Error::Unsupported { feature: "STATX_MNT_ID of statx", since: "5.8" })
}

/// None if this kernel does not know the flag.
fn ask(file: BorrowedFd<'_>, flag: StatxFlags) -> Result<Option<u64>> {
    let found = statx(file, c"", AtFlags::EMPTY_PATH, flag).map_err(|raw| Error::Call {
        call: "statx",
        on: "a descriptor".to_owned(),
        errno: errno(raw),
        log: Vec::new(),
    })?;
    Ok((found.stx_mask & flag.bits() != 0).then_some(found.stx_mnt_id))
}
