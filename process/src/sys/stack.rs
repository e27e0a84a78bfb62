//! Stacks for the new process until it executes the init, kept for the next one.

use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::{Errno, Error};

/// Bytes for each of the two processes that may run on a stack.
const HALF: usize = 64 * 1024;
/// Below the stack, never readable: an overflow faults instead of writing elsewhere.
const GUARD: usize = 64 * 1024;
/// How many unused stacks are kept.
const KEPT: usize = 16;

static UNUSED: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

/// A mapping of its own, put back when dropped.
#[derive(Debug)]
pub(super) struct Stack {
    base: NonNull<u8>,
}

// SAFETY: a mapping belongs to no thread.
unsafe impl Send for Stack {}

impl Stack {
    /// An unused stack.
    pub(super) fn take() -> Result<Lease, Error> {
        let kept = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(Self::map, Ok).map(|stack| Lease { stack: Some(stack) })
    }

    fn map() -> Result<Self, Error> {
        let failed = |call| Error::Call {
            call,
            errno: Errno::new(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), GUARD + 2 * HALF, protection, flags, -1, 0) };
        let base = if base == libc::MAP_FAILED { None } else { NonNull::new(base.cast()) };
        let stack = Self { base: base.ok_or_else(|| failed("mmap"))? };
        // SAFETY: the lowest part of the mapping just made.
        let guarded = unsafe { libc::mprotect(stack.base.as_ptr().cast(), GUARD, libc::PROT_NONE) };
        if guarded == 0 { Ok(stack) } else { Err(failed("mprotect")) }
    }

    /// Address and size of the lower half, above the guard, and of the upper half.
    fn halves(&self) -> [(u64, u64); 2] {
        let low = self.base.as_ptr().addr() + GUARD;
        [(low as u64, HALF as u64), ((low + HALF) as u64, HALF as u64)]
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, which no process uses any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), GUARD + 2 * HALF) };
    }
}

/// A stack in use.
#[derive(Debug)]
pub(crate) struct Lease {
    stack: Option<Stack>,
}

impl Lease {
    /// Address and size of the halves.
    pub(super) fn halves(&self) -> [(u64, u64); 2] {
        self.stack.as_ref().map_or([(0, 0); 2], Stack::halves)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        if unused.len() < KEPT {
            unused.extend(self.stack.take());
        }
    }
}
