//! The life of containers by the OCI runtime-spec: see the README of this crate.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    cofferdam_benches::oci::main()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("oci: only x86-64 is supported");
    ExitCode::FAILURE
}
