//! Mount targets: found or made inside a root, whatever symbolic links lie on the way.

use super::format::{Argument, Operation};
use super::machine::Machine;
use super::operations::status;
use super::sys::{self, checked, fd, nr};

/// What a target must be.
pub(crate) mod like {
    pub(crate) const DIRECTORY: u64 = 0;
    pub(crate) const FILE: u64 = 1;
    /// As another descriptor is.
    pub(crate) const DESCRIPTOR: u64 = 2;
}

/// How often a path that changes under us is tried again.
const RETRIES: usize = 1000;

/// `struct open_how`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens a handle on the target, after making what is missing of it. Arguments: root, path, kind, descriptor.
pub(super) fn make(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let [root, path, kind, model] =
        [operation.arguments[0], operation.arguments[1], operation.arguments[2], operation.arguments[3]];
    let root = machine.slot(root.value)?;
    match resolve(root, machine.address(path.start)) {
        Err(sys::ENOENT) => {}
        other => return other,
    }
    let directory = match kind.value {
        like::DIRECTORY => true,
        like::FILE => false,
        _ => status(machine.slot(model.value)?)?.mode & sys::S_IFMT == sys::S_IFDIR,
    };
    make_path(machine, root, &path, directory)?;
    resolve(root, machine.address(path.start))
}

/// A handle on a path, resolved as if `root` were the root directory.
fn resolve(root: i32, path: usize) -> Result<usize, i32> {
    let how = OpenHow {
        flags: (sys::O_PATH | sys::O_CLOEXEC) as u64,
        mode: 0,
        resolve: sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS,
    };
    let arguments = [fd(root), path, (&raw const how) as usize, size_of::<OpenHow>(), 0, 0];
    let mut result = Err(sys::EAGAIN);
    for _ in 0..RETRIES {
        // SAFETY: the path is a string in the program; the structure outlives the call.
        result = unsafe { checked(nr::OPENAT2, arguments) };
        if result != Err(sys::EAGAIN) {
            break;
        }
    }
    result
}

/// Makes each missing component. The parent is resolved in the root anew for each, and the new entry is made by
/// name in it, so nothing is ever made through a link.
fn make_path(machine: &mut Machine<'_>, root: i32, path: &Argument, directory: bool) -> Result<(), i32> {
    let end = path.start + path.len.saturating_sub(1);
    let mut parent = dup(root)?;
    let mut at = path.start;
    loop {
        let (start, stop) = component(machine.program, at, end);
        if start == stop {
            sys::close(parent);
            return Ok(());
        }
        let last = component(machine.program, stop, end).0 == end;
        let made = with_end(machine, stop, |machine| {
            make_entry(parent, machine.address(start), directory || !last)?;
            resolve(root, machine.address(path.start))
        });
        sys::close(parent);
        parent = made?.cast_signed() as i32;
        at = stop;
    }
}

/// Start and end of the next component of a path from an offset; both `end` if there is none.
fn component(program: &[u8], from: usize, end: usize) -> (usize, usize) {
    let slash = |at: &usize| program.get(*at) == Some(&b'/');
    let start = (from..end).find(|at| !slash(at)).unwrap_or(end);
    let stop = (start..end).find(slash).unwrap_or(end);
    (start, stop)
}

/// Runs something while the path ends at an offset.
fn with_end<T>(
    machine: &mut Machine<'_>,
    at: usize,
    run: impl FnOnce(&mut Machine<'_>) -> Result<T, i32>,
) -> Result<T, i32> {
    let byte = core::mem::replace(machine.program.get_mut(at).ok_or(sys::EBADMSG)?, 0);
    let result = run(machine);
    *machine.program.get_mut(at).ok_or(sys::EBADMSG)? = byte;
    result
}

/// Makes one entry in a directory; one that is there already is left as it is.
fn make_entry(parent: i32, name: usize, directory: bool) -> Result<(), i32> {
    // SAFETY: the name is a string in the program; the other arguments are numbers.
    let made = unsafe {
        if directory {
            checked(nr::MKDIRAT, [fd(parent), name, 0o755, 0, 0, 0])
        } else {
            let flags = sys::O_CREAT | sys::O_EXCL | sys::O_CLOEXEC;
            checked(nr::OPENAT, [fd(parent), name, flags, 0o644, 0, 0]).map(|file| {
                sys::close(file.cast_signed() as i32);
                0
            })
        }
    };
    match made {
        Ok(_) | Err(sys::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn dup(number: i32) -> Result<i32, i32> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    // SAFETY: takes numbers only.
    unsafe { checked(nr::FCNTL, [fd(number), F_DUPFD_CLOEXEC, 3, 0, 0, 0]) }.map(|copy| copy as i32)
}
