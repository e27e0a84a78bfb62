//! The bench `mount`: the layers of an image and a directory for changes, mounted as one tree and unmounted.

mod args;
pub(crate) mod case;
mod floor;
mod runs;
mod stage;
mod subjects;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::Error;
use crate::bench::{self, About, Bench};
use crate::marks;
use crate::outcome::{Outcome, Skipped};
use crate::sample::{self, Contender, Effort};
use args::Args;
use case::Case;
use stage::Stage;

const ABOUT: About = About {
    name: "mount",
    title: "Mount the layers of an image, and unmount them",
    timed: "from before the first system call until the mount's descriptor is closed",
};

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.strace.traced {
        Some(runs) => traced(&args, runs),
        None => measured(&args),
    };
    bench::exit(&ABOUT, done)
}

fn measured(args: &Args) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    let stage = Stage::new()?;
    bench.run(|case, deadline| {
        let mut outcome = measure(&stage, args, case, deadline);
        if args.strace.syscalls {
            marks::count_all(case.name(), args.flags.samples, &mut outcome);
        }
        Ok(outcome)
    })
}

fn measure(stage: &Stage, args: &Args, case: Case, deadline: Option<Instant>) -> Outcome {
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    for name in args.flags.subjects() {
        match runs::prepare(stage, case, name) {
            Ok(runner) => contenders.push(Contender { name, lacks: Vec::new(), runner }),
            Err(skip) => skipped.push(Skipped::subject(name, skip)),
        }
    }
    let rounds = usize::try_from(args.flags.samples).unwrap_or(usize::MAX);
    let (rows, failed) = sample::sample(contenders, None, Effort::new(rounds, deadline));
    skipped.extend(failed);
    Outcome { case: case.name().to_owned(), rows, skipped }
}

/// The traced process: one subject in one case.
fn traced(args: &Args, runs: u32) -> Result<(), Error> {
    let stage = Stage::new()?;
    let runner = runs::prepare(&stage, args.flags.one_case()?, args.flags.one_subject()?);
    marks::trace(runner.map_err(|skip| Error::Inner(skip.reason))?.as_mut(), runs)
}
