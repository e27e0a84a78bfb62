//! The working directory, for which there may be two attempts: before and after a change of ids.
//!
//! A handle on it, which the first attempt opens when it has succeeded, is the sign by which the second one is left out.

use std::path::Path;

use super::builder::{AT_FDCWD, Builder, path};
use super::program::{Operation, Value};
use crate::Error;
use crate::init::format::code;

/// Changes the directory if it may be entered by now.
pub(super) fn try_to_enter(builder: &mut Builder<'_>, directory: &Path) -> Result<(), Error> {
    let flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC).unsigned_abs();
    let here = [AT_FDCWD, path(Path::new("."))?, Value::Number(u64::from(flags))];
    let entered = builder.temporary();
    let attempt = builder.joint();
    let change = Operation::call(libc::SYS_chdir, [path(directory)?]);
    builder.push(change.tolerate(libc::EACCES), Some("chdir"));
    builder.push(Operation::new(code::CWD), Some("getcwd"));
    builder.push(Operation::call(libc::SYS_openat, here).out(entered), Some("openat"));
    builder.skip(attempt)?;
    builder.entered = Some(entered);
    Ok(())
}

/// Changes the directory, unless that was done before.
pub(super) fn enter(builder: &mut Builder<'_>, directory: &Path) -> Result<(), Error> {
    let Some(entered) = builder.entered.take() else { return change(builder, directory) };
    let sign = builder.joint();
    let close = Operation::call(libc::SYS_close, [Value::Slot(entered)]);
    builder.push(close.tolerate(libc::EBADF), Some("close"));
    // This one always fails, and so leaves out what follows.
    let jump = builder.joint();
    let never = Operation::call(libc::SYS_close, [Value::Number(u64::MAX)]);
    builder.push(never.tolerate(libc::EBADF), Some("close"));
    builder.skip(sign)?;
    change(builder, directory)?;
    builder.skip(jump)
}

fn change(builder: &mut Builder<'_>, directory: &Path) -> Result<(), Error> {
    builder.call("chdir", libc::SYS_chdir, [path(directory)?]);
    builder.push(Operation::new(code::CWD), Some("getcwd"));
    Ok(())
}

/// Whether the last attempt is one that must succeed.
pub(super) fn check(builder: &Builder<'_>) -> Result<(), Error> {
    match builder.entered {
        None => Ok(()),
        Some(_) => Err(Error::Invalid {
            what: "working directory",
            value: String::new(),
            reason: "is tried, and no step follows that has to enter it",
        }),
    }
}
