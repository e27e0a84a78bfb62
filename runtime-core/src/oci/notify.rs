//! Notifications of `sd_notify(3)`: the program says to a socket in its container what is forwarded to the host's.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{AtFlags, Mode, chmodat, mkdirat};
use rustix::io::retry_on_intr;
use rustix::net::SocketType;

use super::state::Entry;
use super::{Error, Result, sockets};

/// Where the program finds the socket.
pub(super) const INSIDE: &str = "/run/notify/notify.sock";

const DIRECTORY: &str = "notify";
const SOCKET: &str = "notify/notify.sock";
/// The longest notification.
const LONGEST: usize = 16 << 10;
/// How long the host may take to say that it has seen all.
const PATIENCE: Duration = Duration::from_secs(5);

/// The directory that is shown to the container, where every user of it may come.
pub(super) fn make_directory(entry: &Entry) -> Result<PathBuf> {
    let failed = || Error::path("notify directory", entry.path(DIRECTORY));
    mkdirat(entry.fd(), DIRECTORY, Mode::RWXU).map_err(failed())?;
    chmodat(entry.fd(), DIRECTORY, Mode::from_raw_mode(0o755), AtFlags::empty()).map_err(failed())?;
    Ok(entry.path(DIRECTORY))
}

/// Makes the socket that the program finds.
pub(super) fn bind(entry: &Entry) -> Result<OwnedFd> {
    entry.remove_file(SOCKET)?;
    let socket = sockets::bind_at(entry, SOCKET, SocketType::DGRAM)?;
    let mode = Mode::from_raw_mode(0o777);
    chmodat(entry.fd(), SOCKET, mode, AtFlags::empty())
        .map_err(Error::path("notify socket", entry.path(SOCKET)))?;
    Ok(socket)
}

/// Forwards until the program is ready or has ended.
pub(super) fn forward(socket: BorrowedFd<'_>, host: &Path, pid: u32, pidfd: BorrowedFd<'_>) -> Result<()> {
    let failed = |error: &std::io::Error| Error::io("notify socket", host)(error);
    let inside = UnixDatagram::from(socket.try_clone_to_owned().map_err(|error| failed(&error))?);
    let outside = UnixDatagram::unbound().map_err(|error| failed(&error))?;
    connect(&outside, host).map_err(|error| failed(&error))?;
    let mut buffer = vec![0; LONGEST];
    loop {
        let mut fds = [PollFd::new(&inside, PollFlags::IN), PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, None)).map_err(Error::call("poll"))?;
        if fds[0].revents().is_empty() {
            return Ok(());
        }
        let count = match inside.recv(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(&error)),
        };
        if is_ready(buffer.get(..count).unwrap_or_default()) {
            // Other assignments are not for a service manager that knows nothing of the processes in the container.
            outside.send(b"READY=1").map_err(|error| failed(&error))?;
            barrier(&outside, host)?;
            outside.send(format!("MAINPID={pid}").as_bytes()).map_err(|error| failed(&error))?;
            return Ok(());
        }
    }
}

fn is_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

/// Connects to a path, or to a name in the abstract namespace as `@NAME` has it.
fn connect(socket: &UnixDatagram, host: &Path) -> std::io::Result<()> {
    match host.as_os_str().as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?),
        _ => socket.connect(host),
    }
}

/// Waits until the service manager has seen all that was said: it closes the descriptor that it gets (`BARRIER=1`).
fn barrier(socket: &UnixDatagram, host: &Path) -> Result<()> {
    let (ours, theirs) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Error::call("pipe2"))?;
    sockets::send_with(socket.as_fd(), b"BARRIER=1", theirs.as_fd())
        .map_err(Error::path("notify socket", host))?;
    drop(theirs);
    let mut fds = [PollFd::new(&ours, PollFlags::empty())];
    let limit = rustix::event::Timespec::try_from(PATIENCE).ok();
    match retry_on_intr(|| poll(&mut fds, limit.as_ref())) {
        // Who does not know it does not answer.
        Ok(_) => Ok(()),
        Err(errno) => Err(Error::call("poll")(errno)),
    }
}
