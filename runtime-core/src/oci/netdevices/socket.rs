//! Asking the kernel, and its answers.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::message::{Message, Request, messages};

/// The kernel puts at most this much into one packet of a list.
const BUFFER: usize = 64 << 10;
/// `NLM_F_DUMP_INTR` of `linux/netlink.h`: something has changed while the list was made.
const INTERRUPTED: u16 = 0x10;

/// A socket of `NETLINK_ROUTE`. It speaks about the network namespace in which it was made.
#[derive(Debug)]
pub(super) struct Route {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Route {
    /// For the calling thread's network namespace.
    pub(super) fn open() -> rustix::io::Result<Self> {
        // `NETLINK_ROUTE` is 0, which is what no protocol means.
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).map(Self::over)
    }

    pub(super) fn over(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0, buffer: vec![0; BUFFER] }
    }

    /// Does something, and waits for the kernel's word that it is done.
    pub(super) fn act(&mut self, request: Request) -> rustix::io::Result<()> {
        self.send(request)?;
        self.receive(|_| {}).map(|_| ())
    }

    /// Asks, and reads the messages of the answer.
    pub(super) fn ask<T>(
        &mut self,
        request: &Request,
        read: impl Fn(Message<'_>) -> Option<T>,
    ) -> rustix::io::Result<Vec<T>> {
        const ATTEMPTS: u32 = 16;
        for _ in 0..ATTEMPTS {
            self.send(request.clone())?;
            let mut found = Vec::new();
            if self.receive(|message| found.extend(read(message)))? {
                return Ok(found);
            }
        }
        Err(Errno::AGAIN)
    }

    fn send(&mut self, request: Request) -> rustix::io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.bytes(self.sequence);
        rustix::io::retry_on_intr(|| send(&self.socket, &bytes, SendFlags::empty())).map(|_| ())
    }

    /// Until the end of an answer; false if it is one of different moments.
    fn receive(&mut self, mut read: impl FnMut(Message<'_>)) -> rustix::io::Result<bool> {
        let (done, error) = (3, 2);
        let mut whole = true;
        loop {
            let buffer = &mut self.buffer;
            let received =
                rustix::io::retry_on_intr(|| recv(&self.socket, buffer.as_mut_slice(), RecvFlags::TRUNC));
            let (_, length) = received?;
            let packet = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            // What is left of an earlier answer is not for this one.
            for message in messages(packet).filter(|message| message.sequence == self.sequence) {
                whole &= message.flags & INTERRUPTED == 0;
                match message.kind {
                    kind if kind == done || kind == error => {
                        let code = message.body.get(..4).and_then(|bytes| bytes.try_into().ok());
                        return match code.map_or(0, i32::from_ne_bytes) {
                            0 => Ok(whole),
                            code => Err(Errno::from_raw_os_error(code.saturating_neg())),
                        };
                    }
                    _ => read(message),
                }
            }
        }
    }
}
