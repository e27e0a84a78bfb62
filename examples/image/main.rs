//! `image`: container images copied, unpacked, kept and looked at.
//!
//! Needs no privilege but for mounts, and no program of the host.
#![forbid(unsafe_code)]

mod args;
mod bars;
mod copy;
mod failure;
mod inspect;
mod mount;
mod output;
mod places;
mod store;
mod unpack;

use std::process::ExitCode;

use args::{Action, Args};
use failure::Failure;

fn main() -> ExitCode {
    match Args::read().and_then(|args| args.map_or(Ok(0), |args| act(&args))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("image: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn act(args: &Args) -> Result<u8, Failure> {
    match &args.action {
        Action::Copy(copy) => copy::run(args, copy),
        Action::Unpack(unpack) => unpack::run(args, unpack),
        Action::Inspect(inspect) => inspect::run(args, inspect),
        Action::Ls => store::list(args),
        Action::Verify { name, deep, repair } => store::verify(args, name.as_deref(), *deep, *repair),
        Action::Gc => store::collect(args),
        Action::Rm { names } => store::remove(args, names),
        Action::Tag { name, new } => store::tag(args, name, new),
        Action::Mount { name, directory } => mount::mount(args, name, directory),
        Action::Umount { directory } => mount::unmount(directory),
    }
}
