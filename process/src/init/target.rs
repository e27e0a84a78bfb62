//! Mount targets: found or made inside a root, whatever symbolic links lie on the way.

use super::format::Operation;
use super::machine::Machine;
use super::operations::status;
use super::sys::{self, checked, fd, nr};
use super::way::Way;

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

/// Opens a handle on the target, after making what is missing of it. Arguments: root, path, kind, descriptor, and whether
/// what links lead to is made, too.
pub(super) fn make(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let [root, path, kind, model, follow, ..] = operation.arguments;
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
    let way = Way::new(machine.bytes(&path)?)?;
    make_path(root, way, directory, follow.value != 0)?;
    resolve(root, machine.address(path.start))
}

/// Makes each missing component. Where the way has come to is resolved in the root anew for each, and the new entry is made
/// by name there, so nothing is ever made through a link.
fn make_path(root: i32, mut way: Way, directory: bool, follow: bool) -> Result<(), i32> {
    while way.enter()? {
        let parent = resolve(root, way.parent())?.cast_signed() as i32;
        let made =
            make_entry(parent, way.name(), directory || !way.is_last()).and_then(|()| way.read_link(parent));
        sys::close(parent);
        if made? {
            if !follow {
                // What it leads to must exist.
                sys::close(resolve(root, way.path())?.cast_signed() as i32);
            }
            way.follow()?;
        }
    }
    Ok(())
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
        // SAFETY: the path is a string in the program or of a way; the structure outlives the call.
        result = unsafe { checked(nr::OPENAT2, arguments) };
        if result != Err(sys::EAGAIN) {
            break;
        }
    }
    result
}

/// Makes one entry in a directory; one that is there already is left as it is.
fn make_entry(parent: i32, name: usize, directory: bool) -> Result<(), i32> {
    // SAFETY: the name is a string of the way that is gone; the other arguments are numbers.
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
