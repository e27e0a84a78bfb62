//! Between a terminal here and the one of a program.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, fcntl_dupfd_cloexec, read, write};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::host::Host;
use super::output::Output;
use crate::failure::Failure;

/// A connection of the standard streams with the terminal of a program.
#[derive(Debug)]
pub struct Bridge {
    /// Restored when this is dropped.
    host: Option<Host>,
    master: OwnedFd,
    output: Output,
    /// Typed, and not yet taken by the program.
    typed: Vec<u8>,
    input: Input,
}

/// What comes from standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

impl Bridge {
    /// Connects. The terminal here becomes raw until the bridge is gone.
    pub fn new(master: OwnedFd) -> Result<Self, Failure> {
        let flags = fcntl_getfl(&master).map_err(Failure::of("the terminal of the program"))?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).map_err(Failure::of("the terminal of the program"))?;
        let copy = fcntl_dupfd_cloexec(&master, 3).map_err(Failure::of("dup"))?;
        let host = Host::take().map_err(Failure::of("make the terminal raw"))?;
        let output = Output::start(copy)?;
        let bridge = Self { host, master, output, typed: Vec::new(), input: Input::Open };
        bridge.resize();
        Ok(bridge)
    }

    /// The size of the terminal here may have changed.
    pub fn resize(&self) {
        // One that is gone has no size.
        self.host.as_ref().map(|host| host.copy_size(&self.master).unwrap_or_default()).unwrap_or_default();
    }

    /// This process was continued.
    pub fn resume(&self) {
        self.host.as_ref().map(|host| host.make_raw().unwrap_or_default()).unwrap_or_default();
        self.resize();
    }

    /// What to wait for: standard input while there is nothing to be written, the program while there is.
    pub fn interest(&self) -> Option<PollFd<'_>> {
        match (self.typed.is_empty(), self.input) {
            (false, _) => Some(PollFd::new(&self.master, PollFlags::OUT)),
            (true, Input::Open) => Some(PollFd::from_borrowed_fd(stdin(), PollFlags::IN)),
            (true, Input::Ended) => None,
        }
    }

    /// What was waited for is there.
    pub fn act(&mut self) {
        if self.typed.is_empty() {
            self.read();
        }
        self.write();
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        match read(stdin(), &mut buffer) {
            Ok(0) => {
                self.input = Input::Ended;
                self.typed = self.end_of_input();
            }
            Ok(count) => self.typed.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // A terminal that is gone, or not ours any more: nothing can be typed.
            Err(_) => self.input = Input::Ended,
        }
    }

    /// A terminal has no end; its reader sees one if a line begins with a certain character. Once ends the line that may
    /// have been begun.
    fn end_of_input(&self) -> Vec<u8> {
        let modes =
            tcgetattr(&self.master).ok().filter(|modes| modes.local_modes.contains(LocalModes::ICANON));
        modes.map_or(Vec::new(), |modes| vec![modes.special_codes[SpecialCodeIndex::VEOF]; 2])
    }

    fn write(&mut self) {
        match write(&self.master, &self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody has the terminal open.
            Err(_) => self.typed.clear(),
        }
    }

    /// The program has ended: copies what is left of its output, and restores the terminal here.
    pub fn finish(self) {
        self.output.finish();
        drop(self.host);
    }
}
