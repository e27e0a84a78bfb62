//! Container engines with `cofferdam` as their runtime.
//!
//! Ignored unless asked for, as they need root, engines, and the directory that `ci/images/make DIRECTORY` makes:
//!
//!     COFFERDAM_TEST_IMAGES=DIRECTORY cargo test -p cofferdam-examples --test engines -- --ignored

#[path = "../common/mod.rs"]
mod common;
mod containerd;
mod place;
mod podman;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The image that `ci/images/make` makes.
const IMAGE: &str = "localhost/cofferdam-test:three";

/// How long one command of an engine may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the images are, if they are.
fn images() -> Option<PathBuf> {
    let directory = std::env::var_os("COFFERDAM_TEST_IMAGES").map(PathBuf::from);
    directory.filter(|directory| directory.join("layout").is_dir())
}

/// Whether all of these programs are on PATH.
fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs
        .iter()
        .all(|program| std::env::split_paths(&path).any(|directory| directory.join(program).exists()))
}

/// The runtime. COFFERDAM_TEST_RUNTIME may name another one, to see whether an engine works here at all.
fn runtime() -> PathBuf {
    let other = std::env::var_os("COFFERDAM_TEST_RUNTIME").map(PathBuf::from);
    other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_cofferdam")))
}

/// Runs a command to its end, or kills it.
fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    let start = Instant::now();
    while child.try_wait().expect("wait").is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().expect("kill");
            child.wait().expect("wait");
            panic!("{command:?} takes too long");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("wait")
}

/// What a command prints; it must succeed.
fn text(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?} {}: {}", output.status, common::errors(&output));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Mounts, cgroups and states whose names have this part.
fn left_over(part: &str, states: &Path) -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let mounts = mounts.lines().filter(|line| line.contains(part)).map(str::to_owned);
    let entries = std::fs::read_dir(states).into_iter().flatten().flatten();
    let states = entries.map(|entry| entry.path().display().to_string()).filter(|path| path.contains(part));
    mounts.chain(states).collect()
}
