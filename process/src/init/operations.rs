//! The compound operations: what must look at the system as it is.

use super::channel::{self, MAX_PASSED, Message, kind};
use super::format::{self, Argument, Operation, flag};
use super::machine::Machine;
use super::sys::{self, checked, fd, nr};

/// The first fields of `struct statx`, up to the device numbers.
#[repr(C)]
#[derive(Default)]
struct Statx {
    head: [u32; 4],
    owner: [u32; 3],
    mode: u16,
    spare: u16,
    ino: u64,
    sizes: [u64; 3],
    times: [u64; 8],
    rdev_major: u32,
    rdev_minor: u32,
    dev_major: u32,
    dev_minor: u32,
    rest: [u64; 14],
}

/// What [`verify`] and mount targets need to know of a file.
pub(super) struct Status {
    pub(super) mode: u32,
    ino: u64,
    rdev: [u64; 2],
    dev: [u64; 2],
}

/// The status of an open file.
pub(super) fn status(number: i32) -> Result<Status, i32> {
    // SAFETY: the path is an empty string.
    unsafe { status_at(number, c"".as_ptr() as usize, sys::AT_EMPTY_PATH) }
}

/// The status of a file by its path.
///
/// # Safety
///
/// The path is the address of a string that ends with a NUL.
pub(super) unsafe fn status_at(directory: i32, path: usize, flags: usize) -> Result<Status, i32> {
    const BASIC: usize = 0x7ff;
    let mut buffer = Statx::default();
    let arguments = [fd(directory), path, flags, BASIC, (&raw mut buffer) as usize, 0];
    // SAFETY: the path is one, as the caller promises; the buffer has the size of `struct statx`, 256 bytes.
    unsafe { checked(nr::STATX, arguments)? };
    Ok(Status {
        mode: u32::from(buffer.mode),
        ino: buffer.ino,
        rdev: [u64::from(buffer.rdev_major), u64::from(buffer.rdev_minor)],
        dev: [u64::from(buffer.dev_major), u64::from(buffer.dev_minor)],
    })
}

/// The magic number of the file system of an open file.
fn filesystem(number: i32) -> Result<u64, i32> {
    let mut buffer = [0_u64; 32];
    // SAFETY: the buffer is larger than `struct statfs`.
    unsafe { checked(nr::FSTATFS, [fd(number), buffer.as_mut_ptr() as usize, 0, 0, 0, 0])? };
    Ok(buffer[0])
}

/// Bits that say what an expectation looks at.
pub(crate) mod expect {
    pub(crate) const KIND: u64 = 1;
    pub(crate) const RDEV: u64 = 2;
    pub(crate) const FILESYSTEM: u64 = 4;
    pub(crate) const DEV: u64 = 8;
    pub(crate) const INO: u64 = 16;
    pub(crate) const OTHER_FILESYSTEM: u64 = 32;
}

/// Checks that a descriptor is what it should be. The expectation is nine words: which to look at, type,
/// device number (2), file system, device (2), inode, and a file system that it must not be.
pub(super) fn verify(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let number = machine.slot(operation.arguments[0].value)?;
    let expected = machine.bytes(&operation.arguments[1])?;
    let word = |index: usize| format::u64_at(expected, index * 8).map_err(|_| sys::EBADMSG);
    let status = status(number)?;
    let wanted = word(0)?;
    let other = wanted & expect::OTHER_FILESYSTEM == 0 || filesystem(number)? != word(8)?;
    let checks = [
        (expect::KIND, u64::from(status.mode & sys::S_IFMT) == word(1)?, sys::EINVAL),
        (expect::RDEV, status.rdev == [word(2)?, word(3)?], sys::EINVAL),
        (expect::FILESYSTEM, wanted & expect::FILESYSTEM == 0 || filesystem(number)? == word(4)?, sys::EXDEV),
        (expect::DEV, status.dev == [word(5)?, word(6)?], sys::EXDEV),
        (expect::INO, status.ino == word(7)?, sys::EXDEV),
        (expect::OTHER_FILESYSTEM, other, sys::EXDEV),
    ];
    for (bit, holds, errno) in checks {
        if wanted & bit != 0 && !holds {
            return Err(errno);
        }
    }
    Ok(0)
}

/// Meets the caller.
pub(super) fn sync(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let [send, receive] = [operation.arguments[0], operation.arguments[1]];
    if operation.flags & flag::SILENT == 0 {
        let mut fds = [-1; MAX_PASSED];
        let count = slots_in(machine, &send, |machine, index, slot| {
            *fds.get_mut(index).ok_or(sys::EINVAL)? = machine.slot(u64::from(slot))?;
            Ok(())
        })?;
        let message =
            Message { kind: kind::SYNC, operation: machine.index, errno: 0, value: operation.number };
        channel::send(machine.control, message, fds.get(..count).ok_or(sys::EINVAL)?)?;
    }
    let mut fds = [-1; MAX_PASSED];
    heard(machine, kind::GO, receive.len / 4, &mut fds)?;
    slots_in(machine, &receive, |machine, index, slot| machine.set(slot, *fds.get(index).ok_or(sys::EINVAL)?))
}

/// Waits for the caller's word, with so many descriptors.
fn heard(machine: &Machine<'_>, word: u32, count: usize, fds: &mut [i32; MAX_PASSED]) -> Result<(), i32> {
    match channel::receive(machine.control, fds) {
        Ok((message, received)) if message.kind == word && received == count => Ok(()),
        Ok(_) => Err(sys::EBADMSG),
        // The caller is gone or has given up: there is nobody to tell.
        Err(_) => sys::exit(125),
    }
}

/// Takes the caller's last word, if it was not taken yet.
pub(super) fn last_word(machine: &mut Machine<'_>) -> Result<usize, i32> {
    if machine.taken {
        return Ok(0);
    }
    machine.taken = true;
    if !format::is_last_word(machine.program) {
        return heard(machine, kind::EXECUTE, 0, &mut [-1; MAX_PASSED]).map(|()| 0);
    }
    match channel::take_program(machine.control) {
        Ok(()) => Ok(0),
        Err(_) => sys::exit(125),
    }
}

/// Calls a function for each slot in a list; gives their number.
fn slots_in(
    machine: &mut Machine<'_>,
    list: &Argument,
    mut each: impl FnMut(&mut Machine<'_>, usize, u32) -> Result<(), i32>,
) -> Result<usize, i32> {
    for index in 0..list.len / 4 {
        let slot = format::u32_at(machine.program, list.start + index * 4).map_err(|_| sys::EBADMSG)?;
        each(machine, index, slot)?;
    }
    Ok(list.len / 4)
}

/// Goes on in a sibling: a child of the caller, which so is in the pid namespace that this process joined. This
/// process hands over its pidfd and ends.
pub(super) fn fork(machine: &mut Machine<'_>) -> Result<usize, i32> {
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_PARENT: u64 = 0x8000;
    let mut pidfd: i32 = -1;
    let arguments = [CLONE_PIDFD | CLONE_PARENT, (&raw mut pidfd) as u64, 0, 0, 0, 0, 0, 0];
    // SAFETY: without CLONE_VM this is a fork: the child has its own copy of the memory and goes on here.
    let child =
        unsafe { checked(nr::CLONE3, [arguments.as_ptr() as usize, size_of_val(&arguments), 0, 0, 0, 0])? };
    if child == 0 {
        // Not a word before the caller knows this process: it could not reap what it does not know.
        heard(machine, kind::GO, 0, &mut [-1; MAX_PASSED])?;
        return Ok(0);
    }
    let message = Message { kind: kind::FORKED, operation: machine.index, errno: 0, value: child as u32 };
    match channel::send(machine.control, message, &[pidfd]) {
        Ok(()) => sys::exit(0),
        Err(errno) => Err(errno),
    }
}

/// Checks that the working directory lies in the root: the kernel prefixes it otherwise.
pub(super) fn check_cwd() -> Result<usize, i32> {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the kernel writes at most the length of the buffer.
    unsafe { checked(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0])? };
    if buffer[0] == b'/' { Ok(0) } else { Err(sys::EXDEV) }
}

/// Default action for every signal: `exec` keeps ignored ones.
pub(super) fn reset_signals() -> Result<usize, i32> {
    let action = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: a zeroed action is the default one. SIGKILL and SIGSTOP answer EINVAL and have no other.
        let _ =
            unsafe { sys::call(nr::RT_SIGACTION as usize, [signal, action.as_ptr() as usize, 0, 8, 0, 0]) };
    }
    Ok(0)
}

/// Drops all capabilities from the bounding set but those in the mask. The kernel takes them one by one.
pub(super) fn drop_bounding(operation: &Operation) -> Result<usize, i32> {
    const PR_CAPBSET_DROP: usize = 24;
    let keep = operation.arguments[0].value;
    for number in 0..=operation.number.min(63) {
        if keep >> number & 1 == 0 {
            // SAFETY: takes numbers only.
            unsafe { checked(nr::PRCTL, [PR_CAPBSET_DROP, number as usize, 0, 0, 0, 0])? };
        }
    }
    Ok(0)
}

/// Becomes the program: the first candidate path that can be executed. The errors are those of `execvp(3)`.
pub(super) fn exec(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let [candidates, argv, envp] = [operation.arguments[0], operation.arguments[1], operation.arguments[2]];
    let (argv, envp) = (machine.value(&argv)?, machine.value(&envp)?);
    last_word(machine)?;
    first_of(machine, &candidates, |path| {
        // SAFETY: strings and null-ended arrays of pointers to strings, all in the program.
        unsafe { checked(nr::EXECVE, [path, argv, envp, 0, 0, 0]) }
    })
}

/// Tries candidate paths until one is right. The errors are those of `execvp(3)`.
pub(super) fn first_of(
    machine: &mut Machine<'_>,
    candidates: &Argument,
    mut attempt: impl FnMut(usize) -> Result<usize, i32>,
) -> Result<usize, i32> {
    let mut failure = sys::ENOENT;
    let mut start = candidates.start;
    let end = candidates.start + candidates.len;
    while start < end {
        let Err(errno) = attempt(machine.address(start)) else { return Ok(0) };
        match errno {
            sys::EACCES => failure = errno,
            sys::ENOENT | sys::ENOTDIR | sys::ENODEV | sys::ESTALE | sys::ETIMEDOUT => {}
            other => return Err(other),
        }
        let rest = machine.program.get(start..end).ok_or(sys::EBADMSG)?;
        start += rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |length| length + 1);
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statx_has_the_size_of_the_kernels() {
        assert_eq!(size_of::<Statx>(), 256);
        assert_eq!(size_of::<Statx>(), size_of::<libc::statx>());
        assert_eq!(
            std::mem::offset_of!(Statx, rdev_major),
            std::mem::offset_of!(libc::statx, stx_rdev_major)
        );
        assert_eq!(std::mem::offset_of!(Statx, ino), std::mem::offset_of!(libc::statx, stx_ino));
    }
}
