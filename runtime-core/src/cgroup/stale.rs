//! What is left of programs whose caller was killed.
//!
//! The cgroup of a program has a name by which it is recognised, and is locked by the process that made it; the kernel
//! releases the lock when that process ends, by whatever cause. So a cgroup of that name whose lock can be taken belongs to
//! nobody.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cofferdam_cgroups::Cgroup;

use super::enclosed::end;
use super::{Limits, Nest};
use crate::Error;

/// Programs that go on without their caller.
const OUTLIVES: &str = "cofferdam-";
/// Programs that end with it.
const DIES: &str = "cofferdam-dies-";

/// How long what is left of others may keep this process waiting. What takes longer is left to the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Cgroups of programs that end with this process, and run, though their child was dropped. The lock has to stay: without
/// it they would look as if this process had ended.
static KEPT: Mutex<Vec<Cgroup>> = Mutex::new(Vec::new());

/// Keeps the lock as long as something runs in a cgroup.
pub(super) fn keep(cgroup: Cgroup) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(cgroup);
}

/// Removes those that were kept and in which nothing runs any more.
pub(super) fn release() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|cgroup| cgroup.remove(Duration::ZERO).is_err());
}

/// The name of a program's cgroup.
pub(super) fn name(pid: u32, number: u32, dies: bool) -> String {
    format!("{}{pid}-{number}", if dies { DIES } else { OUTLIVES })
}

/// Whether a cgroup has such a name, and if so whether its program ends with the caller.
fn fate(name: &OsStr) -> Option<bool> {
    let numbers = |rest: &str| {
        let mut parts = rest.split('-');
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
        number(parts.next()) && number(parts.next()) && parts.next().is_none()
    };
    let name = name.to_str()?;
    match (name.strip_prefix(DIES), name.strip_prefix(OUTLIVES)) {
        (Some(rest), _) if numbers(rest) => Some(true),
        (None, Some(rest)) if numbers(rest) => Some(false),
        _ => None,
    }
}

/// Clears away what processes have left behind that were killed while programs of theirs had limits.
///
/// That happens by itself when a process uses limits for the first time; a process that runs for long can do it whenever it
/// likes. The cgroup of a program that [ends with its caller](crate::Command::die_with_caller) is removed with all that
/// still runs in it, that of another one when nothing runs in it any more. What belongs to a living process stays.
///
/// # Errors
/// [`Error::Cgroup`] if the caller's cgroup cannot be looked at.
pub fn remove_stale_cgroups() -> Result<(), Error> {
    release();
    clear(&Nest::find(&Limits::default())?.parent)
}

/// Clears away below one cgroup. What cannot be removed stays for the next one who tries: it belongs to another user, say.
pub(super) fn clear(parent: &Arc<Cgroup>) -> Result<(), Error> {
    for name in parent.children()? {
        if let Some(dies) = fate(&name) {
            clear_one(parent, &name, dies).unwrap_or(());
        }
    }
    Ok(())
}

fn clear_one(parent: &Cgroup, name: &OsStr, dies: bool) -> Result<(), Error> {
    let cgroup = parent.open(name)?;
    if !cgroup.lock()? || (!dies && cgroup.is_populated()?) {
        return Ok(());
    }
    end(&cgroup, PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_and_others_are_not() {
        assert_eq!(fate(name(7, 0, true).as_ref()), Some(true));
        assert_eq!(fate(name(7, 12, false).as_ref()), Some(false));
        for other in [
            "cofferdam",
            "cofferdam-",
            "cofferdam-7",
            "cofferdam-a-b",
            "cofferdam-1-2-3",
            "cofferdam-test-1-2",
        ] {
            assert_eq!(fate(other.as_ref()), None, "{other}");
        }
    }
}
