//! The control channel: a SOCK_SEQPACKET socket between the caller and the init, with descriptors both ways.

use super::format::{self, HEADER};
use super::sys::{self, checked, fd, nr};

/// Most descriptors in one message.
pub(crate) const MAX_PASSED: usize = 64;

/// Kinds of messages.
pub(crate) mod kind {
    /// To the caller: an operation failed.
    pub(crate) const FAILED: u32 = 1;
    /// To the caller: the init stops at a meeting; `value` is its point.
    pub(crate) const SYNC: u32 = 2;
    /// To the caller: a second process goes on; `value` is its id, its pidfd is attached.
    pub(crate) const FORKED: u32 = 3;
    /// To the init: go on.
    pub(crate) const GO: u32 = 4;
    /// To the init, the last word: become the program. If the init is held, it is the word to go on as well.
    pub(crate) const EXECUTE: u32 = 5;
    /// To the caller: everything is set up, and the init is held.
    pub(crate) const READY: u32 = 6;
}

/// A message, either way.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// One of [`kind`].
    pub(crate) kind: u32,
    /// The operation that it is about.
    pub(crate) operation: u32,
    /// An errno, or zero.
    pub(crate) errno: i32,
    /// What the kind makes of it.
    pub(crate) value: u32,
}

/// Size of a message.
pub(crate) const MESSAGE: usize = size_of::<Message>();

impl Message {
    /// The message as bytes.
    pub(crate) fn to_bytes(self) -> [u8; MESSAGE] {
        let mut bytes = [0; MESSAGE];
        let words = [self.kind, self.operation, self.errno.cast_unsigned(), self.value];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// The message in these bytes.
    pub(crate) fn from_bytes(bytes: &[u8; MESSAGE]) -> Self {
        let word = |at| format::u32_at(bytes, at).unwrap_or(0);
        Self { kind: word(0), operation: word(4), errno: word(8).cast_signed(), value: word(12) }
    }
}

/// `struct iovec`.
#[repr(C)]
struct IoVec {
    base: *mut u8,
    len: usize,
}

/// `struct msghdr` of the kernel.
#[repr(C)]
struct MsgHdr {
    name: usize,
    name_len: usize,
    iov: *mut IoVec,
    iov_len: usize,
    control: *mut Control,
    control_len: usize,
    flags: usize,
}

/// A control message with room for descriptors: `struct cmsghdr` and its data.
#[repr(C)]
struct Control {
    len: usize,
    level: i32,
    kind: i32,
    fds: [i32; MAX_PASSED],
}

const CMSG_HEADER: usize = 16;
const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const MSG_CTRUNC: usize = 0x08;
const MSG_PEEK: usize = 0x02;
const MSG_TRUNC: usize = 0x20;
const MSG_NOSIGNAL: usize = 0x4000;
const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;

/// Sends a message with descriptors.
pub(crate) fn send(socket: i32, message: Message, fds: &[i32]) -> Result<(), i32> {
    let mut bytes = message.to_bytes();
    let mut iov = IoVec { base: bytes.as_mut_ptr(), len: MESSAGE };
    let mut control = Control {
        len: CMSG_HEADER + fds.len() * 4,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        fds: [-1; MAX_PASSED],
    };
    control.fds.get_mut(..fds.len()).ok_or(sys::EINVAL)?.copy_from_slice(fds);
    let attached = !fds.is_empty();
    let header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: &raw mut iov,
        iov_len: 1,
        control: if attached { &raw mut control } else { core::ptr::null_mut() },
        control_len: if attached { format::padded(control.len) } else { 0 },
        flags: 0,
    };
    loop {
        let arguments = [fd(socket), (&raw const header) as usize, MSG_NOSIGNAL, 0, 0, 0];
        // SAFETY: the header points to a vector, a message and control data that outlive the call.
        match unsafe { checked(nr::SENDMSG, arguments) } {
            Err(sys::EINTR) => {}
            other => return other.map(|_| ()),
        }
    }
}

/// Receives a message and its descriptors into `fds`; gives how many there were. The other side's end of file
/// is an error.
pub(crate) fn receive(socket: i32, fds: &mut [i32; MAX_PASSED]) -> Result<(Message, usize), i32> {
    let mut bytes = [0; MESSAGE];
    let mut iov = IoVec { base: bytes.as_mut_ptr(), len: MESSAGE };
    let mut control = Control { len: 0, level: 0, kind: 0, fds: [-1; MAX_PASSED] };
    let mut header = MsgHdr {
        name: 0,
        name_len: 0,
        iov: &raw mut iov,
        iov_len: 1,
        control: &raw mut control,
        control_len: size_of::<Control>(),
        flags: 0,
    };
    let arguments = [fd(socket), (&raw mut header) as usize, MSG_CMSG_CLOEXEC, 0, 0, 0];
    // SAFETY: the header points to a vector, a message and control data that outlive the call.
    let length = retry(|| unsafe { checked(nr::RECVMSG, arguments) })?;
    if length != MESSAGE || header.flags & MSG_CTRUNC != 0 {
        return Err(sys::EBADMSG);
    }
    let attached =
        header.control_len > CMSG_HEADER && control.level == SOL_SOCKET && control.kind == SCM_RIGHTS;
    let count = if attached { control.len.saturating_sub(CMSG_HEADER) / 4 } else { 0 };
    *fds = control.fds;
    Ok((Message::from_bytes(&bytes), count.min(MAX_PASSED)))
}

/// Receives the program: its size is in its first bytes; it comes in as many packets as it needs. If it is the last word
/// as well it is one packet, and stays in the channel.
pub(super) fn receive_program(socket: i32) -> Result<&'static mut [u8], i32> {
    let mut start = [0_u8; HEADER];
    peek(socket, &mut start)?;
    let size = format::size(&start).map_err(|_| sys::EBADMSG)?;
    let flags = if format::is_last_word(&start) { MSG_PEEK } else { 0 };
    let program = memory(size)?;
    let mut filled = 0;
    while filled < size {
        let rest = program.get_mut(filled..).ok_or(sys::EBADMSG)?;
        match receive_bytes(socket, rest, flags)? {
            count if count == 0 || (flags == MSG_PEEK && count != size) => return Err(sys::EBADMSG),
            count => filled += count,
        }
    }
    Ok(program)
}

/// Takes the packet that was looked at out of the channel.
pub(super) fn take_program(socket: i32) -> Result<(), i32> {
    match receive_bytes(socket, &mut [0; HEADER], 0)? {
        HEADER => Ok(()),
        _ => Err(sys::EBADMSG),
    }
}

/// Waits for a message, and leaves it there. The other side's end of file is an error.
pub(super) fn peek_message(socket: i32) -> Result<Message, i32> {
    let mut bytes = [0; MESSAGE];
    match receive_bytes(socket, &mut bytes, MSG_PEEK | MSG_TRUNC)? {
        MESSAGE => Ok(Message::from_bytes(&bytes)),
        _ => Err(sys::EBADMSG),
    }
}

fn receive_bytes(socket: i32, buffer: &mut [u8], flags: usize) -> Result<usize, i32> {
    let arguments = [fd(socket), buffer.as_mut_ptr() as usize, buffer.len(), flags, 0, 0];
    // SAFETY: the kernel writes at most the length of the buffer.
    retry(|| unsafe { checked(nr::RECVFROM, arguments) })
}

/// Waits until the program is there, and leaves it there.
pub(crate) fn wait(socket: i32) -> Result<(), i32> {
    peek(socket, &mut [0; HEADER])
}

fn peek(socket: i32, start: &mut [u8; HEADER]) -> Result<(), i32> {
    if receive_bytes(socket, start, MSG_PEEK)? == HEADER { Ok(()) } else { Err(sys::EBADMSG) }
}

/// Room for programs of the usual size. Pages that are not used are not there.
static mut ROOM: [u8; 48 * 1024] = [0; 48 * 1024];

/// Memory for the program, for as long as the process lives. Called once.
fn memory(size: usize) -> Result<&'static mut [u8], i32> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    let room = &raw mut ROOM;
    let start = if size <= 48 * 1024 {
        room.cast::<u8>()
    } else {
        let arguments = [0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0];
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        unsafe { checked(nr::MMAP, arguments)? as *mut u8 }
    };
    // SAFETY: this is the only reference to the room, as this is called once in the single thread of the process; or a
    // fresh private mapping of at least this size that is never unmapped.
    Ok(unsafe { core::slice::from_raw_parts_mut(start, size) })
}

fn retry(mut call: impl FnMut() -> Result<usize, i32>) -> Result<usize, i32> {
    loop {
        match call() {
            Err(sys::EINTR) => {}
            other => return other,
        }
    }
}
