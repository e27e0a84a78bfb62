//! `isolate`: run a program isolated, or see what would be different for it.
//!
//! Needs no privilege where ordinary users may make user namespaces, and no program of the host.
#![forbid(unsafe_code)]

mod args;
mod build;
mod facts;
mod failure;
mod image;
mod limits;
mod report;
mod run;
mod signals;
mod table;
mod terminal;
mod values;

use std::process::ExitCode;

use args::{Action, Args};
use failure::Failure;

fn main() -> ExitCode {
    match Args::read().and_then(|args| args.map_or(Ok(0), |args| act(&args))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("isolate: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn act(args: &Args) -> Result<u8, Failure> {
    match args.action() {
        Action::Nothing => Ok(0),
        Action::Report => report::print(),
        Action::Explain => run::explain(args),
        Action::Compare => report::compare(args),
        Action::Run { program, arguments } => run::run(args, program, arguments),
    }
}
