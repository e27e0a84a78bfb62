//! The bench `oci`: the life of containers by the OCI runtime-spec.
//!
//! The library, our command line and other runtimes have containers of the same bundle, and the exit status of the program
//! in them proves each run.

mod args;
pub(crate) mod case;
mod idle;
mod left;
mod memory;
mod runs;
mod stage;
mod subjects;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::Error;
use crate::bench::{self, About, Bench};
use crate::outcome::{Outcome, Skipped};
use crate::sample::{self, Contender, Effort, Measure};
use args::Args;
use case::Case;
use idle::Crowd;
use stage::Stage;
use subjects::{Entry, Subject};

const ABOUT: About = About {
    name: "oci",
    title: "The life of a container by the OCI runtime-spec",
    timed: "the operation alone, of a command line until it has been reaped",
};

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    // The floor is a process that reads no other arguments.
    let mut words = std::env::args_os().skip(1);
    if let (Some(flag), Some(root)) = (words.next(), words.next())
        && flag == subjects::FLAG
    {
        return subjects::floor_main(&root);
    }
    bench::exit(&ABOUT, measured(&Args::parse()))
}

fn measured(args: &Args) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    let stage = Rc::new(Stage::new()?);
    let limit = Duration::from_secs(if args.flags.quick { 5 } else { 20 });
    let mut entries: Vec<Entry> = args
        .flags
        .subjects()
        .map(|name| subjects::find(&stage, name, args.program.as_deref(), limit))
        .collect();
    stage.sweep()?;
    bench.run(|case, deadline| {
        let outcome = measure(&stage, args, case, &entries, deadline);
        stage.sweep()?;
        stage.watch()?;
        drop_hung(&mut entries, &outcome);
        Ok(outcome)
    })
}

/// Leaves a subject that had to be killed out of all further cases.
fn drop_hung(entries: &mut [Entry], outcome: &Outcome) {
    for skipped in outcome.skipped.iter().filter(|skipped| skipped.hung) {
        for entry in entries.iter_mut().filter(|entry| Some(entry.name) == skipped.subject.as_deref()) {
            entry.subject = Err(format!("hung in {}", outcome.case).as_str().into());
        }
    }
}

/// Measures a case.
fn measure(
    stage: &Rc<Stage>,
    args: &Args,
    case: Case,
    entries: &[Entry],
    deadline: Option<Instant>,
) -> Outcome {
    let mut outcome = Outcome { case: case.name().to_owned(), rows: Vec::new(), skipped: Vec::new() };
    let mut present: Vec<(&'static str, &dyn Subject)> = Vec::new();
    for entry in entries.iter().filter(|entry| case.has(entry.name)) {
        match &entry.subject {
            Ok(subject) => present.push((entry.name, subject.as_ref())),
            Err(skip) => outcome.skipped.push(Skipped::subject(entry.name, skip.clone())),
        }
    }
    if case == Case::Idle {
        for (name, subject) in present {
            match idle::measure(stage, name, subject, Crowd::new(args.flags.quick)) {
                Ok(row) => outcome.rows.push(row),
                Err(skip) => outcome.skipped.push(Skipped::subject(name, skip)),
            }
        }
    } else {
        let rounds = usize::try_from(case.samples(args.flags.samples)).unwrap_or(usize::MAX);
        sampled(stage, case, &present, Effort::of_long_runs(rounds, deadline), &mut outcome);
    }
    outcome
}

/// The cases that are measured again and again, in turns.
fn sampled(
    stage: &Rc<Stage>,
    case: Case,
    present: &[(&'static str, &dyn Subject)],
    effort: Effort,
    outcome: &mut Outcome,
) {
    let mut contenders = Vec::new();
    let mut memories: Vec<(&str, runs::Memory)> = Vec::new();
    for (name, subject) in present {
        let most = runs::Memory::default();
        match runs::prepare(stage, case, *subject, &most) {
            Ok(runner) => {
                // Where nobody has a cgroup, nobody lacks it.
                let lacks = if case == Case::RunNoCgroup { Vec::new() } else { subject.lacks() };
                contenders.push(Contender { name, lacks, runner });
            }
            Err(skip) => outcome.skipped.push(Skipped::subject(name, skip)),
        }
        memories.push((name, most));
    }
    let (mut rows, failed) = sample::sample(contenders, spacer(stage, case), effort);
    for row in &mut rows {
        let memory = memories.iter().find(|(name, _)| row.subject == *name);
        row.private_kib = memory.and_then(|(_, most)| most.get());
    }
    outcome.rows = rows;
    outcome.skipped.extend(failed);
}

/// The floor before each timed run, so that all begin in the same wake; fifty at once are no quiet one.
fn spacer(stage: &Rc<Stage>, case: Case) -> Option<Box<dyn Measure>> {
    if case == Case::Parallel {
        return None;
    }
    let floor = subjects::find(stage, "floor-library", None, Duration::MAX).subject.ok()?;
    runs::prepare(stage, Case::Run, floor.as_ref(), &runs::Memory::default()).ok()
}
