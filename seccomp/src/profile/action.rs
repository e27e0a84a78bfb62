//! What can happen at a call.

use crate::{Error, Result};

/// What happens at a call (`seccomp(2)`), from the strictest to the least strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The process is killed.
    KillProcess,
    /// The thread is killed.
    KillThread,
    /// The thread gets `SIGSYS`.
    Trap,
    /// The call is not made, and fails with this errno; at most 4095.
    Errno(u16),
    /// Who has the listener decides.
    Notify,
    /// A tracer decides; it is told this number. Without a tracer the call fails with `ENOSYS`.
    Trace(u16),
    /// The call is made, and logged.
    Log,
    /// The call is made.
    Allow,
}

impl Action {
    /// The highest errno that the kernel hands to a program.
    pub const MAX_ERRNO: u16 = 4095;

    /// What a filter returns for it (`SECCOMP_RET_*`).
    pub fn code(self) -> u32 {
        match self {
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::Trace(message) => libc::SECCOMP_RET_TRACE | u32::from(message),
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Allow => libc::SECCOMP_RET_ALLOW,
        }
    }

    /// The action that a filter returned, if it is one.
    pub fn from_code(code: u32) -> Option<Self> {
        let data = u16::try_from(code & libc::SECCOMP_RET_DATA).unwrap_or(0);
        Some(match code & libc::SECCOMP_RET_ACTION_FULL {
            libc::SECCOMP_RET_KILL_PROCESS => Self::KillProcess,
            libc::SECCOMP_RET_KILL_THREAD => Self::KillThread,
            libc::SECCOMP_RET_TRAP => Self::Trap,
            libc::SECCOMP_RET_ERRNO => Self::Errno(data),
            libc::SECCOMP_RET_USER_NOTIF => Self::Notify,
            libc::SECCOMP_RET_TRACE => Self::Trace(data),
            libc::SECCOMP_RET_LOG => Self::Log,
            libc::SECCOMP_RET_ALLOW => Self::Allow,
            _ => return None,
        })
    }

    /// Its place in the kernel's order, where lower is stricter.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::KillProcess => 0,
            Self::KillThread => 1,
            Self::Trap => 2,
            Self::Errno(_) => 3,
            Self::Notify => 4,
            Self::Trace(_) => 5,
            Self::Log => 6,
            Self::Allow => 7,
        }
    }

    /// Whether a call that the profile does not know yet is refused.
    pub(crate) fn refuses(self) -> bool {
        self.rank() <= Self::Errno(0).rank()
    }

    pub(crate) fn validate(self, path: &str) -> Result<()> {
        match self {
            Self::Errno(errno) if errno > Self::MAX_ERRNO => {
                Err(Error::Errno { path: path.to_owned(), errno: u32::from(errno), highest: Self::MAX_ERRNO })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_kernels_and_codes_are_read_again() {
        let all = [
            Action::KillProcess,
            Action::KillThread,
            Action::Trap,
            Action::Errno(1),
            Action::Notify,
            Action::Trace(7),
            Action::Log,
            Action::Allow,
        ];
        // The kernel takes the lowest code, as a signed number.
        assert!(all.is_sorted_by_key(|action| action.code().cast_signed()));
        assert!(all.is_sorted_by_key(|action| action.rank()));
        for action in all {
            assert_eq!(Action::from_code(action.code()), Some(action));
        }
        assert_eq!(Action::from_code(0x1234_0000), None);
    }
}
