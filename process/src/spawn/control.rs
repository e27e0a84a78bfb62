//! The caller's end of the control channel.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};

use crate::init::channel::{MAX_PASSED, MESSAGE, Message, kind};
use crate::init::format::NO_OPERATION;
use crate::{Error, sys};

/// Bytes of the program in one packet.
pub(super) const PACKET: usize = 32 * 1024;
const ANCILLARY: usize = rustix::cmsg_space!(ScmRights(64));
const _: () = assert!(MAX_PASSED == 64);

/// What the other side said.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message and the descriptors that came with it.
    Message(Message, Vec<OwnedFd>),
    /// The other side has closed its end: it has become the program, or ended.
    Closed,
    /// The process has ended, and nothing more will come.
    Ended,
}

/// The caller's end.
#[derive(Debug)]
pub(super) struct Control {
    socket: OwnedFd,
    /// The other side closed its end and did not take all that it was told.
    reset: AtomicBool,
}

/// Both ends: the caller's and the init's.
pub(super) fn pair() -> Result<(Control, OwnedFd), Error> {
    let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(Error::call("socketpair"))?;
    Ok((Control::new(socket), theirs))
}

impl Control {
    /// The caller's end of a connection.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket, reset: AtomicBool::new(false) }
    }

    /// Sends as much of the program as fits without waiting; gives the rest.
    pub(super) fn send_start<'p>(&self, mut program: &'p [u8]) -> Result<&'p [u8], Error> {
        while !program.is_empty() {
            let packet = &program[..program.len().min(PACKET)];
            match retry_on_intr(|| send(&self.socket, packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)) {
                Ok(_) => program = &program[packet.len()..],
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(Error::call("send")(errno)),
            }
        }
        Ok(program)
    }

    /// Sends the rest of the program. The process may end meanwhile; that shows when it is listened to.
    pub(super) fn send_rest(&self, mut program: &[u8], pidfd: BorrowedFd<'_>) -> Result<(), Error> {
        while !program.is_empty() {
            let rest = match self.send_start(program) {
                Err(Error::Call { errno, .. })
                    if [libc::EPIPE, libc::ECONNRESET].contains(&errno.number()) =>
                {
                    self.reset.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                other => other?,
            };
            if rest.len() == program.len() {
                let mut fds = [PollFd::new(&self.socket, PollFlags::OUT), PollFd::new(&pidfd, PollFlags::IN)];
                retry_on_intr(|| poll(&mut fds, None)).map_err(Error::call("poll"))?;
                if !fds[1].revents().is_empty() {
                    return Ok(());
                }
            }
            program = rest;
        }
        Ok(())
    }

    /// Lets the init go on, with descriptors.
    pub(super) fn go(&self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        self.say(kind::GO, descriptors)
    }

    /// Lets the init become the program when it gets there.
    pub(super) fn execute(&self) -> Result<(), Error> {
        self.say(kind::EXECUTE, &[])
    }

    /// Whether all that was said was taken, now that the other end is closed or the process has ended.
    pub(super) fn was_taken(&self) -> bool {
        !self.reset.load(Ordering::Relaxed) && !sys::is_unread(self.socket.as_fd())
    }

    fn say(&self, kind: u32, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let bytes = Message { kind, operation: NO_OPERATION, errno: 0, value: 0 }.to_bytes();
        let mut space = [MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            let value = descriptors.len().to_string();
            return Err(Error::Invalid {
                what: "number of descriptors",
                value,
                reason: "is above 64 in one meeting",
            });
        }
        match retry_on_intr(|| {
            sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
        }) {
            Ok(_) => Ok(()),
            // The process has ended; that shows when it is listened to.
            Err(Errno::PIPE | Errno::CONNRESET) => {
                self.reset.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(errno) => Err(Error::call("sendmsg")(errno)),
        }
    }

    /// Waits for the other side to speak, to close its end, or to end. A descriptor of our end of the channel may
    /// be held by a process that some other thread forked, so the end of file alone is not waited for.
    ///
    /// With `to_the_end` only the end of the process is waited for: what there is to say was said by then, and this
    /// process sleeps once.
    pub(super) fn listen(&self, pidfd: BorrowedFd<'_>, to_the_end: bool) -> Result<Heard, Error> {
        let ended = {
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(&self.socket, PollFlags::IN)];
            let fds = if to_the_end { &mut fds[..1] } else { &mut fds[..] };
            retry_on_intr(|| poll(fds, None)).map_err(Error::call("poll"))?;
            !fds[0].revents().is_empty()
        };
        match self.receive() {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) if ended => Ok(Heard::Ended),
            Ok(None) => self.listen(pidfd, to_the_end),
            Err(error) => Err(error),
        }
    }

    /// What there is to hear without waiting.
    pub(super) fn receive(&self) -> Result<Option<Heard>, Error> {
        let mut bytes = [0; MESSAGE];
        let mut space = [MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = retry_on_intr(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags)
        });
        let count = match received {
            Ok(message) => message.bytes,
            Err(Errno::AGAIN) => return Ok(None),
            // What the other side said before it left something unread is still to be heard.
            Err(Errno::CONNRESET) => {
                self.reset.store(true, Ordering::Relaxed);
                return self.receive();
            }
            Err(errno) => return Err(Error::call("recvmsg")(errno)),
        };
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if count == 0 {
            return Ok(Some(Heard::Closed));
        }
        Ok(Some(Heard::Message(Message::from_bytes(&bytes), descriptors)))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
