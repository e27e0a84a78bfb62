//! System calls of each subject: this program runs again, under strace.

use super::args::Args;
use super::case::Case;
use super::runs;
use super::stage::Stage;
use crate::Error;
use crate::marks;
use crate::outcome::Outcome;

/// Counts for every subject that was measured.
pub(super) fn count(args: &Args, case: Case, outcome: &mut Outcome) {
    marks::count_all(case.name(), case.samples(marks::RUNS).min(args.flags.samples), outcome);
}

/// The traced process: one subject in one case.
pub(super) fn traced(args: &Args, runs: u32) -> Result<(), Error> {
    let stage = Stage::new()?;
    let runner = runs::prepare(&stage, args.flags.one_case()?, args.flags.one_subject()?);
    marks::trace(runner.map_err(|skip| Error::Inner(skip.reason))?.as_mut(), runs)?;
    stage.close()
}
