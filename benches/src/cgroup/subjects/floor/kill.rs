//! Killing, until nobody is left.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::failed;
use super::path::Path;
use crate::Error;
use crate::sys::files;

const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at a cgroup whose processes are about to end.
const NAP: u32 = 50_000;
/// Of a list of processes; more are listed by another round.
const ROOM: usize = 4096;

/// v2: the kernel kills all, and says when the last is gone.
pub(super) fn at_once(at: BorrowedFd<'_>, name: &Path) -> Result<(), Error> {
    let events = name.join("cgroup.events");
    let events = files::open(at, events.as_c_str(), libc::O_RDONLY).map_err(failed("cgroup.events"))?;
    let kill = name.join("cgroup.kill");
    files::write(at, kill.as_c_str(), b"1").map_err(failed("cgroup.kill"))?;
    let mut buffer = [0; 128];
    loop {
        let text = files::read(events.as_fd(), &mut buffer).map_err(failed("cgroup.events"))?;
        if text.starts_with(b"populated 0") {
            return Ok(());
        }
        if !files::changed(events.as_fd(), LIMIT).map_err(failed("poll"))? {
            return Err(Error::Hang(LIMIT));
        }
    }
}

/// v1: each by its number, and again, until none is listed. An open file shows the list of its first reading for a
/// second, so it is opened each time.
pub(super) fn one_by_one(at: BorrowedFd<'_>, name: &Path) -> Result<(), Error> {
    let procs = name.join("cgroup.procs");
    let end = Instant::now() + LIMIT;
    let mut killed = 0;
    let mut buffer = [0; ROOM];
    loop {
        let list = files::open(at, procs.as_c_str(), libc::O_RDONLY).map_err(failed("cgroup.procs"))?;
        let text = files::read(list.as_fd(), &mut buffer).map_err(failed("cgroup.procs"))?;
        if text.is_empty() {
            return Ok(());
        }
        let pids = text.split(|byte| *byte == b'\n').filter_map(number);
        // They have got it, and need no other one unless they became more.
        let now = pids.clone().count();
        if now > killed {
            for pid in pids {
                match files::kill(pid, libc::SIGKILL) {
                    Ok(_) | Err(libc::ESRCH) => {}
                    Err(errno) => return Err(failed("kill")(errno)),
                }
            }
        }
        killed = now;
        if Instant::now() > end {
            return Err(Error::Hang(LIMIT));
        }
        files::nap(NAP).map_err(failed("nanosleep"))?;
    }
}

fn number(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
