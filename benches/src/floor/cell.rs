//! What parent and child share: the word that lets the child go on, and its complaint.

use std::hint;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::calls;
use crate::sys::{Mapping, Sharing};

/// A step that failed in the child. The name is a constant, so its address means the same in both processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) step: &'static str,
    pub(super) errno: i32,
}

#[repr(C)]
struct Layout {
    word: AtomicU32,
    fault: Option<Fault>,
}

/// One page that both sides see, whether the child shares the memory or has a copy of it.
#[derive(Debug)]
pub(super) struct Cell {
    page: Mapping,
}

impl Cell {
    pub(super) fn new() -> io::Result<Cell> {
        let cell = Cell { page: Mapping::new(4096, Sharing::Shared)? };
        cell.reset();
        Ok(cell)
    }

    fn layout(&self) -> NonNull<Layout> {
        self.page.start().cast()
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped, zeroed and aligned, as long as `self` lives.
        unsafe { &(*self.layout().as_ptr()).word }
    }

    /// Before a spawn.
    pub(super) fn reset(&self) {
        self.word().store(0, Ordering::Relaxed);
        // SAFETY: no child runs that could write; the page is mapped and aligned.
        unsafe { (&raw mut (*self.layout().as_ptr()).fault).write_volatile(None) };
    }

    /// In the child: waits for [`Cell::go`].
    pub(super) fn wait(&self, private: bool) {
        while self.word().load(Ordering::Acquire) == 0 {
            // EAGAIN and EINTR mean: look again.
            if calls::futex_wait(self.word().as_ptr(), flags(private)).is_err() {
                hint::spin_loop();
            }
        }
    }

    /// In the parent: the id maps are written.
    pub(super) fn go(&self, private: bool) -> Result<(), i32> {
        self.word().store(1, Ordering::Release);
        calls::futex_wake(self.word().as_ptr(), flags(private)).map(|_| ())
    }

    /// In the child, as its last act.
    pub(super) fn complain(&self, fault: Fault) {
        // SAFETY: the parent reads only after the child has ended; the page is mapped and aligned.
        unsafe { (&raw mut (*self.layout().as_ptr()).fault).write_volatile(Some(fault)) };
    }

    /// In the parent, after the child has ended.
    pub(super) fn fault(&self) -> Option<Fault> {
        // SAFETY: `reset` has written a value, and the child that might write has ended.
        unsafe { (&raw const (*self.layout().as_ptr()).fault).read_volatile() }
    }
}

/// A futex in shared memory costs a look-up of the page; it is needed only between two address spaces.
fn flags(private: bool) -> i32 {
    if private { libc::FUTEX_PRIVATE_FLAG } else { 0 }
}
