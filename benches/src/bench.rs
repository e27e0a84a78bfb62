//! What all benches do: files made first, each case in its share of the time, reports in the end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Error;
use crate::flags::{Cases, Flags};
use crate::outcome::Outcome;
use crate::{json, plot, report};

/// What `--quick` plans with; the least number of rounds may take a case beyond its share.
const QUICK: Duration = Duration::from_secs(24);

/// A bench, as its reports call it.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// The heading of the picture.
    pub(crate) title: &'static str,
    /// What a time begins and ends with.
    pub(crate) timed: &'static str,
}

/// A run of a bench, with its files made: a bad path is told at once.
#[derive(Debug)]
pub(crate) struct Bench<'a, C> {
    about: &'a About,
    cases: Vec<C>,
    quick: bool,
    json: Option<json::Sink>,
    svg: Option<plot::Sink>,
}

impl<'a, C: Cases> Bench<'a, C> {
    /// Makes the files that were asked for.
    pub(crate) fn new(about: &'a About, flags: &Flags<C>) -> Result<Bench<'a, C>, Error> {
        let json = flags.json.as_deref().map(json::Sink::create).transpose()?;
        let svg = flags.svg.as_deref().map(plot::Sink::create).transpose()?;
        Ok(Bench { about, cases: flags.cases(), quick: flags.quick, json, svg })
    }

    /// Measures all cases and reports.
    pub(crate) fn run(
        self,
        mut measure: impl FnMut(C, Option<Instant>) -> Result<Outcome, Error>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut outcomes = Vec::new();
        for (done, case) in self.cases.iter().enumerate() {
            let left = QUICK.saturating_sub(start.elapsed());
            let deadline = self.quick.then(|| Instant::now() + share(left, &self.cases[done..]));
            let outcome = measure(*case, deadline)?;
            report::print(&outcome);
            outcomes.push(outcome);
        }
        report::print_peers(&outcomes);
        if let Some(sink) = self.json {
            sink.write(self.about.name, &outcomes)?;
        }
        if let Some(sink) = self.svg {
            sink.write(self.about, &outcomes)?;
        }
        Ok(())
    }
}

/// What the first of `cases` may take of the time that is left for all of them.
fn share<C: Cases>(left: Duration, cases: &[C]) -> Duration {
    let all: u32 = cases.iter().map(|case| case.weight()).sum();
    cases.first().map_or(left, |case| left * case.weight() / all.max(1))
}

/// The exit code, after a line that says what went wrong.
pub(crate) fn exit(about: &About, done: Result<(), Error>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", about.name);
            ExitCode::FAILURE
        }
    }
}
