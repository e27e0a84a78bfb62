//! The raw system calls that neither the standard library nor rustix offers as safe functions.
//!
//! This is the only file of the crate with unsafe code.
#![allow(unsafe_code)]

use crate::errno::{Errno, rustix};
use ::rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use libc::{Ioctl, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const NS_GET_USERNS: Ioctl = 0xb701;
const NS_GET_PARENT: Ioctl = 0xb702;
const NS_GET_NSTYPE: Ioctl = 0xb703;
const NS_GET_OWNER_UID: Ioctl = 0xb704;

/// An ioctl that takes no argument and returns a new, close-on-exec namespace descriptor.
#[derive(Clone, Copy)]
pub(crate) enum FdRequest {
    /// `NS_GET_USERNS`
    Owner,
    /// `NS_GET_PARENT`
    Parent,
    /// `PIDFD_GET_*_NAMESPACE`
    OfPidfd(crate::Kind),
}

impl FdRequest {
    fn number(self) -> Ioctl {
        use crate::Kind::*;
        match self {
            Self::Owner => NS_GET_USERNS,
            Self::Parent => NS_GET_PARENT,
            Self::OfPidfd(Cgroup) => 0xff01,
            Self::OfPidfd(Ipc) => 0xff02,
            Self::OfPidfd(Mnt) => 0xff03,
            Self::OfPidfd(Net) => 0xff04,
            Self::OfPidfd(Pid) => 0xff05,
            Self::OfPidfd(Time) => 0xff07,
            Self::OfPidfd(User) => 0xff09,
            Self::OfPidfd(Uts) => 0xff0a,
        }
    }
}

fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(Errno::last()) } else { Ok(result) }
}

/// `setns(2)` of the calling thread.
pub(crate) fn setns(fd: BorrowedFd<'_>, flags: u32) -> Result<(), Errno> {
    // SAFETY: setns takes no pointer, and the borrow keeps the descriptor open. It changes what system
    // calls of this thread see, never memory of this program.
    check(unsafe { libc::setns(fd.as_raw_fd(), flags.cast_signed()) }).map(drop)
}

/// Asks for a related namespace.
pub(crate) fn ioctl_fd(fd: BorrowedFd<'_>, request: FdRequest) -> Result<OwnedFd, Errno> {
    // SAFETY: these requests take no argument, so the kernel reads and writes no memory of ours.
    let new = check(unsafe { libc::ioctl(fd.as_raw_fd(), request.number()) })?;
    // SAFETY: these requests return a descriptor that the kernel has just made, which nobody else owns.
    // Callers have checked by fstatfs that the descriptor is on nsfs or pidfs, which give these numbers no
    // other meaning.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// `NS_GET_NSTYPE`: the `CLONE_NEW*` flag of a namespace descriptor.
pub(crate) fn ns_type(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    // SAFETY: the request takes no argument, so the kernel reads and writes no memory of ours.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) }).map(c_int::cast_unsigned)
}

/// `NS_GET_OWNER_UID`: who made a user namespace.
pub(crate) fn owner_uid(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the request writes one uid_t through the pointer, which points to one that outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) })?;
    Ok(uid)
}

/// Sets `IFF_UP` on `lo`; the error names the step that failed.
pub(crate) fn raise_loopback() -> Result<(), (&'static str, Errno)> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| ("socket", rustix(errno)))?;
    let mut request = loopback_request();
    // SAFETY: both requests read and write one ifreq through the pointer, which points to one that outlives
    // the call and is wholly initialised.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as Ioctl, &raw mut request) })
        .map_err(|errno| ("SIOCGIFFLAGS", errno))?;
    // SAFETY: after a successful SIOCGIFFLAGS the union holds the flags; any bits are a valid c_short.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | IFF_UP;
    // SAFETY: as for SIOCGIFFLAGS above.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as Ioctl, &raw mut request) })
        .map(drop)
        .map_err(|errno| ("SIOCSIFFLAGS", errno))
}

const IFF_UP: libc::c_short = 1;

fn loopback_request() -> libc::ifreq {
    // SAFETY: ifreq is plain old data of integers, arrays and a union of such, for which zero bytes are
    // valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request
}
