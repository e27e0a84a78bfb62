//! Signals to `isolate` are meant for the program.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;

use cofferdam::Child;
use rustix::process::{Signal, pidfd_send_signal};
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
    /// It is process 1 of a pid namespace: the kernel drops what it does not handle.
    first: bool,
    /// What the terminal sends reaches it without help.
    same_session: bool,
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
    pub fn forward(mut self, child: &Child, first: bool, same_session: bool) -> io::Result<Forwarding> {
        let pidfd = child.pidfd().try_clone_to_owned()?;
        let receiver = Receiver { pid: child.id(), pidfd, first, same_session };
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
    /// Ends the thread. Gives the signal whose default action was carried out in the kernel's place, if any.
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
        let from_terminal = [SIGINT, SIGQUIT, SIGWINCH].contains(&signal);
        if let Some(signal) = Signal::from_named_raw(signal).filter(|_| !(self.same_session && from_terminal))
        {
            self.send(signal);
        }
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
