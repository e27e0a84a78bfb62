//! Signals as something to wait for.
//!
//! They are blocked from the first moment on, so that none is lost and none ends this process half-way; the library
//! gives programs and hooks an empty mask.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::children;
use crate::failure::Failure;

/// Those of the processor: whatever caused one cannot go on.
const FAULTS: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP];
/// Those that ask this process to end.
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
/// How often what holds up the work is killed, once that was given up.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Lets a file that may not grow be an error, in this thread and those that it starts, and not the end of this process.
pub fn block_file_size() -> Result<(), Failure> {
    SigSet::from(Signal::SIGXFSZ).thread_block().map_err(Failure::of("block a signal"))
}

/// All signals, except those of the processor.
#[derive(Debug)]
pub struct Signals {
    source: SignalFd,
    /// Those that came at a time when only an end was of interest.
    kept: Mutex<VecDeque<i32>>,
}

impl Signals {
    /// Blocks them, in this thread and those that it starts.
    pub fn block() -> Result<Self, Failure> {
        let mut all = SigSet::all();
        FAULTS.iter().for_each(|fault| all.remove(*fault));
        all.thread_block().map_err(Failure::of("block signals"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let source = SignalFd::with_flags(&all, flags).map_err(Failure::of("signalfd"))?;
        Ok(Self { source, kept: Mutex::default() })
    }

    /// The next one that is there.
    pub fn next(&self) -> Result<Option<i32>, Failure> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if kept.is_some() { Ok(kept) } else { self.read() }
    }

    fn read(&self) -> Result<Option<i32>, Failure> {
        let signal = self.source.read_signal().map_err(Failure::of("read a signal"))?;
        signal.map(|info| i32::try_from(info.ssi_signo).map_err(Failure::new)).transpose()
    }

    /// For later.
    pub fn keep(&self, signal: i32) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push_back(signal);
    }

    /// Does something that may take a while. If this process is asked to end meanwhile, the second value has the signal,
    /// and the work is made to end: whatever it waits for is a child of this process, and is killed. What the work had
    /// made is removed by the library, as after any failure.
    pub fn guard<T>(&self, work: impl FnOnce() -> T) -> Result<(T, Option<i32>), Failure> {
        let (done, mark) = pipe_with(PipeFlags::CLOEXEC).map_err(Failure::of("pipe"))?;
        let strangers = children::own();
        std::thread::scope(|scope| {
            let watch = || self.watch(done.as_fd(), &strangers);
            let watcher = Builder::new().spawn_scoped(scope, watch).map_err(Failure::of("start a thread"))?;
            let result = work();
            drop(mark);
            let asked = watcher.join().map_err(|_| Failure::new("the thread that watches signals failed"))?;
            Ok((result, asked?))
        })
    }

    /// Until the other end of `done` is closed. Gives the signal that asked for an end.
    fn watch(&self, done: BorrowedFd<'_>, strangers: &[u32]) -> Result<Option<i32>, Failure> {
        let mut asked = None;
        loop {
            let mut fds = [PollFd::new(&done, PollFlags::IN), PollFd::new(&self.source, PollFlags::IN)];
            let limit = asked.map(|_| &AGAIN);
            retry_on_intr(|| poll(&mut fds, limit)).map_err(Failure::of("poll"))?;
            if !fds[0].revents().is_empty() {
                return Ok(asked);
            }
            while let Some(signal) = self.read()? {
                match asked {
                    None if ENDING.contains(&signal) => asked = Some(signal),
                    _ => self.keep(signal),
                }
            }
            if asked.is_some() {
                children::kill_except(strangers);
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}
