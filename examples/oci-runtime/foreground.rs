//! A program in the foreground: signals are passed on, its terminal is connected with this one, its end is waited for.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use cofferdam::ExitStatus;
use cofferdam::oci::{Container, Error, Process, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

use crate::children;
use crate::console::Bridge;
use crate::failure::{self, Failure};
use crate::log::Log;
use crate::signals::Signals;

/// What runs in the foreground.
pub trait Program: Sync {
    fn number(&self) -> Option<u32>;
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
    fn signal(&self, signal: i32) -> Result<()>;
    fn end(&mut self) -> Result<ExitStatus>;
    fn terminal(&mut self) -> Option<OwnedFd>;
    /// Passes notifications of `sd_notify(3)` on, as long as there may be some.
    fn notify(&self) -> Result<()>;
}

impl Program for Container {
    fn number(&self) -> Option<u32> {
        self.pid()
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd()
    }
    fn signal(&self, signal: i32) -> Result<()> {
        self.kill(signal, false)
    }
    fn end(&mut self) -> Result<ExitStatus> {
        self.wait()
    }
    fn terminal(&mut self) -> Option<OwnedFd> {
        self.take_console()
    }
    fn notify(&self) -> Result<()> {
        self.forward_notifications()
    }
}

impl Program for Process {
    fn number(&self) -> Option<u32> {
        Some(self.pid())
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.pidfd())
    }
    fn signal(&self, signal: i32) -> Result<()> {
        self.kill(signal)
    }
    fn end(&mut self) -> Result<ExitStatus> {
        self.wait()
    }
    fn terminal(&mut self) -> Option<OwnedFd> {
        self.take_console()
    }
    fn notify(&self) -> Result<()> {
        Ok(())
    }
}

/// Connects the terminal, where the program has one. This is done before the start, so that nothing is missed.
pub fn connect(program: &mut impl Program) -> Result<Option<Bridge>, Failure> {
    program.terminal().map(Bridge::new).transpose()
}

/// Waits for the end and gives the exit code that a shell would.
pub fn wait(
    program: &mut impl Program,
    mut bridge: Option<Bridge>,
    signals: &Signals,
    log: &Log,
) -> Result<u8, Failure> {
    let watched = std::thread::scope(|scope| {
        let program = &*program;
        if notify_socket().is_some() {
            // Ends with the program.
            scope.spawn(|| program.notify().unwrap_or_else(|error| warn(log, "notifications", &error)));
        }
        watch(program, bridge.as_mut(), signals, log)
    });
    let status = watched.and_then(|()| Ok(program.end()?));
    if let Some(bridge) = bridge {
        bridge.finish();
    }
    status.map(code)
}

/// Until the program has ended.
fn watch(
    program: &impl Program,
    mut bridge: Option<&mut Bridge>,
    signals: &Signals,
    log: &Log,
) -> Result<(), Failure> {
    let (Some(number), Some(descriptor)) = (program.number(), program.descriptor()) else { return Ok(()) };
    loop {
        // Before waiting as well: some were kept from earlier.
        while let Some(signal) = signals.next()? {
            if signal == libc::SIGCHLD {
                children::reap_except(number);
            } else {
                handle(signal, program, bridge.as_deref(), log);
            }
        }
        let mut fds = vec![PollFd::new(&descriptor, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        fds.extend(bridge.as_deref().and_then(Bridge::interest));
        retry_on_intr(|| poll(&mut fds, None)).map_err(Failure::of("poll"))?;
        let (ended, ready) =
            (!fds[0].revents().is_empty(), fds.get(2).is_some_and(|fd| !fd.revents().is_empty()));
        drop(fds);
        if ended {
            return Ok(());
        }
        if let Some(bridge) = bridge.as_deref_mut().filter(|_| ready) {
            bridge.act();
        }
    }
}

fn handle(signal: i32, program: &impl Program, bridge: Option<&Bridge>, log: &Log) {
    match (signal, bridge) {
        // The size of another terminal, and about streams and files of this process.
        (libc::SIGWINCH, Some(bridge)) => bridge.resize(),
        (libc::SIGCONT, Some(bridge)) => bridge.resume(),
        (libc::SIGURG | libc::SIGPIPE | libc::SIGXFSZ, _) => {}
        _ => match program.signal(signal) {
            Ok(()) | Err(Error::NotRunning { .. }) => {}
            Err(error) => warn(log, &format!("pass signal {signal} on"), &error),
        },
    }
}

fn warn(log: &Log, what: &str, error: &Error) {
    log.warning(&format!("{what}: {}", failure::text(error)));
}

/// The socket of the service manager that started this process, if there is one.
pub fn notify_socket() -> Option<PathBuf> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The exit code that a shell gives.
pub fn code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, signal) => code_of_signal(signal.unwrap_or_default()),
    }
}

/// The exit code of what a signal ended.
pub fn code_of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
