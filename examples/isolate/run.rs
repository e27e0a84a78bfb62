//! Running the program.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use cofferdam::{Child, ExitStatus, Namespaces};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::args::Args;
use crate::failure::Failure;
use crate::signals::{Caught, Terminal};
use crate::{build, limits, report, terminal};

/// Runs a program and gives the exit code that a shell would.
pub fn run(args: &Args, program: &OsStr, arguments: &[OsString]) -> Result<u8, Failure> {
    let mut command = build::command(args, program, arguments)?;
    let keep_session = terminal::keep_session(args.process.session);
    command.session(!keep_session);
    let caught = Caught::start().map_err(Failure::of("catch signals"))?;
    let mut child = command.spawn()?;
    limits::warn(child.limits());
    let init = args.surroundings.init;
    let first = !init && !build::shared(&args.surroundings).contains(Namespaces::PID);
    let terminal = match (keep_session, init) {
        (true, _) => Terminal::Present,
        (false, true) => Terminal::Init,
        (false, false) => Terminal::Group,
    };
    let forwarding = caught.forward(&child, first, terminal).map_err(Failure::of("pass signals on"))?;
    let ended = watch(&child, args.process.timeout);
    let ended_by = forwarding.stop();
    ended.map_err(Failure::of("poll"))?;
    let status = child.wait();
    let removed = child.remove_cgroup();
    if keep_session {
        terminal::take_back();
    }
    let code = match ended_by {
        Some(signal) => code_of_signal(signal),
        None => code(status?),
    };
    removed?;
    Ok(code)
}

/// Returns when the program has ended or its time is over. Its number stays its own until it is waited for.
fn watch(child: &Child, timeout: Option<Duration>) -> io::Result<()> {
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let limit = left.and_then(|left| Timespec::try_from(left).ok());
        let ready = retry_on_intr(|| poll(&mut [PollFd::new(child, PollFlags::IN)], limit.as_ref()))?;
        if ready > 0 || left.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
    }
}

/// Prints the plan.
pub fn explain(args: &Args) -> Result<u8, Failure> {
    let mut command = match args.program() {
        Some((program, arguments)) => build::command(args, program, arguments)?,
        None => report::command(args, "--report")?,
    };
    command.session(!terminal::keep_session(args.process.session));
    let limits = limits::lines(&build::limits(&args.limits), args.limits.limits);
    print(&(limits + &command.plan()?.explain()))
}

/// Prints text. A reader who has had enough is no failure.
pub fn print(text: &str) -> Result<u8, Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::of("print")(error)),
        _ => Ok(0),
    }
}

/// The exit code that a shell gives.
pub fn code(status: ExitStatus) -> u8 {
    match status.code() {
        Some(code) => u8::try_from(code).unwrap_or(u8::MAX),
        None => code_of_signal(status.signal().unwrap_or(0)),
    }
}

fn code_of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
