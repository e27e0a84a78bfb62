//! What is behind an error: the setting of the host, or the privilege that is missing.

use cofferdam_namespaces::{Diagnosis, Kind, Kinds, UserNamespaces};
use cofferdam_process::Error as ProcessError;

use crate::{Error, Namespaces};

/// Says more where a privilege is missing.
pub(crate) fn explain(error: ProcessError, new: Namespaces) -> Error {
    let error = match error {
        ProcessError::Rendezvous { point, source } => {
            match source.downcast::<cofferdam_namespaces::Error>() {
                Ok(error) => Error::Namespace(*error),
                Err(source) => match source.downcast::<Error>() {
                    Ok(error) => *error,
                    Err(source) => Error::Process(ProcessError::Rendezvous { point, source }),
                },
            }
        }
        other => Error::Process(other),
    };
    let hint = match &error {
        Error::Process(ProcessError::Exec { .. }) => None,
        _ => hint(&error, new),
    };
    match hint {
        Some(hint) => Error::Denied { hint, source: Box::new(error) },
        None => error,
    }
}

/// The setting of the host that is in the way, or what the caller lacks.
fn hint(error: &Error, new: Namespaces) -> Option<String> {
    let number = error.errno()?.number();
    if number == libc::EDQUOT {
        return keyring_hint(error).map(str::to_owned);
    }
    if ![libc::EPERM, libc::EACCES, libc::ENOSPC, libc::EUSERS].contains(&number) {
        return None;
    }
    let clone = matches!(error, Error::Process(ProcessError::Clone { .. }));
    let kinds: Kinds = Kind::ALL.into_iter().filter(|kind| new.bits() & kind.flag() != 0).collect();
    match UserNamespaces::check(kinds) {
        Ok(Diagnosis::Blocked { setting, value }) => {
            return Some(format!(
                "the host does not allow these namespaces: its setting {setting} is {value}"
            ));
        }
        Ok(missing @ Diagnosis::NotInKernel { .. }) => return Some(missing.to_string()),
        _ => {}
    }
    let user = new.contains(Namespaces::USER);
    let hint = match (clone, number) {
        (true, libc::ENOSPC) => {
            "the host allows no more of these namespaces: see its settings user.max_*_namespaces"
        }
        (true, _) if !user => "new namespaces need CAP_SYS_ADMIN, or a new user namespace with them",
        (true, libc::EPERM) => {
            "user namespaces are not allowed here: by a filter around this program, or because it runs in a chroot"
        }
        (false, libc::EPERM) if user => fresh_hint(error)?,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Each container has a session keyring, and an ordinary user few of them.
fn keyring_hint(error: &Error) -> Option<&'static str> {
    let Error::Process(ProcessError::Step { step, .. }) = error else { return None };
    step.contains("session keyring").then_some(
        "the host allows this user no more keyrings: see its settings kernel.keys.maxkeys and maxbytes, or go without a new one",
    )
}

/// The kernel gives a user namespace no new procfs or sysfs that shows more than those that can be seen already.
fn fresh_hint(error: &Error) -> Option<&'static str> {
    let Error::Process(ProcessError::Step { step, .. }) = error else { return None };
    if step.starts_with("mount proc ") {
        Some(
            "parts of the caller's /proc are covered, as in a container, so it can have no new one: use proc(false)",
        )
    } else if step.starts_with("mount sysfs ") {
        Some(
            "parts of the caller's /sys are covered, as in a container, so it can have no new one: use sys(false)",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use cofferdam_process::Errno;

    use super::*;

    #[test]
    fn who_may_have_no_more_keyrings_is_told_why() {
        let step = |step: &str| ProcessError::Step {
            index: None,
            step: step.to_owned(),
            call: None,
            errno: Errno::new(libc::EDQUOT),
        };
        let error = explain(step("call keyctl join session keyring"), Namespaces::empty());
        assert_eq!(
            error.to_string(),
            "the host allows this user no more keyrings: see its settings kernel.keys.maxkeys and maxbytes, or go without a new one"
        );
        let error = explain(step("mount tmpfs on /tmp"), Namespaces::empty());
        assert!(error.to_string().starts_with("mount tmpfs on /tmp: EDQUOT"), "{error}");
    }
}
