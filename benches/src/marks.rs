//! System calls counted by strace: marks around what is timed, and what strace wrote between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;
use crate::outcome::{Outcome, Skipped};
use crate::sample::Measure;
use crate::subjects::Skip;

/// A call that nobody else makes.
const MARK: &str = "getppid";
/// Runs before those that are counted, as in the measurement.
const WARM_UP: u32 = 3;
/// Runs that are counted.
pub(crate) const RUNS: u32 = 20;

static ON: AtomicBool = AtomicBool::new(false);

/// Runs so many times with marks, after a few times without.
pub(crate) fn trace(runner: &mut dyn Measure, runs: u32) -> Result<(), Error> {
    for run in 0..WARM_UP + runs {
        if run == WARM_UP {
            ON.store(true, Ordering::Relaxed);
        }
        runner.measure()?;
    }
    Ok(())
}

/// Makes a mark, if they are on.
pub(crate) fn mark() {
    if ON.load(Ordering::Relaxed) {
        let _parent = std::os::unix::process::parent_id();
    }
}

/// What was called between marks, and how often in all runs together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    runs: u32,
    calls: BTreeMap<String, u32>,
}

impl Counts {
    /// The calls of one run.
    pub(crate) fn per_run(&self) -> f64 {
        f64::from(self.calls.values().sum::<u32>()) / f64::from(self.runs.max(1))
    }

    /// The most frequent first.
    pub(crate) fn describe(&self) -> String {
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let each = |count: u32| {
            let text = format!("{:.1}", f64::from(count) / f64::from(self.runs.max(1)));
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        };
        let parts: Vec<String> =
            calls.iter().map(|(name, count)| format!("{name} {}", each(**count))).collect();
        parts.join(", ")
    }

    /// Reads what strace wrote of a process with one thread.
    fn parse(trace: &str) -> Counts {
        let mut counts = Counts::default();
        let mut inside = false;
        // A call that a signal interrupts, only because the process is traced, is tried again: once counts.
        let mut interrupted = "";
        for line in trace.lines() {
            let Some(mut name) = name(line) else { continue };
            if name == "restart_syscall" {
                name = interrupted;
            }
            if line.contains(" = ? ERESTART") {
                interrupted = name;
            } else if name == MARK {
                counts.runs += u32::from(inside);
                inside = !inside;
            } else if inside {
                *counts.calls.entry(name.to_owned()).or_default() += 1;
            }
        }
        counts
    }
}

/// The call of a line; none for signals and the end of the process.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('(')?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(name)
}

/// Counts for every subject that was measured, in at most `samples` runs each. The bench runs again with `--traced`.
pub(crate) fn count_all(case: &str, samples: u32, outcome: &mut Outcome) {
    let runs = RUNS.min(samples).to_string();
    for row in &mut outcome.rows {
        let arguments = ["--traced", &runs, "--case", case, "--subject", &row.subject];
        let counted = scratch().and_then(|file| count(&arguments.map(str::to_owned), file.path()));
        match counted {
            Ok(counts) => {
                row.syscalls = Some(counts.per_run());
                row.calls = Some(counts.describe());
            }
            Err(error) => {
                let skip = Skip::from(format!("system calls: {error}").as_str());
                outcome.skipped.push(Skipped::subject(&row.subject, skip));
            }
        }
    }
}

fn scratch() -> Result<tempfile::NamedTempFile, Error> {
    tempfile::NamedTempFile::with_prefix("cofferdam-bench-").map_err(Error::io("make a temporary file"))
}

/// Runs this program again with `arguments` under strace; `trace` is where that writes.
fn count(arguments: &[String], trace: &Path) -> Result<Counts, Error> {
    let program = std::env::current_exe().map_err(Error::io("find the bench's own program"))?;
    let mut command = Command::new("strace");
    command.args(["-qq", "-s", "0", "-o"]).arg(trace).arg("--").arg(program).args(arguments);
    let output = command.stdin(Stdio::null()).output().map_err(Error::io("start strace"))?;
    if !output.status.success() {
        return Err(Error::Inner(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let text = std::fs::read_to_string(trace).map_err(Error::io(format!("read {}", trace.display())))?;
    let counts = Counts::parse(&text);
    if counts.runs == 0 { Err(Error::Inner("no run in the trace".to_owned())) } else { Ok(counts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_marks_counts() {
        let trace = "execve(\"a\", 0x1, 0x2) = 0\ngetppid() = 1\nmkdirat(3, \"\"..., 0755) = 0\ngetppid() = 1\n\
            close(3) = 0\ngetppid() = 1\nmkdirat(3, \"\"..., 0755) = 0\n--- SIGCHLD {si_signo=SIGCHLD} ---\n\
            poll([{fd=3}], 1, -1) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)\n\
            restart_syscall(<... resuming interrupted poll ...>) = ? ERESTART_RESTARTBLOCK (Interrupted)\n\
            restart_syscall(<... resuming interrupted restart_syscall ...>) = 1\ngetppid() = 1\n";
        let counts = Counts::parse(trace);
        assert_eq!(counts.runs, 2);
        assert!((counts.per_run() - 1.5).abs() < 1e-9);
        assert_eq!(counts.describe(), "mkdirat 1, poll 0.5");
    }
}
