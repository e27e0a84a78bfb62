//! What runs in the new process before it executes the init.
//!
//! It runs in the caller's memory, beside the caller's threads. So it makes raw system calls only, allocates
//! nothing, takes no lock, calls no libc (which would write `errno` into a running thread's storage), and never
//! returns. It never changes ids and never drops a capability, as either would make the *caller* not dumpable.

use std::ffi::CStr;
use std::sync::atomic::{AtomicIsize, Ordering};

use crate::init::channel::{self, Message, kind};
use crate::init::format::{LATE, STUB};
use crate::init::sys::{call, exit, fd, nr};

use super::clone::{CloneArguments, clone_onto};

const AT_EMPTY_PATH: usize = 0x1000;
const CLONE_NEWNS: usize = 0x0002_0000;
const F_SETFD: usize = 2;
const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_RAISE: usize = 2;

/// A range of descriptor numbers to close, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// Everything the stub needs, prepared by the caller. The lifetime is that of all the memory it reads.
#[derive(Debug)]
pub(crate) struct Stub<'a> {
    /// The descriptors to close.
    gaps: &'a [Gap],
    /// The descriptors that stay open in the init.
    kept: &'a [i32],
    /// What comes before the exec.
    before: Before,
    /// What is executed then.
    init: Init<'a>,
    /// The mount namespace to copy from, for the first of two processes.
    pub(super) mounts_from: Option<i32>,
    /// How the first process makes the second.
    pub(super) second: CloneArguments,
    /// What came of it: a process id, or a negative errno.
    pub(super) result: AtomicIsize,
}

/// What the stub does before the exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// Put the capabilities where they survive it.
    Raise,
    /// Enter these namespaces (`CLONE_NEW*`), while the caller maps the ids, and wait for that.
    Wait(u32),
}

/// What the stub executes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init<'a> {
    /// Its file.
    pub(crate) image: i32,
    /// The control socket.
    pub(crate) control: i32,
    /// Its argument.
    pub(crate) argument: &'a CStr,
}

impl<'a> Stub<'a> {
    /// A stub that has not run.
    pub(crate) fn new(
        gaps: &'a [Gap],
        kept: &'a [i32],
        init: Init<'a>,
        before: Before,
        mounts_from: Option<i32>,
    ) -> Self {
        Self {
            gaps,
            kept,
            before,
            init,
            mounts_from,
            second: CloneArguments::default(),
            result: AtomicIsize::new(0),
        }
    }
}

/// The first of two processes: enters the mount namespace that is to be copied, and makes the second from there.
///
/// # Safety
///
/// `stub` is valid, and its memory outlives this process, which its maker waits for.
pub(super) unsafe extern "C" fn first_stage(stub: *mut Stub<'_>) -> ! {
    // SAFETY: as the caller promises; the calls take numbers, or pointers into the stub.
    unsafe {
        let mut result = 0;
        if let Some(namespace) = (*stub).mounts_from {
            result = call(nr::SETNS as usize, [fd(namespace), CLONE_NEWNS, 0, 0, 0, 0]);
        }
        if result == 0 {
            result = clone_onto(&raw const (*stub).second, second_stage, stub);
        }
        // The second process only reads other fields.
        (*stub).result.store(result, Ordering::Release);
    }
    exit(0)
}

/// The process that becomes the init.
///
/// # Safety
///
/// `stub` is valid, and everything in it outlives the exec.
pub(super) unsafe extern "C" fn second_stage(stub: *mut Stub<'_>) -> ! {
    // SAFETY: as the caller promises. Nobody writes to the stub any more.
    let stub = unsafe { &*stub };
    for gap in stub.gaps {
        // SAFETY: takes numbers only.
        unsafe { call(nr::CLOSE_RANGE as usize, [gap.first as usize, gap.last as usize, 0, 0, 0, 0]) };
    }
    for kept in stub.kept {
        // SAFETY: takes numbers only.
        unsafe { call(nr::FCNTL as usize, [fd(*kept), F_SETFD, 0, 0, 0, 0]) };
    }
    match stub.before {
        Before::Nothing => {}
        Before::Raise => raise_capabilities(),
        Before::Wait(late) => {
            // SAFETY: takes numbers only.
            let result = unsafe { call(nr::UNSHARE as usize, [late as usize, 0, 0, 0, 0, 0]) };
            if result != 0 {
                fail(stub, LATE, result);
            }
            if channel::wait(stub.init.control).is_err() {
                // Without a caller there is nothing to do and nobody to tell.
                exit(125);
            }
        }
    }
    let argv = [c"cofferdam-init".as_ptr(), stub.init.argument.as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null::<u8>()];
    let (path, argv, envp) = (c"".as_ptr().addr(), argv.as_ptr().addr(), envp.as_ptr().addr());
    // SAFETY: an empty path, and null-ended arrays of strings that end with a NUL.
    let result =
        unsafe { call(nr::EXECVEAT as usize, [fd(stub.init.image), path, argv, envp, AT_EMPTY_PATH, 0]) };
    fail(stub, STUB, result)
}

/// Reports the error of a call and ends the process.
fn fail(stub: &Stub<'_>, operation: u32, result: isize) -> ! {
    let errno = i32::try_from(result.wrapping_neg()).unwrap_or(0);
    let message = Message { kind: kind::FAILED, operation, errno, value: 0 };
    // If the caller has gone, nobody else can be told.
    channel::send(stub.init.control, message, &[]).unwrap_or_default();
    exit(125)
}

/// Puts all permitted capabilities into the inheritable and the ambient set, so that they survive the exec also
/// where the user is not root in its namespace, or not yet. What the kernel refuses shows at the step that needs it.
fn raise_capabilities() {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: version 3 of the call: a header of two words, two times three words of sets.
    unsafe { call(nr::CAPGET as usize, [header.as_ptr().addr(), sets.as_mut_ptr().addr(), 0, 0, 0, 0]) };
    let [_, low, _, _, high, _] = sets;
    [sets[2], sets[5]] = [low, high];
    // SAFETY: as before.
    unsafe { call(nr::CAPSET as usize, [header.as_ptr().addr(), sets.as_ptr().addr(), 0, 0, 0, 0]) };
    for number in 0..64 {
        let word = if number < 32 { low } else { high };
        if word >> (number & 31) & 1 == 1 {
            // SAFETY: takes numbers only.
            unsafe { call(nr::PRCTL as usize, [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0, 0]) };
        }
    }
}
