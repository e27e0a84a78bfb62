//! Signals to `isolate` are meant for the program.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;

use cofferdam::Child;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};

/// Signals that are caught before the program exists, so that none is lost.
#[derive(Debug)]
pub struct Caught(Signals);

/// A thread that passes signals on.
#[derive(Debug)]
pub struct Forwarding {
    thread: JoinHandle<()>,
    handle: Handle,
    ended_by: Arc<AtomicI32>,
}

/// The program as a receiver of signals.
#[derive(Debug)]
struct Receiver {
    pid: u32,
    pidfd: OwnedFd,
    /// The program is process 1 of a pid namespace: the kernel drops what it does not handle.
    first: bool,
    /// Whom the terminal means.
    terminal: Terminal,
}

/// Who gets the signals that come from the keys of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The program has them already, as it is in the session of the terminal.
    Present,
    /// The process group that the program leads, as if the terminal was its own.
    Group,
    /// The init, which hands them to the program.
    Init,
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disposition {
    Default,
    Own,
}

impl Caught {
    pub fn start() -> io::Result<Self> {
        Ok(Self(Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])?))
    }

    /// Passes them on to a program.
    pub fn forward(mut self, child: &Child, first: bool, terminal: Terminal) -> io::Result<Forwarding> {
        let pidfd = child.pidfd().try_clone_to_owned()?;
        let receiver = Receiver { pid: child.id(), pidfd, first, terminal };
        let handle = self.0.handle();
        let ended_by = Arc::new(AtomicI32::new(0));
        let thread = std::thread::Builder::new().spawn({
            let ended_by = Arc::clone(&ended_by);
            move || self.0.forever().for_each(|signal| receiver.pass(signal, &ended_by))
        })?;
        Ok(Forwarding { thread, handle, ended_by })
    }
}

impl Forwarding {
    /// Ends the thread; the program must not have been waited for. Gives the signal whose default action was carried out in the kernel's place, if any.
    pub fn stop(self) -> Option<i32> {
        self.handle.close();
        let joined = self.thread.join();
        joined.ok().map(|()| self.ended_by.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

impl Receiver {
    fn pass(&self, signal: i32, ended_by: &AtomicI32) {
        if self.first && signal != SIGWINCH && self.disposition(signal) == Disposition::Default {
            ended_by.store(signal, Ordering::Relaxed);
            return self.send(Signal::KILL);
        }
        let Some(known) = Signal::from_named_raw(signal) else { return };
        let from_keys = [SIGINT, SIGQUIT, SIGWINCH].contains(&signal);
        match self.terminal {
            Terminal::Present if from_keys => {}
            Terminal::Group if from_keys => self.send_to_group(known),
            _ => self.send(known),
        }
    }

    /// The group has the program's number, which nobody else can get while it was not waited for.
    fn send_to_group(&self, signal: Signal) {
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        group.map(|group| kill_process_group(group, signal).unwrap_or_default()).unwrap_or_default();
    }

    /// One that has just ended needs no signal.
    fn send(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).unwrap_or_default();
    }

    fn disposition(&self, signal: i32) -> Disposition {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        status.map_or(Disposition::Own, |status| disposition(&status, signal))
    }
}

/// Reads it from `/proc/PID/status`. Blocked signals wait, whatever becomes of them.
fn disposition(status: &str, signal: i32) -> Disposition {
    let mask = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let masks = ["SigBlk:", "SigIgn:", "SigCgt:"].map(mask);
    let bits = masks.map(|mask| mask.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()));
    let own = bits.iter().any(|bits| bits.is_none_or(|bits| bits >> (signal - 1) & 1 == 1));
    if own { Disposition::Own } else { Disposition::Default }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_masks() {
        let status =
            "Name:\tsh\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000000004\nSigCgt:\t0000000000000002\n";
        let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].map(|signal| disposition(status, signal));
        assert_eq!(all, [Disposition::Own, Disposition::Own, Disposition::Own, Disposition::Default]);
        assert_eq!(disposition("", SIGTERM), Disposition::Own);
    }
}
