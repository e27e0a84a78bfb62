//! The bench `mount`: the layers of an image and a directory for changes, mounted as one tree and unmounted.

mod args;
mod case;
mod floor;
mod runs;
mod stage;
mod subjects;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::Error;
use crate::bench::{self, About, Bench};
use crate::flags;
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

/// Runs before those that are traced, as in the measurement.
const WARM_UP: u32 = 3;

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    bench::exit(&ABOUT, if let Some(runs) = args.traced { traced(&args, runs) } else { measured(&args) })
}

fn measured(args: &Args) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    let stage = Stage::new()?;
    let cases: Vec<_> = flags::chosen(Case::ALL, &args.case).into_iter().map(|case| (case, 1)).collect();
    bench.run(&cases, |case, deadline| {
        let mut outcome = measure(&stage, args, case, deadline);
        if args.syscalls {
            marks::count_all(case.name(), args.flags.samples, &mut outcome);
        }
        Ok(outcome)
    })
}

fn measure(stage: &Stage, args: &Args, case: Case, deadline: Option<Instant>) -> Outcome {
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    for name in subjects::NAMES.into_iter().filter(|name| flags::wants(&args.subject, name)) {
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
    let case = *args.case.first().ok_or_else(|| Error::Inner("no case".to_owned()))?;
    let subject = args.subject.first().ok_or_else(|| Error::Inner("no subject".to_owned()))?;
    let stage = Stage::new()?;
    let mut runner = runs::prepare(&stage, case, subject).map_err(|skip| Error::Inner(skip.reason))?;
    for run in 0..WARM_UP + runs {
        if run == WARM_UP {
            marks::on();
        }
        runner.measure()?;
    }
    Ok(())
}
