//! A process that ends with the value that holds it.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::spawn::wait;

/// A child that is ended and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    pid: u32,
    pidfd: ManuallyDrop<OwnedFd>,
}

impl Guard {
    /// Guards a child.
    pub(crate) fn new(pid: u32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd: ManuallyDrop::new(pidfd) }
    }

    /// Its id in the caller's pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its pidfd.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Lets the process live.
    pub(crate) fn release(self) -> (u32, OwnedFd) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again and not dropped, so the descriptor is taken once.
        (this.pid, unsafe { ManuallyDrop::take(&mut this.pidfd) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nobody is left who could be told; a process that has ended already is what is wanted.
        drop(wait::abort(self.pidfd.as_fd(), self.pid));
        // SAFETY: dropped here and nowhere else.
        unsafe { ManuallyDrop::drop(&mut self.pidfd) };
    }
}
