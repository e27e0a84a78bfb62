//! The directory of an image, made out of its layers: see the README of this crate.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    cofferdam_benches::unpack::main(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")))
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("layer_unpack: only x86-64 is supported");
    ExitCode::FAILURE
}
