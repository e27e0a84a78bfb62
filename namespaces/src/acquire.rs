//! Opening the namespaces of processes: by number, by pidfd, the caller's own.

use crate::errno::{self, Errno};
use crate::handle::has_magic;
use crate::sys::{self, FdRequest};
use crate::{Error, Kind, Namespace, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The type of the pidfs file system (Linux 6.9), `PID_FS_MAGIC` of `linux/magic.h`.
const PID_FS_MAGIC: u64 = 0x5049_4446;

impl Namespace {
    /// A namespace of the calling thread. For `Pid` and `Time` it is the one that the thread itself lives
    /// in, not the one that its children will live in.
    ///
    /// # Errors
    /// [`Error::KindNotInKernel`]; [`Error::OfProcess`] without `/proc`.
    pub fn of_current(kind: Kind) -> Result<Self> {
        open_proc("thread-self", "the calling thread", kind)
    }

    /// A namespace of the process (or thread) with this number in the pid namespace that `/proc` shows.
    ///
    /// A number may be used again once its process has been waited for: prefer [`Namespace::of_pidfd`] but
    /// for one's own children.
    ///
    /// # Errors
    /// [`Error::ProcessGone`], [`Error::KindNotInKernel`], [`Error::OfProcess`] with `EACCES` where the
    /// caller may not trace the process.
    ///
    /// # Privileges
    /// The right to trace the process, `ptrace(2)` (`PTRACE_MODE_READ_FSCREDS`).
    pub fn of_pid(pid: u32, kind: Kind) -> Result<Self> {
        open_proc(&pid.to_string(), &format!("process {pid}"), kind)
    }

    /// A namespace of the process of a pidfd, without a race about numbers used again.
    ///
    /// One ioctl since Linux 6.11 (`PIDFD_GET_*_NAMESPACE`, needs no `/proc`). Before that, the entry of
    /// `/proc/PID/ns` is opened and then the process checked to be still there.
    ///
    /// # Errors
    /// As [`Namespace::of_pid`]; [`Error::OfProcess`] with `EBADF` if the descriptor is not a pidfd, and
    /// with `ENXIO` if the process is not in the pid namespace that `/proc` shows (before Linux 6.11).
    ///
    /// # Privileges
    /// As [`Namespace::of_pid`].
    pub fn of_pidfd(pidfd: impl AsFd, kind: Kind) -> Result<Self> {
        let pidfd = pidfd.as_fd();
        // Only pidfs is asked: to another driver this ioctl number may mean something else.
        if !has_magic(pidfd, PID_FS_MAGIC) {
            return of_pidfd_by_proc(pidfd, kind);
        }
        let process = pidfd_name(pidfd);
        match sys::ioctl_fd(pidfd, FdRequest::OfPidfd(kind)) {
            Ok(fd) => Self::from_fd(fd),
            Err(errno) => match errno.raw() {
                libc::ENOTTY | libc::EINVAL => of_pidfd_by_proc(pidfd, kind),
                libc::ESRCH => Err(Error::ProcessGone { process }),
                libc::EOPNOTSUPP => Err(Error::KindNotInKernel { kind }),
                _ => Err(Error::OfProcess { process, kind, errno }),
            },
        }
    }
}

/// The way before Linux 6.11.
fn of_pidfd_by_proc(pidfd: BorrowedFd<'_>, kind: Kind) -> Result<Namespace> {
    let process = pidfd_name(pidfd);
    let failed =
        |errno: i32| Error::OfProcess { process: process.clone(), kind, errno: Errno::from_raw(errno) };
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let info =
        fs::read(&path).map_err(|error| Error::Read { path: path.into(), errno: Errno::of(&error) })?;
    let pid = match pid_of_fdinfo(&info) {
        None => return Err(failed(libc::EBADF)),
        Some(0) => return Err(failed(libc::ENXIO)),
        Some(pid) => u32::try_from(pid).map_err(|_| Error::ProcessGone { process: process.clone() })?,
    };
    let namespace = open_proc(&pid.to_string(), &process, kind);
    // Alive now means alive when the entry was opened, so that the number was still its own.
    if has_ended(pidfd).map_err(|errno| failed(errno.raw()))? {
        return Err(Error::ProcessGone { process });
    }
    namespace
}

/// A pidfd is readable from the moment when its process has ended.
fn has_ended(pidfd: BorrowedFd<'_>) -> std::result::Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map(|ready| ready > 0).map_err(errno::rustix)
}

/// The `Pid:` line of a pidfd's fdinfo, `pidfd_open(2)`: -1 once it has been waited for, 0 outside of our
/// namespace.
fn pid_of_fdinfo(info: &[u8]) -> Option<i32> {
    let info = std::str::from_utf8(info).ok()?;
    info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
}

fn pidfd_name(pidfd: BorrowedFd<'_>) -> String {
    format!("pidfd {}", pidfd.as_raw_fd())
}

fn open_proc(entry: &str, process: &str, kind: Kind) -> Result<Namespace> {
    let path = format!("/proc/{entry}/ns/{kind}");
    let errno = match openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => return Namespace::from_fd(fd),
        Err(errno) => errno::rustix(errno),
    };
    let process = process.to_owned();
    match errno.raw() {
        libc::ESRCH => Err(Error::ProcessGone { process }),
        libc::ENOENT if !exists("/proc/thread-self/ns") => Err(Error::OfProcess { process, kind, errno }),
        libc::ENOENT if !exists(&format!("/proc/thread-self/ns/{kind}")) => {
            Err(Error::KindNotInKernel { kind })
        }
        libc::ENOENT => Err(Error::ProcessGone { process }),
        _ => Err(Error::OfProcess { process, kind, errno }),
    }
}

fn exists(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
    use std::process::{Command, Stdio};

    #[test]
    fn reads_fdinfo() {
        let info = b"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nPid:\t42\nNSpid:\t42\n";
        assert_eq!(pid_of_fdinfo(info), Some(42));
        assert_eq!(pid_of_fdinfo(b"Pid:\t-1\n"), Some(-1));
        assert_eq!(pid_of_fdinfo(b"NSpid:\t42\n"), None);
        assert_eq!(pid_of_fdinfo(b"\xff"), None);
    }

    #[test]
    fn both_ways_agree() {
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).expect("own pidfd");
        for kind in Kind::ALL {
            let by_proc = of_pidfd_by_proc(pidfd.as_fd(), kind).expect("by /proc");
            let by_ioctl = Namespace::of_pidfd(&pidfd, kind).expect("by ioctl");
            assert_eq!(by_proc.identity(), by_ioctl.identity(), "{kind}");
        }
    }

    #[test]
    fn ended_process_is_gone_both_ways() {
        let mut child = Command::new("/proc/self/exe")
            .arg("--list")
            .stdout(Stdio::null())
            .spawn()
            .expect("start the test binary");
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("pidfd");
        child.wait().expect("wait");
        let gone = Error::ProcessGone { process: pidfd_name(pidfd.as_fd()) };
        assert_eq!(of_pidfd_by_proc(pidfd.as_fd(), Kind::Net).expect_err("ended"), gone);
        assert_eq!(Namespace::of_pidfd(&pidfd, Kind::Net).expect_err("ended"), gone);
    }

    #[test]
    fn other_descriptors_are_refused() {
        let null = fs::File::open("/dev/null").expect("open");
        let error = Namespace::of_pidfd(&null, Kind::Net).expect_err("not a pidfd");
        assert_eq!(error.errno(), Some(Errno::from_raw(libc::EBADF)));
    }
}
