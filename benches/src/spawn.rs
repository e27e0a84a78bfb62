//! The bench `spawn`: from the command line to the reports.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::Error;
use crate::args::Args;
use crate::bench::{self, About, Bench};
use crate::case::Setting;
use crate::json;
use crate::session::Session;
use crate::setting;
use crate::stage::Stage;

pub(crate) const ABOUT: About = About {
    name: "spawn",
    title: "Start an isolated process and see it end",
    timed: "from before the spawn until the exit was reaped",
};

/// Runs the bench with the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    bench::exit(&ABOUT, if args.inside { inside(&args) } else { outside(&args) })
}

fn outside(args: &Args) -> Result<(), Error> {
    let bench = Bench::new(&ABOUT, &args.flags)?;
    let mut session = Session::new(Stage::new()?, args);
    bench.run(|case, deadline| {
        let outcome = session.case(case, deadline);
        session.drop_hung(&outcome);
        Ok(outcome)
    })
}

/// The measuring process of a case that needs mounts of its own.
fn inside(args: &Args) -> Result<(), Error> {
    let deadline = args.budget_ms.map(|left| Instant::now() + Duration::from_millis(left));
    let case = args.flags.one_case()?;
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
