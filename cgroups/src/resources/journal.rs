//! What was there before, to write it back.

use super::Write;
use crate::dir::Dir;
use crate::{Error, Result};

/// Values that were replaced, in the order in which that was done.
#[derive(Debug, Default)]
pub(super) struct Journal<'a> {
    entries: Vec<(&'a Dir, Restore)>,
}

/// What to write to a file to undo a write.
#[derive(Debug, PartialEq, Eq)]
struct Restore {
    file: String,
    values: Vec<String>,
}

impl<'a> Journal<'a> {
    /// Writes, and notes what that has replaced.
    pub(super) fn write(&mut self, dir: &'a Dir, write: &Write) -> Result<()> {
        let before = match dir.read(&write.file) {
            Ok(before) => Some(values_before(write, &before)),
            // What cannot be read cannot be restored; it is one of the few files that are only written.
            Err(error) if is_only_written(&error) => None,
            Err(error) => return Err(error),
        };
        dir.write(&write.file, &write.value)?;
        let file = write.file.clone().into_owned();
        self.entries.extend(before.map(|values| (dir, Restore { file, values })));
        Ok(())
    }

    /// Writes back, last first. What could not be is returned; a cgroup that is gone needs nothing.
    pub(super) fn restore(self) -> Vec<Error> {
        let mut failed = Vec::new();
        for (dir, restore) in self.entries.into_iter().rev() {
            let results = restore.values.iter().map(|value| dir.write(&restore.file, value));
            failed.extend(results.filter_map(Result::err).filter(|_| dir.has("cgroup.procs")));
        }
        failed
    }
}

/// The mode of such a file keeps others out; root, who may open it, is told that there is nothing to read.
fn is_only_written(error: &Error) -> bool {
    match error {
        Error::Open { errno, .. } => errno.number() == libc::EACCES,
        Error::Read { errno, .. } => errno.number() == libc::EINVAL,
        _ => false,
    }
}

/// What to write so that a file says again what it said.
fn values_before(write: &Write, before: &str) -> Vec<String> {
    match (&write.reset, write.file.as_ref()) {
        (Some(reset), _) => {
            let key = reset.split(' ').next().unwrap_or_default();
            let line = before.lines().find(|line| line.split_whitespace().next() == Some(key));
            vec![line.unwrap_or(reset).to_owned()]
        }
        // Says more than it takes: `oom_kill_disable 0` and others, of which the first is written as a number.
        (None, "memory.oom_control") => {
            vec![before.split_whitespace().nth(1).unwrap_or("0").to_owned()]
        }
        // `root invalid (reason)` was set as `root`.
        (None, "cpuset.cpus.partition") => {
            vec![before.split_whitespace().next().unwrap_or("member").to_owned()]
        }
        // A file of any kind by its name: with several lines, each by itself.
        (None, _) if before.trim().is_empty() => vec!["\n".to_owned()],
        (None, _) => before.lines().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_one_value_get_it_back() {
        let write = Write::value("memory.max", "1");
        assert_eq!(values_before(&write, "max\n"), ["max"]);
        assert_eq!(values_before(&Write::value("cpuset.cpus", "0"), "\n"), ["\n"]);
        let before = "oom_kill_disable 1\nunder_oom 0\noom_kill 3\n";
        assert_eq!(values_before(&Write::value("memory.oom_control", "0"), before), ["1"]);
        let write = Write::value("cpuset.cpus.partition", "member");
        assert_eq!(values_before(&write, "root invalid (Cpu list in cpuset.cpus not exclusive)\n"), ["root"]);
    }

    #[test]
    fn files_with_lines_get_back_the_line_or_are_reset() {
        let write = Write::line("io.max", "8:0", "rbps=1", "rbps=max wbps=max");
        let before = "8:16 rbps=5 wbps=max riops=max wiops=max\n8:0 rbps=7 wbps=max riops=max wiops=max\n";
        assert_eq!(values_before(&write, before), ["8:0 rbps=7 wbps=max riops=max wiops=max"]);
        assert_eq!(values_before(&write, ""), ["8:0 rbps=max wbps=max"]);
        // 8:0 is not the beginning of 8:01.
        assert_eq!(values_before(&write, "8:01 rbps=5\n"), ["8:0 rbps=max wbps=max"]);
    }
}
