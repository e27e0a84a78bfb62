//! What the program writes.

use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::thread::{Builder, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::failure::Failure;

/// A thread of its own: a reader here that has stopped must not keep signals from the program.
#[derive(Debug)]
pub struct Output {
    thread: JoinHandle<()>,
    /// Closed when no more is to be waited for.
    ended: OwnedFd,
}

impl Output {
    /// Copies from the master, which does not block, to standard output.
    pub fn start(master: OwnedFd) -> Result<Self, Failure> {
        let (end, ended) = pipe_with(PipeFlags::CLOEXEC).map_err(Failure::of("pipe"))?;
        let thread = Builder::new().name("output".to_owned());
        let thread = thread.spawn(move || copy(&master, &end)).map_err(Failure::of("start a thread"))?;
        Ok(Self { thread, ended })
    }

    /// The program has ended. What it wrote is still copied; what others may write to its terminal is not waited for.
    pub fn finish(self) {
        drop(self.ended);
        self.thread.join().unwrap_or_default();
    }
}

fn copy(master: &OwnedFd, end: &OwnedFd) {
    let mut buffer = [0; 16384];
    let mut gone = false;
    loop {
        let mut fds = [PollFd::new(master, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        if retry_on_intr(|| poll(&mut fds, None)).is_err() {
            return;
        }
        match read(master, &mut buffer) {
            Ok(0) => return,
            // After its reader is gone the program goes on, and so has to be read from.
            Ok(count) if !gone => gone = !write(&buffer[..count]),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if fds[1].revents().is_empty() => {}
            // The terminal is closed by all (EIO), or empty and the program is gone.
            Err(_) => return,
        }
    }
}

/// Whether there is still somebody who reads.
fn write(bytes: &[u8]) -> bool {
    let mut stdout = std::io::stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) => matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock),
        Ok(()) => true,
    }
}
