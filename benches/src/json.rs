//! JSON Lines: one object for each case and subject.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Error;
use crate::outcome::{Outcome, Row};

/// One line. The README explains each field.
#[derive(Debug, Serialize)]
struct Record<'a> {
    bench: &'a str,
    case: &'a str,
    subject: &'a str,
    n: usize,
    min_us: f64,
    p50_us: f64,
    p99_us: f64,
    vs_floor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second_one_thread: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscalls: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_kib: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    lacks: &'a [String],
}

/// A file to write to, made before the measurement so that a bad path is told at once.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
    file: File,
}

impl Sink {
    /// Makes the file.
    pub(crate) fn create(path: &Path) -> Result<Sink, Error> {
        let file = File::create(path).map_err(Error::io(format!("make {}", path.display())))?;
        let path = path.canonicalize().map_err(Error::io(format!("resolve {}", path.display())))?;
        Ok(Sink { path, file })
    }

    /// Writes all lines.
    pub(crate) fn write(mut self, bench: &str, outcomes: &[Outcome]) -> Result<(), Error> {
        let lines = lines(bench, outcomes)?;
        self.file.write_all(lines.as_bytes()).map_err(Error::io(format!("write {}", self.path.display())))?;
        println!("wrote {}", self.path.display());
        Ok(())
    }
}

/// A value as one line.
pub(crate) fn line(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Inner(error.to_string()))
}

fn lines(bench: &str, outcomes: &[Outcome]) -> Result<String, Error> {
    let mut text = String::new();
    for outcome in outcomes {
        for row in &outcome.rows {
            text += &line(&record(bench, outcome, row))?;
            text += "\n";
        }
    }
    Ok(text)
}

fn record<'a>(bench: &'a str, outcome: &'a Outcome, row: &'a Row) -> Record<'a> {
    Record {
        bench,
        case: &outcome.case,
        subject: &row.subject,
        n: row.n,
        min_us: round(row.min_us, 10.0),
        p50_us: round(row.p50_us, 10.0),
        p99_us: round(row.p99_us, 10.0),
        vs_floor: outcome.vs_floor(row).map(|ratio| round(ratio, 1000.0)),
        per_second: row.rate.map(|rate| round(rate.per_second, 10.0)),
        per_second_one_thread: row.rate.map(|rate| round(rate.per_second_one_thread, 10.0)),
        syscalls: row.syscalls.map(|calls| round(calls, 10.0)),
        peak_rss_kib: row.peak_rss_kib,
        private_kib: row.private_kib,
        first_us: row.many.map(|many| round(many.first_us, 10.0)),
        last_us: row.many.map(|many| round(many.last_us, 10.0)),
        host_kib: row.many.map(|many| round(many.host_kib, 10.0)),
        lacks: &row.lacks,
    }
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample_outcome;

    #[test]
    fn lines_have_the_promised_fields() {
        let text = lines("spawn", &[sample_outcome()]).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            r#"{"bench":"spawn","case":"sandbox","subject":"floor","n":200,"min_us":50.0,"p50_us":100.0,"p99_us":200.0,"vs_floor":1.0}"#
        );
        let second: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!(second["vs_floor"], 1.1);
    }

    #[test]
    fn without_the_floor_there_is_no_ratio() {
        let mut outcome = sample_outcome();
        outcome.rows.remove(0);
        assert!(lines("spawn", &[outcome]).unwrap().contains(r#""vs_floor":null"#));
    }
}
