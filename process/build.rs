//! Builds the sealed init: a static program from `src/init`, without standard library or libc.
//!
//! It calls rustc directly, so that neither the user's RUSTFLAGS nor a cargo profile reaches it: the init is the
//! same whatever it is embedded in.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const FLAGS: &[&str] = &[
    "--crate-name=init",
    "--crate-type=bin",
    "--edition=2024",
    "--cap-lints=allow",
    "-Copt-level=s",
    "-Cpanic=abort",
    "-Crelocation-model=static",
    "-Ctarget-feature=+crt-static",
    "-Ccodegen-units=1",
    "-Clto=fat",
    "-Cstrip=symbols",
    "-Coverflow-checks=off",
    "-Cdebug-assertions=off",
    "-Cforce-unwind-tables=no",
];

const LINK_ARGUMENTS: &[&str] = &[
    "-nostartfiles",
    "-nostdlib",
    "-static",
    "-no-pie",
    "-Wl,--build-id=none",
    "-Wl,-z,noexecstack",
    "-Wl,-z,norelro",
    "-Wl,--gc-sections",
    // Fewer segments: each is a mapping to make at every exec.
    "-Wl,-z,noseparate-code",
    "-Wl,--no-eh-frame-hdr",
];

fn main() {
    println!("cargo::rerun-if-changed=src/init");
    println!("cargo::rerun-if-changed=build.rs");
    let target = variable("TARGET");
    let supported =
        ["x86_64", "aarch64"].iter().any(|arch| target.starts_with(arch)) && target.contains("-linux-");
    assert!(supported, "cofferdam-process is for Linux on x86_64 and aarch64, not for {target}");
    let output = PathBuf::from(variable("OUT_DIR")).join("init");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(FLAGS).arg("--target").arg(&target).arg("-o").arg(&output).arg("src/init/main.rs");
    for argument in LINK_ARGUMENTS {
        rustc.arg(format!("-Clink-arg={argument}"));
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut argument = std::ffi::OsString::from("-Clinker=");
        argument.push(linker);
        rustc.arg(argument);
    }
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        rustc.env_remove(name);
    }
    let status = rustc.status().unwrap_or_else(|error| panic!("cannot run {rustc:?}: {error}"));
    assert!(status.success(), "the init did not build: {rustc:?}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}
