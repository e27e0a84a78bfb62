//! The unsafe part of the crate: `seccomp(2)`, and what is asked of a listener.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::{Error, Instruction, Result};

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
const NEW_LISTENER: u32 = 1 << 3;
const MAGIC: u32 = b'!' as u32;
const RECEIVE: libc::Ioctl = libc::_IOWR::<libc::seccomp_notif>(MAGIC, 0);
const SEND: libc::Ioctl = libc::_IOWR::<libc::seccomp_notif_resp>(MAGIC, 1);
const ID_VALID: libc::Ioctl = libc::_IOW::<u64>(MAGIC, 2);
const ADD_FD: libc::Ioctl = libc::_IOW::<libc::seccomp_notif_addfd>(MAGIC, 3);

/// Installs a filter for this thread. The result is a descriptor where the flags ask for a listener.
pub(crate) fn install(instructions: &[Instruction], flags: u32) -> Result<Option<OwnedFd>> {
    let convert = |of: &Instruction| libc::sock_filter { code: of.code, jt: of.jt, jf: of.jf, k: of.k };
    let mut filter: Vec<libc::sock_filter> = instructions.iter().map(convert).collect();
    let len = u16::try_from(filter.len()).map_err(|_| Error::TooLong { instructions: filter.len() })?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program points to as many instructions as it says, which live until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    if result < 0 {
        return Err(last("seccomp"));
    }
    if flags & NEW_LISTENER == 0 {
        return if result == 0 { Ok(None) } else { Err(Error::Synchronize { thread: result }) };
    }
    let fd = RawFd::try_from(result).map_err(|_| Error::Synchronize { thread: result })?;
    // SAFETY: the kernel made this descriptor for us; nobody else has its number.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Whether the kernel knows a flag: it looks at flags first, and then for the program, which is not there.
pub(crate) fn knows_flag(flag: u32) -> bool {
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: a null program is answered with EFAULT, and nothing is installed.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, mode, flag, std::ptr::null::<libc::sock_fprog>()) };
    result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Whether the kernel knows an action.
pub(crate) fn knows_action(code: u32) -> bool {
    // SAFETY: the call reads one number of 32 bits.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const code) };
    result == 0
}

/// Sets `no_new_privs` for this thread.
pub(crate) fn set_no_new_privs() -> Result<()> {
    // SAFETY: numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(last("prctl(PR_SET_NO_NEW_PRIVS)")) }
}

/// How large the kernel's structures are: of a notification, and of a response.
pub(crate) fn notification_sizes() -> Result<(usize, usize)> {
    let mut sizes = libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the call writes a structure of this type.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, &raw mut sizes) };
    if result != 0 {
        return Err(last("seccomp(SECCOMP_GET_NOTIF_SIZES)"));
    }
    Ok((usize::from(sizes.seccomp_notif), usize::from(sizes.seccomp_notif_resp)))
}

/// A structure with the room that the kernel may need behind it: a newer kernel can have a longer one.
#[repr(C, align(8))]
struct Roomy<T> {
    value: T,
    room: [u64; 64],
}

impl<T> Roomy<T> {
    /// As much as the kernel is given.
    const SIZE: usize = size_of::<Self>();

    /// All zero, if there is room for so many bytes.
    fn new(needed: usize) -> Option<Self> {
        // SAFETY: only used with structures of the kernel that are made of numbers, for which zero is a value.
        (needed <= Self::SIZE).then(|| unsafe { zeroed() })
    }
}

/// Waits for a notification and receives it.
pub(crate) fn receive(listener: BorrowedFd<'_>, size: usize) -> io::Result<libc::seccomp_notif> {
    let mut notification =
        Roomy::<libc::seccomp_notif>::new(size).ok_or_else(|| io::Error::from_raw_os_error(libc::E2BIG))?;
    // SAFETY: the buffer is zeroed and has at least the size that the kernel told.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, (&raw mut notification).cast::<u8>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(notification.value) }
}

/// Answers a notification.
pub(crate) fn send(
    listener: BorrowedFd<'_>,
    size: usize,
    response: libc::seccomp_notif_resp,
) -> io::Result<()> {
    let mut sent = Roomy::<libc::seccomp_notif_resp>::new(size)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::E2BIG))?;
    sent.value = response;
    // SAFETY: the buffer has at least the size that the kernel told.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), SEND, (&raw mut sent).cast::<u8>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a notification still waits for an answer.
pub(crate) fn is_valid(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    // SAFETY: the request reads one number of 64 bits.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID, &raw const id) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Puts a descriptor into the process whose call waits; the result is its number there.
pub(crate) fn add_fd(listener: BorrowedFd<'_>, request: libc::seccomp_notif_addfd) -> io::Result<RawFd> {
    // SAFETY: the request reads a structure of this type.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), ADD_FD, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Reads memory of a process, up to the first page that is not there; how many bytes were read.
pub(crate) fn read_memory(pid: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let len = buffer.len();
    let address = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: len };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: len };
    // SAFETY: the local part is the buffer, borrowed for writing; the remote part is another process' matter.
    let result = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn last(call: &'static str) -> Error {
    Error::Call { call, source: io::Error::last_os_error() }
}
