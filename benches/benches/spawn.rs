//! Latency of starting an isolated process: see the README of this crate.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    cofferdam_benches::spawn::main()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("spawn: only x86-64 is supported");
    ExitCode::FAILURE
}
