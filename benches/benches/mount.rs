//! The layers of an image, mounted: see the README of this crate.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    cofferdam_benches::mount::main()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("mount: only x86-64 is supported");
    ExitCode::FAILURE
}
