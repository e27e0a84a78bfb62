//! Running the program.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;

use cofferdam::{ExitStatus, Namespaces};

use crate::args::Args;
use crate::failure::Failure;
use crate::signals::Caught;
use crate::{build, report, terminal};

/// Runs a program and gives the exit code that a shell would.
pub fn run(args: &Args, program: &OsStr, arguments: &[OsString]) -> Result<u8, Failure> {
    let mut command = build::command(args, program, arguments)?;
    let keep_session = terminal::keep_session(args.process.session);
    // The program does not outlive this process, however that ends; the thread that starts it is the main one.
    command.session(!keep_session).parent_death_signal(Some(libc::SIGKILL));
    let caught = Caught::start().map_err(Failure::of("catch signals"))?;
    let mut child = command.spawn()?;
    let first = !build::shared(&args.surroundings).contains(Namespaces::PID);
    let forwarding = caught.forward(&child, first, keep_session).map_err(Failure::of("pass signals on"))?;
    let status = child.wait();
    let ended_by = forwarding.stop();
    if keep_session {
        terminal::take_back();
    }
    match ended_by {
        Some(signal) => Ok(code_of_signal(signal)),
        None => Ok(code(status?)),
    }
}

/// Prints the plan.
pub fn explain(args: &Args) -> Result<u8, Failure> {
    let mut command = match args.program() {
        Some((program, arguments)) => build::command(args, program, arguments)?,
        None => report::command(args, "--report")?,
    };
    command.session(!terminal::keep_session(args.process.session));
    print(&command.plan()?.explain())
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
