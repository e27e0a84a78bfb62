//! The unsafe ground: system calls by inline assembly, files by them, and anonymous memory.

pub(crate) mod files;
mod memory;
pub(crate) mod mounts;
pub(crate) mod process;
mod raw;

pub(crate) use memory::{Mapping, Sharing};
pub(crate) use raw::{Answer, Reg, answer, fill, raw};

/// A system call by its `libc::SYS_*` number, with up to six arguments; answers as the kernel does, `-errno` on failure.
macro_rules! syscall {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        $crate::sys::raw($number, $crate::sys::fill([$($crate::sys::Reg::reg($argument)),*]))
    };
}
pub(crate) use syscall;
