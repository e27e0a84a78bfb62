//! The device controller of v1: a default for all devices, and a list of exceptions from it.
//!
//! What the kernel does with it, and what of it matters here:
//!
//! * With a default of *deny*, an access is allowed if one single exception covers all of it. With a default of *allow*
//!   it is denied if any exception touches it. There are no exceptions from exceptions.
//! * A line in `devices.allow` or `devices.deny` adds an exception or takes one away, depending on the default. It is
//!   taken away from an exception for exactly the same kind and numbers, else the line does nothing, and succeeds.
//! * The line `a`, whatever follows it, sets the default and empties the list. This is refused with `EINVAL` where
//!   there are cgroups below.
//! * `devices.list` shows the exceptions from *deny* only, and one and the same line for any list with *allow*.
//! * A cgroup is never allowed more than the one above it: what would be more is refused with `EPERM`.

mod list;
mod lower;
#[cfg(test)]
mod model;

pub(super) use list::List;
pub(super) use lower::lower;

use super::{DeviceRuleFault, DeviceRulesFault};
use crate::dir::Dir;
use crate::{Error, Result};
use rustix::fs::OFlags;

/// One line to one of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) allow: bool,
    pub(super) line: String,
}

/// What the kernel shows of the state.
pub(super) fn read(dir: &Dir) -> Result<List> {
    let text = dir.read("devices.list")?;
    text.parse().map_err(|fault: DeviceRuleFault| Error::Parse {
        path: dir.path_of("devices.list"),
        line: fault.text,
        expected: fault.expected,
    })
}

/// Makes the state what it should be. If a line is refused, those before it are undone where that can be.
///
/// Between two lists with a default of *deny* nothing that both allow is denied at any moment, and nothing is allowed
/// that neither allows. Where the default changes, the kernel has no way without a moment that has the new default and
/// no exceptions.
pub(super) fn set(dir: &Dir, wanted: &List) -> Result<()> {
    let before = read(dir)?;
    let Err((written, cause)) = write(dir, &before.way_to(wanted)) else { return Ok(()) };
    let failed = match before.allow {
        _ if written == 0 => return Err(cause),
        // Going back would also allow what was denied without being shown.
        true => DeviceRulesFault::NotShown.into(),
        false => {
            match read(dir).and_then(|now| write(dir, &now.way_to(&before)).map_err(|failed| failed.1)) {
                Ok(()) => return Err(cause),
                Err(failed) => failed,
            }
        }
    };
    Err(Error::NotRestored { cause: Box::new(cause), failed: vec![failed] })
}

/// Writes lines; an error comes with the number of those that were taken.
fn write(dir: &Dir, writes: &[Write]) -> std::result::Result<(), (usize, Error)> {
    if writes.is_empty() {
        return Ok(());
    }
    let open = |file| Ok((file, dir.open_file(file, OFlags::WRONLY).map_err(|error| (0, error))?));
    let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
    for (written, write) in writes.iter().enumerate() {
        let (file, fd) = if write.allow { &allow } else { &deny };
        dir.write_to(fd, file, &write.line).map_err(|error| (written, error))?;
    }
    Ok(())
}
