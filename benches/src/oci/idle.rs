//! `idle-500`: many containers at once that do nothing, and whether the last is made as fast as the first.

use std::time::{Duration, Instant};

use super::memory;
use super::stage::{Program, Stage};
use super::subjects::{Life, Subject};
use crate::Error;
use crate::outcome::{Many, Row};
use crate::sample;
use crate::stats;
use crate::subjects::Skip;

/// How many there are, and how many of them are the first and the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    count: usize,
    edge: usize,
}

impl Crowd {
    pub(super) fn new(quick: bool) -> Crowd {
        if quick { Crowd { count: 12, edge: 4 } } else { Crowd { count: 500, edge: 20 } }
    }
}

/// Makes them, looks at them, and deletes them.
pub(super) fn measure(stage: &Stage, name: &str, subject: &dyn Subject, crowd: Crowd) -> Result<Row, Skip> {
    let mut idle: Vec<Box<dyn Life>> = Vec::new();
    for _ in 0..crowd.count {
        idle.push(subject.life(stage, &stage.bundle(Program::Idle)?)?);
    }
    let before = memory::available_kib()?;
    let times = make(stage, &mut idle)?;
    let after = memory::available_kib()?;
    let private: Result<Vec<u64>, Error> = idle.iter().map(|one| memory::private_kib(one.pid()?)).collect();
    let mut private = private?;
    private.sort_unstable();
    // The last ones first, as none depends on another.
    while let Some(mut one) = idle.pop() {
        one.delete(true)?;
    }
    let median = |times: &[Duration]| stats::summarise(times.to_vec()).map(|summary| summary.p50_us);
    let last = times.len().saturating_sub(crowd.edge);
    let edges = median(&times[..crowd.edge.min(times.len())]).zip(median(&times[last..]));
    let (Some((first_us, last_us)), Some(summary)) = (edges, stats::summarise(times)) else {
        return Err("no container".into());
    };
    let host_kib = (as_f64(before) - as_f64(after)) / as_f64(u64::try_from(crowd.count).unwrap_or(1));
    let mut row = sample::row(name, summary, subject.lacks());
    row.private_kib = private.get(private.len() / 2).copied();
    row.many = Some(Many { first_us, last_us, host_kib });
    Ok(row)
}

/// Creates and starts all; the creation is timed.
fn make(stage: &Stage, idle: &mut [Box<dyn Life>]) -> Result<Vec<Duration>, Error> {
    let mut times = Vec::with_capacity(idle.len());
    for one in idle {
        stage.watch()?;
        let start = Instant::now();
        one.create()?;
        times.push(start.elapsed());
        one.start()?;
    }
    Ok(times)
}

/// Exact below 2^53, which no memory of a host in KiB reaches.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn as_f64(kib: u64) -> f64 {
    kib as f64
}
