//! `isolate` without a program: it runs itself inside, and compares.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam::{Command, Namespaces, Stdio};

use crate::args::Args;
use crate::facts::{self, Fact};
use crate::failure::Failure;
use crate::{build, limits, run, table, terminal};

/// Where the executable is inside. The program's own `/tmp` is empty, and a bind mount can be made there.
const INSIDE: &str = "/tmp/isolate";
/// How many starts are timed besides the first.
const STARTS: usize = 20;

/// Inside: prints what is found there, for the one outside.
pub fn print() -> Result<u8, Failure> {
    run::print(&serde_json::to_string(&facts::gather()).map_err(Failure::new)?)
}

/// Outside: prints the table, and how long the start took.
pub fn compare(args: &Args) -> Result<u8, Failure> {
    let mut outside = facts::gather();
    outside.extend(limits::facts(limits::own().as_ref()));
    let (first, output, limits) = time(command(args, "--report")?.stdout(Stdio::piped()))?;
    let mut inside: Vec<Fact> = serde_json::from_slice(&output).map_err(Failure::new)?;
    inside.extend(limits);
    let mut text = table::table(&outside, &inside, terminal::width());
    let more = (0..STARTS).map(|_| Ok(time(&mut command(args, "--nothing")?)?.0));
    let [executed, ended] = medians(more.collect::<Result<Vec<_>, Failure>>()?);
    // Writing to a string does not fail.
    writeln!(
        text,
        "\n\nThe first start took {} until the program was executed, and {} until it had ended.\n\
         The median of {STARTS} more: {} and {}.\n\n`isolate sh` starts a shell there; `isolate --help` shows what can be set.",
        milliseconds(first.0), milliseconds(first.1), milliseconds(executed), milliseconds(ended)
    )
    .unwrap_or_default();
    run::print(&text)
}

/// A command that runs this program inside.
pub fn command(args: &Args, mode: &str) -> Result<Command, Failure> {
    let executable = std::env::current_exe().map_err(Failure::of("find the own executable"))?;
    let shares_mounts = build::shared(&args.surroundings).contains(Namespaces::MNT);
    let path = if shares_mounts { executable.as_path() } else { Path::new(INSIDE) };
    let mut command = build::command(args, path.as_os_str(), &[mode.into()])?;
    command.arg0(OsStr::new("isolate"));
    if !shares_mounts {
        command.bind_read_only(&executable, INSIDE);
    }
    Ok(command)
}

/// From the call to the moment when the program is executed, and to its end.
type Times = (Duration, Duration);

fn time(command: &mut Command) -> Result<(Times, Vec<u8>, Vec<Fact>), Failure> {
    let begin = Instant::now();
    let child = command.spawn()?;
    let executed = begin.elapsed();
    let limits = limits::of_child(&child);
    let output = child.wait_with_output()?;
    let ended = begin.elapsed();
    match run::code(output.status) {
        0 => Ok(((executed, ended), output.stdout, limits)),
        code => Err(Failure::new(format_args!(
            "isolate cannot look around inside: it ended with exit code {code}"
        ))),
    }
}

fn medians(times: Vec<Times>) -> [Duration; 2] {
    let median = |mut all: Vec<Duration>| {
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let (executed, ended) = times.into_iter().unzip();
    [median(executed), median(ended)]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
