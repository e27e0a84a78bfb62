//! Filters for the thread that installs them, and what the kernel can do.

use crate::{Action, Architecture, Error, Filter, Flags, Listener, Result, sys};

/// Installs a filter for this thread, and with [`Flags::tsync`] for all threads of the process. It cannot be taken back,
/// and holds for all children.
///
/// The result is the listener, if the filter notifies. It stays open when a program is executed only if it is made so.
///
/// # Privileges
///
/// `no_new_privs` ([`set_no_new_privs`]) or `CAP_SYS_ADMIN` in the user namespace of the thread.
///
/// # Errors
///
/// [`Error::Foreign`] if the filter would kill this program at its next call; [`Error::Call`] with `EACCES` without the
/// privilege; [`Error::Synchronize`] if another thread has other filters.
pub fn install(filter: &Filter) -> Result<Option<Listener>> {
    if !filter.architectures().contains(&Architecture::NATIVE) {
        return Err(Error::Foreign { native: Architecture::NATIVE });
    }
    Ok(sys::install(filter.instructions(), filter.flags())?.map(Listener::from))
}

/// Sets `no_new_privs` for this thread and all that it will start: no program gives them more privileges.
///
/// # Errors
///
/// [`Error::Call`], which no kernel since 3.5 gives reason for.
pub fn set_no_new_privs() -> Result<()> {
    sys::set_no_new_privs()
}

impl Flags {
    /// The flags that this kernel knows.
    pub fn supported() -> Self {
        let knows = |flag: libc::c_ulong| u32::try_from(flag).is_ok_and(sys::knows_flag);
        // Waiting can only be asked for together with a listener.
        let waiting = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        Self {
            log: knows(libc::SECCOMP_FILTER_FLAG_LOG),
            spec_allow: knows(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW),
            wait_killable_recv: knows(waiting),
            tsync: knows(libc::SECCOMP_FILTER_FLAG_TSYNC),
        }
    }
}

impl Action {
    /// Whether this kernel knows the action.
    pub fn is_supported(self) -> bool {
        sys::knows_action(self.code() & libc::SECCOMP_RET_ACTION_FULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    #[test]
    fn a_filter_for_another_architecture_is_not_installed() {
        let other = if Architecture::NATIVE == Architecture::S390x {
            Architecture::Ppc64
        } else {
            Architecture::S390x
        };
        let mut profile = Profile::new(Action::Allow);
        profile.architectures.push(other);
        let error = install(&profile.compile().unwrap()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the filter is not for {}: it would kill this program", Architecture::NATIVE)
        );
    }

    #[test]
    fn this_kernel_knows_the_flags_and_actions_of_old_ones() {
        let flags = Flags::supported();
        assert!(flags.log && flags.spec_allow && flags.tsync, "{flags:?}");
        for action in [Action::KillProcess, Action::Errno(1), Action::Notify, Action::Log, Action::Trace(3)] {
            assert!(action.is_supported(), "{action:?}");
        }
        assert!(!sys::knows_flag(1 << 30) && !sys::knows_action(0x1234_0000));
    }
}
