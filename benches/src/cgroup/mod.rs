//! The bench `cgroup_ops`: making, limiting, reading and killing cgroups.
//!
//! The floor, the library and cgroups-rs do the same work in the same hierarchies, and the bench looks at the files
//! itself to see that it was done.

mod args;
pub(crate) mod case;
mod place;
mod prove;
mod runs;
mod sleepers;
mod stage;
mod subjects;
mod trace;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::Error;
use crate::bench::{self, About, Bench};
use crate::outcome::{Outcome, Skipped};
use crate::sample::{self, Contender, Effort};
use args::Args;
use case::Case;
use stage::Stage;

const ABOUT: About = About {
    name: "cgroup_ops",
    title: "Make a cgroup, move a process, read what was used, kill",
    timed: "the operation alone, without what prepares it",
};

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.strace.traced {
        Some(runs) => trace::traced(&args, runs),
        None => measured(&args),
    };
    bench::exit(&ABOUT, done)
}

fn measured(args: &Args) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    let stage = Stage::new()?;
    bench.run(|case, deadline| {
        let mut outcome = measure(&stage, args, case, deadline);
        stage.place.sweep()?;
        stage.watch()?;
        if args.strace.syscalls {
            trace::count(args, case, &mut outcome);
        }
        Ok(outcome)
    })?;
    stage.close()
}

/// Measures a case.
fn measure(stage: &Stage, args: &Args, case: Case, deadline: Option<Instant>) -> Outcome {
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    for name in args.flags.subjects() {
        match runs::prepare(stage, case, name) {
            Ok(runner) => contenders.push(Contender { name, lacks: Vec::new(), runner }),
            Err(skip) => skipped.push(Skipped::subject(name, skip)),
        }
    }
    // A hundred processes more would be no quiet wake to begin in.
    let spacer = (case != Case::Kill).then(|| runs::prepare(stage, case, "floor").ok()).flatten();
    let rounds = usize::try_from(case.samples(args.flags.samples)).unwrap_or(usize::MAX);
    let (rows, failed) = sample::sample(contenders, spacer, Effort::new(rounds, deadline));
    skipped.extend(failed);
    Outcome { case: case.name().to_owned(), rows, skipped }
}
