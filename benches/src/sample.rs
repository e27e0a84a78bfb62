//! Sampling: all subjects in each round, in an order that changes from round to round.

use std::fmt;
use std::time::{Duration, Instant};

use crate::Error;
use crate::marks;
use crate::outcome::{Row, Skipped};
use crate::stats::{self, Summary};
use crate::subjects::{Runner, Skip};
use crate::workload::EXIT;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// When to stop early; a few rounds are made in any case.
    pub(crate) deadline: Option<Instant>,
    /// Rounds before those that count.
    warm_up: usize,
    /// Rounds that are made in any case.
    least: usize,
}

const WARM_UP: usize = 3;
const LEAST: usize = 5;

impl Effort {
    /// Of runs that take less than a tenth of a second.
    pub(crate) fn new(rounds: usize, deadline: Option<Instant>) -> Effort {
        Effort { rounds, deadline, warm_up: WARM_UP, least: LEAST }
    }

    /// Of runs that take seconds, and were made once before.
    pub(crate) fn of_long_runs(rounds: usize, deadline: Option<Instant>) -> Effort {
        Effort { rounds, deadline, warm_up: 0, least: 1 }
    }

    /// Whether `done` rounds are enough.
    pub(crate) fn enough(&self, done: usize) -> bool {
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        done >= self.rounds || (late && done >= self.least)
    }
}

/// Something that is timed again and again.
pub(crate) trait Measure: fmt::Debug {
    /// One run; answers with the time of the part that counts.
    fn measure(&mut self) -> Result<Duration, Error>;
}

/// A spawn counts as a whole.
impl Measure for Box<dyn Runner> {
    fn measure(&mut self) -> Result<Duration, Error> {
        time(self.as_mut())
    }
}

/// A subject that proved itself, ready to be measured.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) lacks: Vec<String>,
    pub(crate) runner: Box<dyn Measure>,
}

/// Measures all contenders; one that fails on the way is left out, with the reason.
///
/// `spacer` runs untimed before each timed run, so that all begin in the same wake: after a subject that took much
/// memory or time (a fork of gigabytes) caches are cold, and the one after it would pay.
pub(crate) fn sample(
    contenders: Vec<Contender>,
    mut spacer: Option<Box<dyn Measure>>,
    effort: Effort,
) -> (Vec<Row>, Vec<Skipped>) {
    let mut lanes: Vec<Lane> = contenders.into_iter().map(Lane::new).collect();
    for _ in 0..effort.warm_up {
        lanes.iter_mut().for_each(|lane| lane.step(false));
    }
    let mut shuffle = Shuffle::default();
    let mut done = 0;
    while !effort.enough(done) {
        for index in shuffle.order(lanes.len()) {
            if spacer.as_mut().is_some_and(|spacer| spacer.measure().is_err()) {
                spacer = None;
            }
            // What the subject itself needs is warm for everyone, not only for the spacer's own kind.
            if lanes[index].is_quick() {
                lanes[index].step(false);
            }
            lanes[index].step(true);
        }
        done += 1;
    }
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    for lane in lanes {
        match lane.finish() {
            Ok(row) => rows.push(row),
            Err(reason) => skipped.push(reason),
        }
    }
    (rows, skipped)
}

/// Runs what is timed; a trace of the system calls shows where it begins and ends.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<(T, Duration), Error> {
    let start = Instant::now();
    marks::mark();
    let done = work();
    marks::mark();
    let took = start.elapsed();
    Ok((done?, took))
}

/// One timed run of a spawn.
pub(crate) fn time(runner: &mut dyn Runner) -> Result<Duration, Error> {
    let start = Instant::now();
    let status = runner.run()?;
    let took = start.elapsed();
    if status == EXIT { Ok(took) } else { Err(Error::Status { status, expected: EXIT }) }
}

#[derive(Debug)]
struct Lane {
    contender: Contender,
    times: Vec<Duration>,
    failed: Option<Error>,
}

impl Lane {
    fn new(contender: Contender) -> Lane {
        Lane { contender, times: Vec::new(), failed: None }
    }

    /// Whether one more run takes no time worth speaking of, so that it can come before each timed one.
    fn is_quick(&self) -> bool {
        const QUICK: Duration = Duration::from_millis(40);
        self.times.last().is_none_or(|took| *took < QUICK)
    }

    fn step(&mut self, keep: bool) {
        if self.failed.is_some() {
            return;
        }
        match self.contender.runner.measure() {
            Ok(took) if keep => self.times.push(took),
            Ok(_) => {}
            Err(error) => self.failed = Some(error),
        }
    }

    fn finish(self) -> Result<Row, Skipped> {
        let name = self.contender.name;
        if let Some(error) = self.failed {
            return Err(failed(name, self.times.len(), error));
        }
        let summary = stats::summarise(self.times);
        summary
            .map(|summary| row(name, summary, self.contender.lacks))
            .ok_or_else(|| Skipped::subject(name, "no sample".into()))
    }
}

/// The figures of a subject.
pub(crate) fn row(name: &str, summary: Summary, lacks: Vec<String>) -> Row {
    let Summary { n, min_us, p50_us, p99_us } = summary;
    Row {
        subject: name.to_owned(),
        n,
        min_us,
        p50_us,
        p99_us,
        lacks,
        rate: None,
        syscalls: None,
        calls: None,
        peak_rss_kib: None,
        private_kib: None,
        many: None,
    }
}

/// A subject that failed while it was measured.
pub(crate) fn failed(name: &str, samples: usize, error: Error) -> Skipped {
    let skip = Skip::from(error);
    Skipped::subject(name, Skip { reason: format!("after {samples} samples: {skip}"), ..skip })
}

/// A new order each time (the same ones in each run), so that nobody always runs in the wake of the same other.
#[derive(Debug)]
pub(crate) struct Shuffle(u64);

impl Default for Shuffle {
    fn default() -> Shuffle {
        Shuffle(0x9e37_79b9_7f4a_7c15)
    }
}

impl Shuffle {
    /// The numbers below `len`, shuffled.
    pub(crate) fn order(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let other = usize::try_from(self.0 >> 33).unwrap_or_default() % (last + 1);
            order.swap(last, other);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fake(usize);

    impl Runner for Fake {
        fn run(&mut self) -> Result<i32, Error> {
            self.0 += 1;
            if self.0 < 6 { Ok(EXIT) } else { Ok(1) }
        }
    }

    fn contender(after: usize) -> Contender {
        let runner: Box<dyn Runner> = Box::new(Fake(after));
        Contender { name: "fake", lacks: Vec::new(), runner: Box::new(runner) }
    }

    #[test]
    fn who_fails_on_the_way_is_left_out_with_the_reason() {
        let (rows, skipped) = sample(vec![contender(0)], None, Effort::new(10, None));
        assert!(rows.is_empty());
        // Three runs to warm up, then an untimed and a timed one in each round: the sixth is the untimed one of the second.
        assert!(skipped[0].reason.starts_with("after 1 samples: ended with status 1"), "{skipped:?}");
    }

    #[test]
    fn a_past_deadline_still_gives_a_few_rounds() {
        let effort = Effort::new(10, Some(Instant::now()));
        assert!(!effort.enough(LEAST - 1) && effort.enough(LEAST));
    }

    #[test]
    fn every_order_is_a_permutation_and_successors_vary() {
        let mut shuffle = Shuffle::default();
        let mut after_zero: std::collections::HashSet<usize> = std::collections::HashSet::new();
        for _ in 0..200 {
            let order = shuffle.order(6);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
            let place = order.iter().position(|index| *index == 0).unwrap();
            after_zero.extend(order.get(place + 1));
        }
        assert_eq!(after_zero.len(), 5);
    }
}
