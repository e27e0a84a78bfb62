//! Sockets of `AF_UNIX`, by paths of any length.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, bind, connect, listen, send, sendmsg, socket_with,
};

use super::state::Entry;
use super::{Error, Result};

/// How long who listens may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// A new socket in the directory of a container that takes connections.
pub(super) fn listen_at(entry: &Entry, name: &str) -> Result<OwnedFd> {
    let socket = bind_at(entry, name, SocketType::SEQPACKET)?;
    listen(&socket, 8).map_err(Error::path("socket", entry.path(name)))?;
    Ok(socket)
}

/// A new socket with a name in the directory of a container.
pub(super) fn bind_at(entry: &Entry, name: &str, kind: SocketType) -> Result<OwnedFd> {
    let failed = || Error::path("socket", entry.path(name));
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(failed())?;
    let address = SocketAddrUnix::new(entry.short_path(name)).map_err(failed())?;
    bind(&socket, &address).map_err(failed())?;
    Ok(socket)
}

/// Connects to a socket in the directory of a container.
pub(super) fn connect_at(entry: &Entry, name: &str) -> Result<OwnedFd> {
    let connected = connect_to(&entry.short_path(name), SocketType::SEQPACKET);
    connected.map_err(Error::path("socket", entry.path(name)))
}

/// Sends a descriptor to who listens at a path, as engines expect it: a name for it is the message.
pub(super) fn send_to(what: &'static str, path: &Path, name: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
    let socket = connect_path(path).map_err(Error::path(what, path))?;
    send_with(socket.as_fd(), name, fd).map_err(Error::path(what, path))
}

/// Sends a message with a descriptor.
pub(super) fn send_with(socket: BorrowedFd<'_>, message: &[u8], fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::INVAL);
    }
    // Who never reads does not hold us up.
    set_socket_timeout(socket, Timeout::Send, Some(PATIENCE))?;
    let flags = SendFlags::NOSIGNAL;
    let mut sent = retry_on_intr(|| sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, flags))?;
    while let Some(rest) = message.get(sent..).filter(|rest| !rest.is_empty()) {
        sent += retry_on_intr(|| send(socket, rest, flags))?;
    }
    Ok(())
}

/// A connection to a stream socket at a path of the host.
fn connect_path(path: &Path) -> Result<OwnedFd, Errno> {
    // An address has 107 bytes at most; a name in an open directory has any.
    let (directory, name) = split(path)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, directory, flags, Mode::empty())?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    let result = connect_to(&short, SocketType::STREAM);
    drop(directory);
    result
}

/// The directory and the name.
pub(super) fn split(path: &Path) -> Result<(&Path, &std::ffi::OsStr), Errno> {
    let name = path.file_name().ok_or(Errno::ISDIR)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    Ok((directory.unwrap_or(Path::new(".")), name))
}

/// Connects, and does not wait for ever if nobody accepts.
fn connect_to(path: &Path, kind: SocketType) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
    let address = SocketAddrUnix::new(path)?;
    let end = Instant::now() + PATIENCE;
    loop {
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            // The queue of the listener is full, and nothing tells when it is not.
            Err(Errno::AGAIN) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            Err(Errno::AGAIN) => return Err(Errno::TIMEDOUT),
            Err(errno) => return Err(errno),
        }
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket)
}
