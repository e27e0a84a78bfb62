//! A running process whose namespaces another one is to join.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cofferdam_namespaces::{Error as NamespaceError, IdMap, Kind, Namespace, Setgroups};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};

use crate::{Errno, Error};

/// The process and its directory in the caller's procfs.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pidfd: BorrowedFd<'a>,
    proc: OwnedFd,
}

/// A directory of procfs that surely is that of the process.
pub(crate) fn proc_of(pidfd: BorrowedFd<'_>, pid: u32) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = format!("/proc/{pid}");
    let proc = openat(CWD, &path, flags, Mode::empty());
    // Alive now means that the number was still its own when the directory was opened.
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let ended = poll(&mut fds, Some(&Timespec::default())).map_err(Error::call("poll"))? > 0;
    if ended {
        return Err(NamespaceError::ProcessGone { process: format!("process {pid}") }.into());
    }
    proc.map_err(|errno| Error::Path {
        what: "process",
        path: path.into(),
        errno: Errno::new(errno.raw_os_error()),
    })
}

/// The number of a child in the procfs that is mounted here, which may be that of another pid namespace.
pub(crate) fn number_of_child(pidfd: BorrowedFd<'_>, pid: u32) -> Result<u32, Error> {
    let shown = readlinkat(CWD, "/proc/self", Vec::new()).map_err(Error::call("readlink /proc/self"))?;
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    if shown.to_bytes() == own.as_bytes() { Ok(pid) } else { number_in_proc(pidfd) }
}

/// The number of a process in the procfs that is mounted here.
fn number_in_proc(pidfd: BorrowedFd<'_>) -> Result<u32, Error> {
    let info = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(&info).map_err(|error| read_error(&info, &error))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
    match pid.map(str::parse::<i64>) {
        // -1 is one that has ended, 0 one that this procfs does not show.
        Some(Ok(pid)) => u32::try_from(pid).ok().filter(|pid| *pid != 0).ok_or_else(|| {
            NamespaceError::ProcessGone { process: format!("pidfd {}", pidfd.as_raw_fd()) }.into()
        }),
        _ => Err(Error::invalid("process", pidfd.as_raw_fd(), "is not a pidfd")),
    }
}

impl<'a> Target<'a> {
    pub(crate) fn look_at(pidfd: BorrowedFd<'a>) -> Result<Self, Error> {
        Ok(Self { pidfd, proc: proc_of(pidfd, number_in_proc(pidfd)?)? })
    }

    /// Its namespaces that are not the caller's.
    pub(crate) fn differing(&self) -> Result<Vec<Namespace>, Error> {
        let mut differing = Vec::new();
        for kind in Kind::ALL {
            let own = match Namespace::of_current(kind) {
                Err(NamespaceError::KindNotInKernel { .. }) => continue,
                own => own?,
            };
            let theirs = Namespace::of_pidfd(self.pidfd, kind)?;
            if theirs.identity() != own.identity() {
                differing.push(theirs);
            }
        }
        Ok(differing)
    }

    /// The id maps of its user namespace, as the caller sees them, and whether groups may be changed there.
    pub(crate) fn maps(&self) -> Result<(IdMap, IdMap, Setgroups), Error> {
        let denied = self.read("setgroups")?.starts_with("deny");
        let setgroups = if denied { Setgroups::Deny } else { Setgroups::Allow };
        let map = |name| Ok::<_, Error>(IdMap::parse(self.read(name)?.as_bytes())?);
        Ok((map("uid_map")?, map("gid_map")?, setgroups))
    }

    /// Its root directory.
    #[cfg(feature = "oci")]
    pub(crate) fn root(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.proc, "root", flags, Mode::empty()).map_err(Error::call("open root of the process"))
    }

    /// Its bounding set of capabilities.
    pub(crate) fn bounding(&self) -> Result<u64, Error> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).map(str::trim);
        let bits = line.and_then(|text| u64::from_str_radix(text, 16).ok());
        bits.ok_or_else(|| Error::invalid("process status", status.clone(), "has no bounding set"))
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        use std::io::Read;
        let failed =
            |errno: i32| Error::Path { what: "process", path: name.into(), errno: Errno::new(errno) };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file =
            openat(&self.proc, name, flags, Mode::empty()).map_err(|errno| failed(errno.raw_os_error()))?;
        let mut text = String::new();
        let read = std::fs::File::from(file).read_to_string(&mut text);
        read.map_err(|error| failed(error.raw_os_error().unwrap_or(libc::EIO)))?;
        Ok(text)
    }
}

fn read_error(path: &str, error: &std::io::Error) -> Error {
    Error::Path {
        what: "descriptor",
        path: path.into(),
        errno: Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}
