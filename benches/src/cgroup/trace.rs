//! System calls of each subject: this program runs again, under strace.

use super::args::Args;
use super::case::Case;
use super::runs;
use super::stage::Stage;
use crate::Error;
use crate::marks;
use crate::outcome::Outcome;

/// Runs that are counted.
const RUNS: u32 = 20;
/// Runs before them, as in the measurement.
const WARM_UP: u32 = 3;

/// Counts for every subject that was measured.
pub(super) fn count(args: &Args, case: Case, outcome: &mut Outcome) {
    marks::count_all(case.name(), case.samples(RUNS).min(args.flags.samples), outcome);
}

/// The traced process: one subject in one case.
pub(super) fn traced(args: &Args) -> Result<(), Error> {
    let case = *args.case.first().ok_or_else(|| Error::Inner("no case".to_owned()))?;
    let subject = args.subject.first().ok_or_else(|| Error::Inner("no subject".to_owned()))?;
    let stage = Stage::new()?;
    let mut runner = runs::prepare(&stage, case, subject).map_err(|skip| Error::Inner(skip.reason))?;
    for run in 0..WARM_UP + args.traced.unwrap_or(RUNS) {
        if run == WARM_UP {
            marks::on();
        }
        runner.measure()?;
    }
    drop(runner);
    stage.close()
}
