//! Descriptors that are known by their number, and files that are written all at once.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::{Error, Result, sockets};

/// Copies of so many descriptors of this process, from a number on.
pub(super) fn own(first: u32, count: u32) -> Result<Vec<OwnedFd>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).map_err(Error::call("pidfd_open"))?;
    let copy = |number: u32| {
        let raw = i32::try_from(number).map_err(|_| Errno::BADF);
        let copied = raw.and_then(|raw| pidfd_getfd(&pidfd, raw, PidfdGetfdFlags::empty()));
        copied.map_err(Error::path("descriptor to be passed", format!("/proc/self/fd/{number}")))
    };
    (first..first.saturating_add(count)).map(copy).collect()
}

/// Writes a process id to a file, which has it as a whole or is not there.
pub(super) fn write_pid(path: &Path, pid: u32) -> Result<()> {
    let failed = || Error::path("pid file", path);
    let (directory, name) = sockets::split(path).map_err(failed())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, directory, flags, Mode::empty()).map_err(failed())?;
    let temporary = format!(".{}.{}", name.to_string_lossy(), getpid().as_raw_nonzero());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let file = match openat(&directory, &temporary, flags, mode) {
        // Somebody with our number was killed here.
        Err(Errno::EXIST) => {
            unlinkat(&directory, &temporary, AtFlags::empty()).map_err(failed())?;
            openat(&directory, &temporary, flags, mode)
        }
        other => other,
    };
    let mut file = std::fs::File::from(file.map_err(failed())?);
    let written =
        file.write_all(pid.to_string().as_bytes()).map_err(|error| Error::io("pid file", path)(&error));
    let written = written.and_then(|()| renameat(&directory, &temporary, &directory, name).map_err(failed()));
    if written.is_err() {
        // What failed before is what counts.
        unlinkat(&directory, &temporary, AtFlags::empty()).unwrap_or(());
    }
    written
}
