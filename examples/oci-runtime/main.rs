//! `cofferdam`: containers by the OCI runtime-spec, with the commands and flags of runc.
//!
//! It reads the command line, calls the library, and prints; what containers are is the library's business.
#![forbid(unsafe_code)]

mod args;
mod children;
mod console;
mod control;
mod create;
mod events;
mod exec;
mod failure;
mod foreground;
mod guard;
mod log;
mod places;
mod show;
mod signals;
mod spec;
mod update;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use args::{Cli, Command, Globals};
use failure::Failure;
use log::Log;
use places::Context;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (log, result) = run(&words);
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            log.error(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(words: &[OsString]) -> (Log, Result<u8, Failure>) {
    if let Err(failure) = guard::check().and_then(|()| signals::block_file_size()) {
        return (Log::plain(), Err(failure));
    }
    let (globals, command) = match Cli::read(words) {
        Ok(Some(cli)) => (cli.globals, Ok(cli.command)),
        Ok(None) => return (Log::plain(), Ok(0)),
        Err(failure) => match Globals::guess(words) {
            Some(globals) => (globals, Err(failure)),
            None => return (Log::plain(), Err(failure)),
        },
    };
    let log = match Log::open(&globals) {
        Ok(log) => log,
        Err(failure) => return (Log::plain(), Err(failure)),
    };
    let result = command.and_then(|command| match command {
        Some(command) => act(&globals, command, &log),
        None => print(&Cli::command().render_help().to_string()),
    });
    (log, result)
}

fn act(globals: &Globals, command: Command, log: &Log) -> Result<u8, Failure> {
    let context = Context::new(globals, log);
    match command {
        Command::Create(options) => create::create(&context, &options),
        Command::Start(name) => create::start(&context, &name.id),
        Command::Run(options) => create::run(&context, &options),
        Command::State(name) => show::state(&context, &name.id),
        Command::Kill(options) => control::kill(&context, &options),
        Command::Delete(options) => control::delete(&context, &options),
        Command::List(options) => show::list(&context, &options),
        Command::Ps(options) => show::ps(&context, &options),
        Command::Exec(options) => exec::exec(&context, &options),
        Command::Pause(name) => control::pause(&context, &name.id),
        Command::Resume(name) => control::resume(&context, &name.id),
        Command::Update(options) => update::update(&context, &options),
        Command::Events(options) => events::events(&context, &options),
        Command::Features => show::print_features(),
        Command::Spec(options) => spec::write(&options),
        Command::Plan(options) => create::plan(&context, &options),
        Command::Completion { shell } => completion(shell),
        Command::Checkpoint(_) => Err(unsupported("checkpoint")),
        Command::Restore(_) => Err(unsupported("restore")),
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::from(cofferdam::oci::Error::Unsupported { what: what.to_owned() })
}

fn completion(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cofferdam", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints text. A reader who has had enough is no failure.
fn print(text: &str) -> Result<u8, Failure> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::of("print")(error)),
        _ => Ok(0),
    }
}
