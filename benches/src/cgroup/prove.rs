//! The proof that a subject sets limits: the files are looked at, not what it answers.
//!
//! The other cases prove themselves in each run: a process is listed, statistics are not zero, nobody is left.

use std::fs;
use std::path::Path;

use super::case::Case;
use super::place::Version;
use super::runs::Used;
use super::subjects::{Limits, MEMORY, PERIOD, PIDS, QUOTA};
use crate::Error;

/// Lets a subject make and remove a cgroup once.
pub(super) fn prove(used: &Used, case: Case) -> Result<(), Error> {
    if case != Case::CreateLimitRemove {
        return Ok(());
    }
    let place = &used.stage.place;
    let name = place.name();
    let group = used.subject.create(&name, Limits::Set)?;
    for (controller, file, value) in limits(place.version()) {
        let directory = used.subject.parent(place.hierarchy(controller)?).join(&name);
        expect(&directory.join(file), &value)?;
    }
    group.remove()?;
    let directories = used.subject.directories(place, &name, used.controllers)?;
    match directories.iter().find(|path| path.exists()) {
        Some(left) => Err(Error::Undone(format!("{} is still there", left.display()))),
        None => Ok(()),
    }
}

fn limits(version: Version) -> Vec<(&'static str, &'static str, String)> {
    let pids = ("pids", "pids.max", PIDS.to_string());
    match version {
        Version::V1 => vec![
            ("memory", "memory.limit_in_bytes", MEMORY.to_string()),
            ("cpu", "cpu.cfs_quota_us", QUOTA.to_string()),
            ("cpu", "cpu.cfs_period_us", PERIOD.to_string()),
            pids,
        ],
        Version::V2 => vec![
            ("memory", "memory.max", MEMORY.to_string()),
            ("cpu", "cpu.max", format!("{QUOTA} {PERIOD}")),
            pids,
        ],
    }
}

fn expect(path: &Path, value: &str) -> Result<(), Error> {
    let found = fs::read_to_string(path).map_err(Error::io(format!("read {}", path.display())))?;
    if found.trim_end() == value {
        return Ok(());
    }
    Err(Error::Undone(format!("{} has {:?}, not {value}", path.display(), found.trim_end())))
}
