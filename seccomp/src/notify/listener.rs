//! The descriptor that notifications come from.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::{Handler, Notification, Response};
use crate::{Error, Result, sys};

const ADD_FD: &str = "ioctl(SECCOMP_IOCTL_NOTIF_ADDFD)";

/// Where the calls arrive that a filter leaves to be decided: the descriptor that [`install`](crate::install) returns, or
/// that came over a socket.
///
/// It can be polled: readable means that a call waits, hung up that no process has the filter any more. When the last copy
/// is closed, calls that wait or come later fail with `ENOSYS`.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Decides about calls until no process has the filter any more.
    ///
    /// Calls that are interrupted or whose process is killed before they are decided are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the descriptor is no listener, or a response was not taken: an errno above 4095, or a descriptor
    /// for which the process has no room.
    pub fn serve(&self, handler: &mut dyn Handler) -> Result<()> {
        while self.wait()? {
            if let Some(notification) = self.receive()? {
                let response = handler.handle(&notification);
                self.respond(&notification, response)?;
            }
        }
        Ok(())
    }

    /// Waits for a call. False means that there will be none any more.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if that cannot be waited for.
    pub fn wait(&self) -> Result<bool> {
        loop {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) => {
                    let events = fds[0].revents();
                    if events.contains(PollFlags::IN) {
                        return Ok(true);
                    }
                    if events.intersects(PollFlags::HUP | PollFlags::ERR) {
                        return Ok(false);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::Call { call: "poll", source: errno.into() }),
            }
        }
    }

    /// Receives a call, and waits for one if there is none. Nothing is received if the call was interrupted meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the descriptor is no listener.
    pub fn receive(&self) -> Result<Option<Notification<'_>>> {
        let (size, _) = sys::notification_sizes()?;
        match sys::receive(self.fd(), size) {
            Ok(received) => Ok(Some(Notification::new(self, received))),
            Err(source) if matches!(source.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(source) => Err(Error::Call { call: "ioctl(SECCOMP_IOCTL_NOTIF_RECV)", source }),
        }
    }

    /// Decides about a call. It is no error if that waits no more.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if the response was not taken.
    pub fn respond(&self, notification: &Notification<'_>, response: Response) -> Result<()> {
        let id = notification.id();
        let mut answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 0 };
        match response {
            Response::Continue => {
                answer.flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
            }
            Response::Errno(errno) => answer.error = -i32::from(errno),
            Response::Value(value) => answer.val = value,
            Response::AddFd { fd, close_on_exec } => {
                return match self.add_fd(id, fd.as_fd(), None, close_on_exec, true) {
                    Ok(_) | Err(Error::Gone { .. }) => Ok(()),
                    Err(error) => Err(error),
                };
            }
        }
        let (_, size) = sys::notification_sizes()?;
        match sys::send(self.fd(), size, answer) {
            Err(source) if source.raw_os_error() != Some(libc::ENOENT) => {
                Err(Error::Call { call: "ioctl(SECCOMP_IOCTL_NOTIF_SEND)", source })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(super) fn add_fd(
        &self,
        id: u64,
        fd: BorrowedFd<'_>,
        at: Option<u32>,
        close_on_exec: bool,
        answers: bool,
    ) -> Result<u32> {
        let failed = |source| Error::Call { call: ADD_FD, source };
        let flags =
            [(at.is_some(), libc::SECCOMP_ADDFD_FLAG_SETFD), (answers, libc::SECCOMP_ADDFD_FLAG_SEND)];
        let flags = flags.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit);
        let request = libc::seccomp_notif_addfd {
            id,
            flags: u32::try_from(flags).unwrap_or(0),
            srcfd: fd.as_raw_fd().cast_unsigned(),
            newfd: at.unwrap_or(0),
            newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        match sys::add_fd(self.fd(), request) {
            Ok(number) => {
                u32::try_from(number).map_err(|_| failed(io::Error::from_raw_os_error(libc::EBADF)))
            }
            Err(source) if source.raw_os_error() == Some(libc::ENOENT) => Err(Error::Gone { id }),
            Err(source) => Err(failed(source)),
        }
    }
}

impl From<OwnedFd> for Listener {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.0
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}
