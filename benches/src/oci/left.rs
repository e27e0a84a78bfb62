//! What is left of containers: their cgroups, with what is still in them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Error;

/// How long killed processes may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the names of all containers of this process begin with.
pub(super) fn prefix() -> String {
    format!("cofferdam-bench-{}-", std::process::id())
}

/// Removes all cgroups of containers, in whatever hierarchy, and their processes.
pub(super) fn remove() -> Result<(), Error> {
    let info = fs::read_to_string("/proc/self/mountinfo").map_err(Error::io("read /proc/self/mountinfo"))?;
    for top in hierarchies(&info) {
        // One that is covered by another mount is seen twice, one that is gone not at all.
        let Ok(entries) = fs::read_dir(&top) else { continue };
        let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix());
        for entry in entries.filter_map(Result::ok).filter(ours) {
            remove_one(&entry.path())?;
        }
    }
    Ok(())
}

/// Where hierarchies of cgroups are mounted.
fn hierarchies(mountinfo: &str) -> Vec<PathBuf> {
    let one = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next()?;
        matches!(kind, "cgroup" | "cgroup2").then(|| before.split(' ').nth(4).map(PathBuf::from))?
    };
    mountinfo.lines().filter_map(one).collect()
}

fn remove_one(directory: &Path) -> Result<(), Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        let busy = match fs::remove_dir(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy => error,
            done => return done.map_err(Error::io(format!("remove {}", directory.display()))),
        };
        if Instant::now() >= end {
            return Err(Error::io(format!("remove {}", directory.display()))(busy));
        }
        let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 1) {
            // It may have ended meanwhile; one that cannot be killed keeps the cgroup, which is told.
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found_among_the_mounts() {
        let info = "22 1 0:20 / /proc rw - proc proc rw\n\
            30 22 0:26 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids\n\
            31 22 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            hierarchies(info),
            [Path::new("/sys/fs/cgroup/pids"), Path::new("/sys/fs/cgroup/unified")]
        );
    }
}
