//! Files below a directory by raw system calls: one call each, plain error numbers, no allocation.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use super::{Answer, answer, syscall};

/// `openat(2)`, close-on-exec.
#[inline(always)]
pub(crate) fn open(at: BorrowedFd<'_>, path: &CStr, flags: i32) -> Result<OwnedFd, i32> {
    // SAFETY: the kernel only reads the path, which ends with a zero byte; no file is made, so no mode is given.
    let raw = unsafe { syscall!(libc::SYS_openat, at.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC) };
    let fd = i32::try_from(answer(raw)?).map_err(|_| libc::EBADF)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `open(2)` of a directory, only to be told to others; close-on-exec.
#[inline(always)]
pub(crate) fn open_path(path: &CStr) -> Result<OwnedFd, i32> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the kernel only reads the path, which ends with a zero byte; no file is made, so no mode is given.
    let raw = unsafe { syscall!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = i32::try_from(answer(raw)?).map_err(|_| libc::EBADF)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `mkdirat(2)`.
#[inline(always)]
pub(crate) fn make(at: BorrowedFd<'_>, path: &CStr) -> Answer {
    // SAFETY: the path is only read and ends with a zero byte.
    answer(unsafe { syscall!(libc::SYS_mkdirat, at.as_raw_fd(), path.as_ptr(), 0o755) })
}

/// `unlinkat(2)` of a directory.
#[inline(always)]
pub(crate) fn remove(at: BorrowedFd<'_>, path: &CStr) -> Answer {
    // SAFETY: the path is only read and ends with a zero byte.
    answer(unsafe { syscall!(libc::SYS_unlinkat, at.as_raw_fd(), path.as_ptr(), libc::AT_REMOVEDIR) })
}

/// Writes a control file: open, one write, close.
#[inline(always)]
pub(crate) fn write(at: BorrowedFd<'_>, path: &CStr, content: &[u8]) -> Answer {
    let fd = open(at, path, libc::O_WRONLY)?;
    // SAFETY: the kernel reads `content` only.
    answer(unsafe { syscall!(libc::SYS_write, fd.as_raw_fd(), content.as_ptr(), content.len()) })
}

/// `pread(2)` from the beginning of the file.
#[inline(always)]
pub(crate) fn read<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8]) -> Result<&'a [u8], i32> {
    // SAFETY: the kernel writes into `buffer`, at most as much as it holds.
    let raw = unsafe { syscall!(libc::SYS_pread64, fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len(), 0) };
    let len = usize::try_from(answer(raw)?).map_err(|_| libc::EIO)?;
    Ok(&buffer[..len.min(buffer.len())])
}

/// `poll(2)` for a change of a control file; false if there was none within `limit`.
#[inline(always)]
pub(crate) fn changed(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool, i32> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one pollfd, which the kernel reads and writes.
    answer(unsafe { syscall!(libc::SYS_poll, &raw mut poll, 1, limit) }).map(|ready| ready > 0)
}

/// `kill(2)`.
#[inline(always)]
pub(crate) fn kill(pid: i32, signal: i32) -> Answer {
    // SAFETY: numbers only.
    answer(unsafe { syscall!(libc::SYS_kill, pid, signal) })
}

/// `nanosleep(2)` of less than a second.
#[inline(always)]
pub(crate) fn nap(nanoseconds: u32) -> Answer {
    let time = [0, u64::from(nanoseconds)];
    // SAFETY: the kernel reads the two words of a timespec; the rest of the time is not asked for.
    answer(unsafe { syscall!(libc::SYS_nanosleep, time.as_ptr(), ptr::null::<u64>()) })
}
