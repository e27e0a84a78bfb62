//! Latency of cgroups: see the README of this crate.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    cofferdam_benches::cgroup::main()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("cgroup_ops: only x86-64 is supported");
    ExitCode::FAILURE
}
