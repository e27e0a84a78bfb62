//! The mount interface by raw system calls: one call each, plain error numbers, no allocation.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::{Answer, answer, syscall};

const SET_FLAG: u32 = 0;
const SET_STRING: u32 = 1;
const SET_FD: u32 = 5;
const CREATE: u32 = 6;
/// Of the context and of the mount.
const CLOEXEC: u32 = 1;

/// `fsopen(2)`, close-on-exec.
#[inline(always)]
pub(crate) fn context(name: &CStr) -> Result<OwnedFd, i32> {
    // SAFETY: the kernel reads the name, which ends with a zero byte.
    owned(unsafe { syscall!(libc::SYS_fsopen, name.as_ptr(), CLOEXEC) })
}

/// `fsconfig(2)` without a value.
#[inline(always)]
pub(crate) fn set_flag(context: BorrowedFd<'_>, key: &CStr) -> Answer {
    let (fd, none) = (context.as_raw_fd(), ptr::null::<u8>());
    // SAFETY: the kernel reads the key, which ends with a zero byte.
    answer(unsafe { syscall!(libc::SYS_fsconfig, fd, SET_FLAG, key.as_ptr(), none, 0) })
}

/// `fsconfig(2)` with a text.
#[inline(always)]
pub(crate) fn set_string(context: BorrowedFd<'_>, key: &CStr, value: &CStr) -> Answer {
    let fd = context.as_raw_fd();
    // SAFETY: the kernel reads key and value, which end with a zero byte.
    answer(unsafe { syscall!(libc::SYS_fsconfig, fd, SET_STRING, key.as_ptr(), value.as_ptr(), 0) })
}

/// `fsconfig(2)` with a descriptor.
#[inline(always)]
pub(crate) fn set_fd(context: BorrowedFd<'_>, key: &CStr, value: BorrowedFd<'_>) -> Answer {
    let (fd, value) = (context.as_raw_fd(), value.as_raw_fd());
    // SAFETY: the kernel reads the key, which ends with a zero byte; there is no value but the descriptor.
    answer(unsafe { syscall!(libc::SYS_fsconfig, fd, SET_FD, key.as_ptr(), ptr::null::<u8>(), value) })
}

/// `fsconfig(2)`: the file system is made.
#[inline(always)]
pub(crate) fn create(context: BorrowedFd<'_>) -> Answer {
    let none = ptr::null::<u8>();
    // SAFETY: numbers and no pointers.
    answer(unsafe { syscall!(libc::SYS_fsconfig, context.as_raw_fd(), CREATE, none, none, 0) })
}

/// `fsmount(2)`, close-on-exec: a mount that goes with its descriptor.
#[inline(always)]
pub(crate) fn mount(context: BorrowedFd<'_>) -> Result<OwnedFd, i32> {
    // SAFETY: numbers only.
    owned(unsafe { syscall!(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0) })
}

#[inline(always)]
fn owned(raw: i64) -> Result<OwnedFd, i32> {
    let fd = i32::try_from(answer(raw)?).map_err(|_| libc::EBADF)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
