//! The children of this process.

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, waitpid};

/// All of them, also those that have ended and were not waited for.
pub fn own() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Kills them, except for these.
pub fn kill_except(strangers: &[u32]) {
    for child in own().into_iter().filter(|child| !strangers.contains(child)) {
        kill(child).unwrap_or_default();
    }
}

/// Kills a process if it is a child; another thread may wait for it at any moment.
fn kill(child: u32) -> rustix::io::Result<()> {
    let Some(pid) = pid(child) else { return Ok(()) };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // Behind the name, which may contain anything, and the state.
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
    if parent == Some(getpid().as_raw_nonzero().get()) {
        pidfd_send_signal(&pidfd, Signal::KILL)
    } else {
        Ok(())
    }
}

/// Waits for those that have ended, apart from the program, whose status is of interest.
pub fn reap_except(program: u32) {
    for child in own().into_iter().filter(|child| *child != program) {
        // One that still runs is asked again when the next one has ended.
        pid(child).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG).unwrap_or_default()).unwrap_or_default();
    }
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}
