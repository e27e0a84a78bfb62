//! Which process it is, so that it is found again and never taken for another.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, fstatfs, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::oci::{Error, Result};

/// `PID_FS_MAGIC`: since Linux 6.9 pidfds are files of their own, whose inode numbers are not used again.
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// A process, so that its number alone never counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its number in the pid namespace of the state directory's users.
    pub(crate) pid: u32,
    /// When it was started, in ticks since the boot.
    start_time: u64,
    /// The boot during which that was.
    boot: String,
    /// The inode of its pidfd, where the kernel has one for each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    /// What it executes while it waits for the start: device and inode of the sealed init.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    init: Option<(u64, u64)>,
}

impl Identity {
    /// That of a process that surely is the one of the pidfd, as it is a child that was not waited for.
    pub(crate) fn of(pid: u32, pidfd: BorrowedFd<'_>) -> Result<Self> {
        let start_time = start_time(pid)?.ok_or_else(|| Error::NotRunning {
            id: format!("process {pid}"),
            status: crate::oci::Status::Stopped,
        })?;
        Ok(Self { pid, start_time, boot: boot(), inode: inode(pidfd)?, init: None })
    }

    /// The same, of a process that executes the init now.
    pub(crate) fn of_init(self) -> Self {
        Self { init: executable(self.pid), ..self }
    }

    /// A pidfd of the process; none if it has ended.
    pub(crate) fn open(&self) -> Result<Option<OwnedFd>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        if self.boot != boot() {
            return Ok(None);
        }
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // EINVAL: the number is that of a thread by now.
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(errno) => return Err(Error::call("pidfd_open")(errno)),
        };
        let same = match (self.inode, inode(pidfd.as_fd())?) {
            (Some(known), Some(found)) => known == found,
            _ => start_time(self.pid)? == Some(self.start_time),
        };
        // Still alive: so what was looked at by its number was the same process.
        Ok(if same && !has_ended(pidfd.as_fd())? { Some(pidfd) } else { None })
    }

    /// Whether the process still executes the init, so that its program was not started; `None` if that cannot be seen.
    pub(crate) fn waits(&self) -> Option<bool> {
        Some(self.init? == executable(self.pid)?)
    }
}

/// Whether a process has ended, be it waited for or not.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let ready = retry_on_intr(|| poll(&mut fds, Some(&Timespec::default()))).map_err(Error::call("poll"))?;
    Ok(ready > 0)
}

fn inode(pidfd: BorrowedFd<'_>) -> Result<Option<u64>> {
    let kind = fstatfs(pidfd).map_err(Error::call("fstatfs"))?.f_type;
    if u64::try_from(kind) != Ok(PID_FS_MAGIC) {
        return Ok(None);
    }
    Ok(Some(fstat(pidfd).map_err(Error::call("fstat"))?.st_ino))
}

/// The file that a process executes.
fn executable(pid: u32) -> Option<(u64, u64)> {
    let stat = statat(CWD, format!("/proc/{pid}/exe"), AtFlags::empty()).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Field 22 of `/proc/PID/stat`; none without such a process.
fn start_time(pid: u32) -> Result<Option<u64>> {
    use std::io::Read;
    let path = format!("/proc/{pid}/stat");
    let file = match openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(Error::path("process", path)(errno)),
    };
    // The kernel makes the whole line for each read.
    let mut text = Vec::with_capacity(1 << 10);
    match std::fs::File::from(file).read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
        Err(error) => return Err(Error::io("process", path)(&error)),
    }
    let parsed = parse_start_time(&text);
    parsed.map(Some).ok_or_else(|| Error::State { path: path.into(), reason: "has no start time".into() })
}

/// The name of the program, in parentheses, may have anything in it.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let text = std::str::from_utf8(stat.get(after..)?).ok()?;
    text.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields: Vec<String> = (4..60).map(|number| number.to_string()).collect();
        let line = format!("17 (a) S 1 (b\n) Z {}", fields.join(" "));
        assert_eq!(parse_start_time(line.as_bytes()), Some(22));
        assert_eq!(parse_start_time(b"17 (a) S 1"), None);
        assert_eq!(parse_start_time(b""), None);
    }

    #[test]
    fn a_process_is_itself_and_no_other_with_its_number() {
        let pid = std::process::id();
        let pidfd = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap();
        let own = Identity::of(pid, pidfd.as_fd()).unwrap().of_init();
        assert!(own.open().unwrap().is_some());
        assert_eq!(own.waits(), Some(true));
        let later = Identity { start_time: own.start_time + 1, inode: None, ..own.clone() };
        assert!(later.open().unwrap().is_none());
        let other_boot = Identity { boot: "another".into(), ..own.clone() };
        assert!(other_boot.open().unwrap().is_none());
        if let Some(inode) = own.inode {
            let other = Identity { inode: Some(inode + 1), ..own };
            assert!(other.open().unwrap().is_none());
        }
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let identity = Identity::of(child.id(), pidfd.as_fd()).unwrap();
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
        assert!(identity.open().unwrap().is_none());
        child.wait().unwrap();
        assert!(identity.open().unwrap().is_none());
    }
}
