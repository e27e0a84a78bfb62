//! The sealed init: the program that the new process executes first.
//!
//! The build script compiles this folder, from `main.rs`, to a static program without standard library or libc.
//! The same files are modules of the crate, so that formatting, lints and tests cover them, and so that both
//! sides share one definition of the program's format.
#![allow(unsafe_code, reason = "a program of system calls")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::ptr_as_ptr,
    reason = "machine words: what a system call takes and gives is an address, a number or a descriptor"
)]

pub(crate) mod channel;
pub(crate) mod format;
mod hold;
mod machine;
mod operations;
mod place;
mod reaper;
pub(crate) mod sys;
mod target;
mod way;

pub(crate) use channel::MAX_PASSED;
pub(crate) use operations::expect;
pub(crate) use place::{MAX_KEPT, MAX_PLACED};
pub(crate) use target::like;

#[cfg(test)]
mod tests;
