//! A program that is set up now and started later, perhaps by another process.

use super::channel::{self, MAX_PASSED, Message, kind};
use super::format::Operation;
use super::machine::Machine;
use super::operations::{first_of, status_at};
use super::sys::{self, checked, fd, nr};

/// Looks for the program, as the exec will, so that a missing one is known before somebody waits for it.
pub(super) fn find(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    const X_OK: usize = 1;
    const AT_EACCESS: usize = 0x200;
    let candidates = operation.arguments[0];
    first_of(machine, &candidates, |path| {
        // SAFETY: the candidates are strings in the program, each with its NUL.
        let status = unsafe {
            checked(nr::FACCESSAT2, [fd(sys::AT_FDCWD), path, X_OK, AT_EACCESS, 0, 0])?;
            status_at(sys::AT_FDCWD, path, 0)?
        };
        // Directories can be entered, and what is no file cannot be executed.
        if status.mode & sys::S_IFMT == sys::S_IFREG { Ok(0) } else { Err(sys::EACCES) }
    })
}

/// Reports that everything is set up, and waits for the word to go on: from the caller, or from who connects to the
/// listener that is the argument. The caller may be gone by then.
pub(super) fn hold(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let [argument, ..] = operation.arguments;
    let listener = if operation.count == 0 { None } else { Some(machine.slot(argument.value)?) };
    if let Some(listener) = listener {
        spare(listener)?;
    }
    let message = Message { kind: kind::READY, operation: machine.index, errno: 0, value: 0 };
    channel::send(machine.control, message, &[])?;
    match listener {
        Some(listener) => {
            sys::close(machine.control);
            // Nobody listens to failures until somebody starts.
            machine.control = -1;
            machine.control = connection(listener)?;
            sys::close(listener);
            machine.set(argument.value as u32, -1)?;
            Ok(0)
        }
        None => match word(machine.control) {
            Ok(()) => Ok(0),
            // The caller is gone or has given up: there is nobody to tell.
            Err(_) => sys::exit(125),
        },
    }
}

/// Whether there is a descriptor number for a connection: said now, while there is somebody to tell.
fn spare(listener: i32) -> Result<(), i32> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: takes numbers only.
    let copy = unsafe { checked(nr::FCNTL, [fd(listener), F_DUPFD_CLOEXEC, 0, 0, 0, 0])? };
    sys::close(copy as i32);
    Ok(())
}

/// The connection of who says the word. Who hangs up before may come again, or somebody else.
fn connection(listener: i32) -> Result<i32, i32> {
    loop {
        // SAFETY: nobody asks for the address of the peer, so there is no pointer.
        match unsafe { checked(nr::ACCEPT4, [fd(listener), 0, 0, sys::SOCK_CLOEXEC, 0, 0]) } {
            Err(sys::EINTR | sys::ECONNABORTED) => {}
            Err(errno) => return Err(errno),
            Ok(connection) => match word(connection as i32) {
                Ok(()) => return Ok(connection as i32),
                Err(_) => sys::close(connection as i32),
            },
        }
    }
}

/// Waits for the word to go on. If that is the last word already, it stays in the channel until the exec.
fn word(control: i32) -> Result<(), i32> {
    match channel::peek_message(control)?.kind {
        kind::EXECUTE => Ok(()),
        kind::GO => channel::receive(control, &mut [-1; MAX_PASSED]).map(|_| ()),
        _ => Err(sys::EBADMSG),
    }
}
