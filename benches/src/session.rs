//! A run: who is there, who may take part in a case, and the measurement of a case in its setting.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::case::{Case, Setting, Shape};
use crate::outcome::{Outcome, Skipped};
use crate::peers;
use crate::probe;
use crate::sample::{self, Contender, Effort, Measure};
use crate::setting::{self, Ballast};
use crate::stage::{Program, Stage, Task};
use crate::subjects::{self, Floor, Runner, Skip, Subject};
use crate::threads::{self, Team};

/// The stage and all subjects that were asked for.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    args: &'a Args,
    stage: Stage,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    peer: bool,
    subject: Result<Box<dyn Subject>, Skip>,
}

/// A subject that proved itself, with as many runners as there are threads.
#[derive(Debug)]
struct Ready {
    name: &'static str,
    lacks: Vec<String>,
    runners: Vec<Box<dyn Runner>>,
}

impl<'a> Session<'a> {
    /// Looks for the subjects.
    pub(crate) fn new(stage: Stage, args: &'a Args) -> Session<'a> {
        let limit = Duration::from_secs(if args.flags.quick { 2 } else { 10 });
        let ours = subjects::ours().into_iter().filter(|subject| args.flags.wants(subject.name()));
        let ours = ours.map(|subject| Entry { name: subject.name(), peer: false, subject: Ok(subject) });
        let path = std::env::var_os("PATH").unwrap_or_default();
        let peers = peers::find(&path, &stage, limit, |name| args.flags.wants(name)).into_iter();
        let peers = peers.map(|found| Entry { name: found.name, peer: true, subject: found.subject });
        let entries = ours.chain(peers).collect();
        Session { args, stage, entries }
    }

    /// Measures a case in its setting.
    pub(crate) fn case(&self, case: Case, deadline: Option<Instant>) -> Outcome {
        if case.shape().needs_root() && !nix::unistd::geteuid().is_root() {
            return Outcome::skipped(case.name(), "needs root (`user` is the same with a user namespace)");
        }
        let skipped = |error: crate::Error| Outcome::skipped(case.name(), error.to_string());
        match case.setting() {
            Setting::Plain | Setting::Threads(_) => self.here(case, deadline),
            Setting::Memory(bytes) => match Ballast::new(bytes, deadline) {
                Ok(_ballast) => self.here(case, deadline),
                Err(error) => skipped(error),
            },
            Setting::Mounts(_) => setting::in_own_process(case, self.args, deadline).unwrap_or_else(skipped),
        }
    }

    /// Measures a case in this process as it is.
    pub(crate) fn here(&self, case: Case, deadline: Option<Instant>) -> Outcome {
        let effort = Effort::new(usize::try_from(self.args.flags.samples).unwrap_or(usize::MAX), deadline);
        let (ready, mut skipped) = self.ready(case);
        let (rows, failed) = if let Setting::Threads(_) = case.setting() {
            threads::measure(ready.into_iter().map(Team::from).collect(), effort)
        } else {
            let contenders = ready.into_iter().filter_map(Ready::contender).collect();
            sample::sample(contenders, self.spacer(case.shape()), effort)
        };
        skipped.extend(failed);
        Outcome { case: case.name().to_owned(), rows, skipped }
    }

    /// Leaves a subject that had to be killed out of all further cases.
    pub(crate) fn drop_hung(&mut self, outcome: &Outcome) {
        for skipped in outcome.skipped.iter().filter(|skipped| skipped.hung) {
            let hung = self.entries.iter_mut().filter(|entry| Some(entry.name) == skipped.subject.as_deref());
            for entry in hung {
                entry.subject = Err(format!("hung in {}", outcome.case).as_str().into());
            }
        }
    }

    fn ready(&self, case: Case) -> (Vec<Ready>, Vec<Skipped>) {
        let (mut ready, mut skipped) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            match self.prepare(entry, case) {
                Ok(subject) => ready.push(subject),
                Err(skip) => skipped.push(Skipped::subject(entry.name, skip)),
            }
        }
        (ready, skipped)
    }

    fn prepare(&self, entry: &Entry, case: Case) -> Result<Ready, Skip> {
        let subject = entry.subject.as_ref().map_err(Clone::clone)?;
        if entry.peer && matches!(case.setting(), Setting::Memory(_)) {
            return Err("a program of its own: the memory of the caller does not matter to it".into());
        }
        let shape = case.shape();
        let lacks = probe::prove(subject.as_ref(), &self.stage, shape)?;
        if !entry.peer && !lacks.is_empty() {
            return Err(format!("does not do what is asked: {}", lacks.join(", ")).as_str().into());
        }
        let count = if let Setting::Threads(count) = case.setting() { count } else { 1 };
        let runners = (0..count).map(|_| self.runner(subject.as_ref(), shape)).collect::<Result<_, _>>()?;
        Ok(Ready { name: entry.name, lacks, runners })
    }

    fn spacer(&self, shape: Shape) -> Option<Box<dyn Measure>> {
        self.runner(&Floor, shape).ok().map(measured)
    }

    fn runner(&self, subject: &dyn Subject, shape: Shape) -> Result<Box<dyn Runner>, Skip> {
        subject.prepare(&Task { stage: &self.stage, shape, program: Program::Workload, output: None })
    }
}

fn measured(runner: Box<dyn Runner>) -> Box<dyn Measure> {
    Box::new(runner)
}

impl Ready {
    fn contender(mut self) -> Option<Contender> {
        let runner = measured(self.runners.pop()?);
        Some(Contender { name: self.name, lacks: self.lacks, runner })
    }
}

impl From<Ready> for Team {
    fn from(ready: Ready) -> Team {
        Team { name: ready.name, lacks: ready.lacks, runners: ready.runners }
    }
}
