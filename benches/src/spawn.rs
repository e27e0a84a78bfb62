//! The bench `spawn`: from the command line to the reports.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::Error;
use crate::args::Args;
use crate::case::{Case, Setting};
use crate::session::Session;
use crate::setting;
use crate::stage::Stage;
use crate::{json, plot, report};

/// What `--quick` plans with; the least number of rounds may take a case beyond its share.
const QUICK: Duration = Duration::from_secs(24);

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = if args.inside { inside(&args) } else { outside(&args) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spawn: {error}");
            ExitCode::FAILURE
        }
    }
}

fn outside(args: &Args) -> Result<(), Error> {
    let json = args.json.as_deref().map(json::Sink::create).transpose()?;
    let svg = args.svg.as_deref().map(plot::Sink::create).transpose()?;
    let start = Instant::now();
    let mut session = Session::new(Stage::new()?, args);
    let cases = args.cases();
    let mut outcomes = Vec::new();
    for (done, case) in cases.iter().enumerate() {
        let left = QUICK.saturating_sub(start.elapsed());
        let deadline = args.quick.then(|| Instant::now() + share(left, &cases[done..]));
        let outcome = session.case(*case, deadline);
        report::print(&outcome);
        session.drop_hung(&outcome);
        outcomes.push(outcome);
    }
    report::print_peers(&outcomes);
    if let Some(sink) = json {
        sink.write(&outcomes)?;
    }
    if let Some(sink) = svg {
        sink.write(&outcomes)?;
    }
    Ok(())
}

/// What the first of `cases` may take of the time that is left for all of them.
fn share(left: Duration, cases: &[Case]) -> Duration {
    let all: u32 = cases.iter().map(|case| case.weight()).sum();
    cases.first().map_or(left, |first| left * first.weight() / all.max(1))
}

/// The measuring process of a case that needs mounts of its own.
fn inside(args: &Args) -> Result<(), Error> {
    let deadline = args.budget_ms.map(|left| Instant::now() + Duration::from_millis(left));
    let case = *args.case.first().ok_or_else(|| Error::Inner("no case".to_owned()))?;
    let Setting::Mounts(count) = case.setting() else {
        return Err(Error::Inner(format!("{case} needs no process of its own")));
    };
    let stage = Stage::new()?;
    let mounts = setting::many_mounts(&stage, count)?;
    let session = Session::new(stage, args);
    println!("{}", json::line(&session.here(case, deadline))?);
    setting::no_mounts(&mounts)?;
    Ok(())
}
