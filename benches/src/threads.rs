//! Throughput: many threads that spawn at once against a single one.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::outcome::{Rate, Row, Skipped};
use crate::sample::{self, Effort, Shuffle};
use crate::stats;
use crate::subjects::Runner;

/// Spawns of a block, by one thread and then by all threads together.
const BLOCK: usize = 40;
/// The same where time is short.
const QUICK_BLOCK: usize = 16;
/// Before each block: the kernel takes network namespaces down in the background, and those of the last block are
/// not to be paid by the next.
const SETTLE: Duration = Duration::from_millis(30);

/// A subject with one runner for each thread.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) name: &'static str,
    pub(crate) lacks: Vec<String>,
    pub(crate) runners: Vec<Box<dyn Runner>>,
}

/// Measures the teams in turns, block by block.
pub(crate) fn measure(teams: Vec<Team>, effort: Effort) -> (Vec<Row>, Vec<Skipped>) {
    let mut lanes: Vec<Lane> = teams.into_iter().map(Lane::new).collect();
    for lane in &mut lanes {
        lane.warm_up();
    }
    let mut shuffle = Shuffle::default();
    let block = if effort.deadline.is_some() { QUICK_BLOCK } else { BLOCK };
    let mut done = 0;
    while !effort.enough(done) {
        for index in shuffle.order(lanes.len()) {
            lanes[index].block(block);
        }
        done += block;
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

#[derive(Debug)]
struct Lane {
    team: Team,
    times: Vec<Duration>,
    /// Spawns per second of each block, by all threads and by one.
    all: Vec<f64>,
    one: Vec<f64>,
    failed: Option<Error>,
}

impl Lane {
    fn new(team: Team) -> Lane {
        Lane { team, times: Vec::new(), all: Vec::new(), one: Vec::new(), failed: None }
    }

    fn warm_up(&mut self) {
        let failed = self.team.runners.iter_mut().find_map(|runner| sample::time(runner.as_mut()).err());
        self.failed = failed;
    }

    fn block(&mut self, spawns: usize) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.single(spawns).and_then(|()| self.together(spawns)) {
            self.failed = Some(error);
        }
    }

    fn single(&mut self, spawns: usize) -> Result<(), Error> {
        thread::sleep(SETTLE);
        let start = Instant::now();
        series(self.team.runners[0].as_mut(), spawns)?;
        self.one.push(per_second(spawns, start.elapsed()));
        Ok(())
    }

    fn together(&mut self, spawns: usize) -> Result<(), Error> {
        let share = (spawns / self.team.runners.len()).max(1);
        thread::sleep(SETTLE);
        let barrier = Barrier::new(self.team.runners.len() + 1);
        let (results, took) = thread::scope(|scope| {
            let start = |runner: &mut Box<dyn Runner>| {
                barrier.wait();
                series(runner.as_mut(), share)
            };
            let threads: Vec<_> =
                self.team.runners.iter_mut().map(|runner| scope.spawn(move || start(runner))).collect();
            barrier.wait();
            let begin = Instant::now();
            let results: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
            (results, begin.elapsed())
        });
        for result in results {
            self.times.extend(result.map_err(|_| Error::Inner("a thread panicked".to_owned()))??);
        }
        self.all.push(per_second(share * self.team.runners.len(), took));
        Ok(())
    }

    fn finish(self) -> Result<Row, Skipped> {
        let name = self.team.name;
        if let Some(error) = self.failed {
            return Err(sample::failed(name, self.times.len(), error));
        }
        let rate = Rate { per_second: median(self.all), per_second_one_thread: median(self.one) };
        let summary = stats::summarise(self.times);
        let summary = summary.ok_or_else(|| Skipped::subject(name, "no sample".into()))?;
        Ok(Row { rate: Some(rate), ..sample::row(name, summary, self.team.lacks) })
    }
}

fn series(runner: &mut dyn Runner, count: usize) -> Result<Vec<Duration>, Error> {
    (0..count).map(|_| sample::time(runner)).collect()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}
