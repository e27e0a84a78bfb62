//! The unsafe part of the crate outside the init: cloning, and calls that no library offers.
#![allow(unsafe_code)]

mod clone;
mod guard;
mod stack;
mod stub;

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::{Errno, Error};

pub(crate) use clone::{Cloned, clone};
pub(crate) use guard::Guard;
pub(crate) use stub::{Before, Gap, Init, Stub};

/// Sends any signal, realtime ones included, by pidfd. A process that has ended is no error.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), Error> {
    // SAFETY: numbers and a null siginfo.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, 0, 0) };
    match last(result) {
        Ok(_) => Ok(()),
        Err(errno) if errno.number() == libc::ESRCH => Ok(()),
        Err(errno) => Err(Error::Call { call: "pidfd_send_signal", errno }),
    }
}

/// How a process ended, by its pidfd after it was reaped (`PIDFD_GET_INFO`, Linux 6.15): its wait status.
pub(crate) fn pidfd_exit_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    pidfd_exit_info(pidfd).flatten()
}

/// The same, told apart: no information to be had, or none yet, as its parent has not reaped the process.
pub(crate) fn pidfd_exit_info(pidfd: BorrowedFd<'_>) -> Option<Option<i32>> {
    const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    const EXIT_CODE: usize = 15;
    let mut info = [0_u32; 16];
    info[0] = u32::try_from(PIDFD_INFO_EXIT).unwrap_or(0);
    // SAFETY: the request says that the structure has 64 bytes, as the buffer does.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, info.as_mut_ptr()) };
    let told = u64::from(info[0]) & PIDFD_INFO_EXIT != 0;
    (result == 0).then(|| told.then(|| info[EXIT_CODE].cast_signed()))
}

/// Whether the other end of a socket has left something unread (`SIOCOUTQ`, `unix(7)`).
pub(crate) fn is_unread(socket: BorrowedFd<'_>) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one number.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    result == 0 && bytes > 0
}

/// The capabilities that this thread may use.
pub(crate) fn permitted_capabilities() -> u64 {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: version 3 of the call: a header of two words, two times three words of sets.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    if result == 0 { u64::from(sets[1]) | u64::from(sets[4]) << 32 } else { 0 }
}

/// The highest capability that the kernel knows.
pub(crate) fn last_capability() -> u32 {
    // SAFETY: takes numbers only; the answer is an error for capabilities that do not exist.
    let known = |number: &u32| unsafe { libc::prctl(libc::PR_CAPBSET_READ, *number, 0, 0, 0) } >= 0;
    (0..64).take_while(known).last().unwrap_or(0)
}

/// The result of a libc call, or errno.
fn last(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result == -1 {
        Err(Errno::new(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)))
    } else {
        Ok(result)
    }
}

/// Makes a mount read-only (`mount_setattr(2)`, Linux 5.12).
pub(crate) fn set_mount_read_only(mount: BorrowedFd<'_>) -> Result<(), rustix::io::Errno> {
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: an empty path and a structure of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    last(result).map(|_| ()).map_err(|errno| rustix::io::Errno::from_raw_os_error(errno.number()))
}

/// A descriptor whose readability can be awaited. Called within a tokio runtime.
#[cfg(feature = "tokio")]
pub(crate) fn watch(
    fd: std::os::fd::OwnedFd,
) -> std::io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: the descriptor is owned by the result and so stays open, under the same number, while registered.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE) }
        .map_err(Into::into)
}
