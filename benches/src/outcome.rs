//! What a case gave: plain data, also the line that the measuring process sends back.

use serde::{Deserialize, Serialize};

use crate::subjects::Skip;

/// The subjects that others are compared with; each bench has one of them for whole processes.
const FLOORS: [&str; 2] = ["floor", "tar"];
/// What a library is compared with where processes are compared with another floor.
const INSIDE: &str = "floor-library";

/// The results of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What was not.
    pub skipped: Vec<Skipped>,
}

/// One subject's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The subject's name.
    pub subject: String,
    /// The number of samples.
    pub n: usize,
    /// The fastest.
    pub min_us: f64,
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// What of the case this peer does not do.
    pub lacks: Vec<String>,
    /// The throughput, where threads spawn at once.
    pub rate: Option<Rate>,
    /// The system calls of one run, where they were counted.
    pub syscalls: Option<f64>,
    /// Which ones.
    pub calls: Option<String>,
    /// The most memory at once, where a subject is a process of its own, in KiB.
    pub peak_rss_kib: Option<u64>,
    /// The memory of a container that nobody shares, in KiB.
    pub private_kib: Option<u64>,
    /// What many containers at once cost.
    pub many: Option<Many>,
}

/// Many containers at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Many {
    /// The median of the first of them.
    pub first_us: f64,
    /// The median of the last of them.
    pub last_us: f64,
    /// What less memory is available for each of them, in KiB; by the whole host's account.
    pub host_kib: f64,
}

/// Spawns per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Of all threads together.
    pub per_second: f64,
    /// Of a single thread.
    pub per_second_one_thread: f64,
}

/// A subject, or a whole case, that was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The subject's name; none for the whole case.
    pub subject: Option<String>,
    /// Why.
    pub reason: String,
    /// It had to be killed.
    pub hung: bool,
}

impl Skipped {
    /// A subject that was not measured.
    pub(crate) fn subject(name: &str, skip: Skip) -> Skipped {
        Skipped { subject: Some(name.to_owned()), reason: skip.reason, hung: skip.hung }
    }
}

impl Outcome {
    /// A case that was not measured at all.
    pub(crate) fn skipped(case: &str, reason: impl Into<String>) -> Outcome {
        let skipped = vec![Skipped { subject: None, reason: reason.into(), hung: false }];
        Outcome { case: case.to_owned(), rows: Vec::new(), skipped }
    }

    /// The row of a subject.
    pub fn row(&self, subject: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.subject == subject)
    }

    /// A row's median in units of the floor's.
    pub fn vs_floor(&self, row: &Row) -> Option<f64> {
        let inside =
            row.subject == INSIDE || row.subject.starts_with("cofferdam") && row.subject != "cofferdam-cli";
        let floor = inside.then(|| self.row(INSIDE)).flatten();
        let floor = floor.or_else(|| FLOORS.iter().find_map(|name| self.row(name)));
        floor.map(|floor| row.p50_us / floor.p50_us)
    }
}

/// Floor 100, cofferdam 110, crun 2200 microseconds; runc absent.
#[cfg(test)]
pub(crate) fn sample_outcome() -> Outcome {
    let row = |subject: &str, p50_us: f64| Row {
        subject: subject.to_owned(),
        n: 200,
        min_us: p50_us / 2.0,
        p50_us,
        p99_us: p50_us * 2.0,
        lacks: Vec::new(),
        rate: None,
        syscalls: None,
        calls: None,
        peak_rss_kib: None,
        private_kib: None,
        many: None,
    };
    Outcome {
        case: "sandbox".to_owned(),
        rows: vec![row("floor", 100.0), row("cofferdam", 110.0), row("crun", 2200.0)],
        skipped: vec![Skipped::subject("runc", "not on PATH".into())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_compared_with_the_floor_in_the_same_process() {
        let mut outcome = sample_outcome();
        outcome.rows.push(Row { subject: INSIDE.to_owned(), p50_us: 55.0, ..outcome.rows[0].clone() });
        let ratio = |subject: &str| outcome.vs_floor(outcome.row(subject).unwrap()).unwrap();
        assert!((ratio("cofferdam") - 2.0).abs() < 1e-9, "{}", ratio("cofferdam"));
        assert!((ratio("crun") - 22.0).abs() < 1e-9, "{}", ratio("crun"));
    }
}
