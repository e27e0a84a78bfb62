//! Programs at a v2 cgroup: which are there, and ours in its place.
//!
//! A cgroup can have programs of others, such as a service manager; an access has to be allowed by all of them, and by
//! those of the cgroups above. Ours are told from theirs by the name they were loaded with, so that any process that
//! may do so can replace what another one attached.

use super::insn::Insn;
use crate::dir::Dir;
use crate::{Errno, Error, Result, sys};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

const NAME: &CStr = c"cofferdam_dev";

/// How often another process may get in between.
const ATTEMPTS: usize = 5;

/// What the kernel has against a device program, where that can be known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceProgramFault {
    /// A capability is missing. They have to be those of the host's user namespace.
    #[error("needs CAP_BPF and CAP_NET_ADMIN of the host, and CAP_SYS_ADMIN to replace a program")]
    Privileges,
    /// A program is attached, to the cgroup or to one above it, that allows no second one.
    #[error("a program is attached already that allows no other")]
    Exclusive,
    /// The kernel was built without `CONFIG_CGROUP_BPF`.
    #[error("the kernel has no device programs, CONFIG_CGROUP_BPF")]
    NotInKernel,
    /// The memory that may be locked does not suffice; a kernel before 5.11 takes the program from that.
    #[error("RLIMIT_MEMLOCK is too low for it")]
    Memory,
    /// The verifier refused it; the last line that it said.
    #[error("{0}")]
    Verifier(String),
}

/// The programs of a cgroup.
pub(super) struct Programs {
    pub(super) ours: Vec<(u32, OwnedFd)>,
    pub(super) others: Vec<u32>,
}

fn failed<'a>(
    step: &'static str,
    dir: &'a Dir,
    reason: impl Fn(i32) -> Option<DeviceProgramFault> + 'a,
) -> impl Fn(Errno) -> Error + 'a {
    move |errno| {
        let (path, reason) = (dir.path().to_owned(), reason(errno.number()));
        Error::DeviceProgram { step, path, errno, reason }
    }
}

/// What the errors of most commands mean.
fn common(errno: i32) -> Option<DeviceProgramFault> {
    match errno {
        libc::EPERM | libc::EACCES => Some(DeviceProgramFault::Privileges),
        libc::EINVAL | libc::ENOSYS => Some(DeviceProgramFault::NotInKernel),
        _ => None,
    }
}

/// Loads a program; the directory is for messages.
pub(super) fn load(insns: &[Insn], dir: &Dir) -> Result<OwnedFd> {
    load_named(insns, NAME, dir)
}

fn load_named(insns: &[Insn], name: &CStr, dir: &Dir) -> Result<OwnedFd> {
    let refused = match sys::load_device_program(insns, name, None) {
        Ok(program) => return Ok(program),
        Err(errno) => errno,
    };
    let mut log = vec![0; 16 << 10];
    match sys::load_device_program(insns, name, Some(&mut log)) {
        Ok(program) => Ok(program),
        // The first error is the one to tell: this one can also be about the log.
        Err(_) => Err(failed("load", dir, |errno| reason_of_load(errno, &log))(refused)),
    }
}

fn reason_of_load(errno: i32, log: &[u8]) -> Option<DeviceProgramFault> {
    let log = String::from_utf8_lossy(log.split(|byte| *byte == 0).next().unwrap_or_default());
    let figures = ["processed ", "verification time ", "stack depth "];
    let mut lines =
        log.lines().filter(|line| !line.trim().is_empty() && !figures.iter().any(|f| line.starts_with(f)));
    match (lines.next_back(), errno) {
        (Some(line), _) => Some(DeviceProgramFault::Verifier(line.to_owned())),
        (None, libc::EPERM) if has_low_memlock() => Some(DeviceProgramFault::Memory),
        (None, libc::ENOMEM) => Some(DeviceProgramFault::Memory),
        (None, _) => common(errno),
    }
}

/// Whether this kernel takes programs from the memory that may be locked, and that is limited.
fn has_low_memlock() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    // Without procfs nothing is known, which counts as a kernel of today.
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    limit.is_some() && version.is_some_and(|version| version < (5, 11))
}

/// Which programs a cgroup has, without those of the cgroups above it.
pub(super) fn programs(dir: &Dir) -> Result<Programs> {
    let ids = sys::device_programs(dir.as_fd()).map_err(failed("look for", dir, common))?;
    let mut programs = Programs { ours: Vec::new(), others: Vec::new() };
    for id in ids {
        let program = match sys::program_by_id(id) {
            // It was detached meanwhile.
            Err(errno) if errno.number() == libc::ENOENT => continue,
            program => program.map_err(failed("open", dir, common))?,
        };
        if sys::program_name(program.as_fd()).map_err(failed("look at", dir, common))? == NAME.to_bytes() {
            programs.ours.push((id, program));
        } else {
            programs.others.push(id);
        }
    }
    Ok(programs)
}

/// Attaches a program, in place of ours if there is one: at each moment one of them decides.
pub(super) fn attach(dir: &Dir, program: &OwnedFd) -> Result<()> {
    let mut attempt = 1;
    loop {
        let mut ours = programs(dir)?.ours.into_iter().map(|ours| ours.1);
        let replaced = ours.next();
        let replaced = replaced.as_ref().map(AsFd::as_fd);
        match sys::attach_device_program(dir.as_fd(), program.as_fd(), replaced) {
            // Two processes can both have attached their first one; one of them suffices.
            Ok(()) => return ours.try_for_each(|program| detach(dir, &program)),
            Err(errno) if errno.number() == libc::ENOENT && attempt < ATTEMPTS => attempt += 1,
            Err(errno) => return Err(failed("attach", dir, reason_of_attach)(errno)),
        }
    }
}

/// It has been loaded and the cgroup been asked, so privileges and the kernel do.
fn reason_of_attach(errno: i32) -> Option<DeviceProgramFault> {
    (errno == libc::EPERM).then_some(DeviceProgramFault::Exclusive)
}

/// Detaches a program; that it is not there any more is no failure.
pub(super) fn detach(dir: &Dir, program: &OwnedFd) -> Result<()> {
    match sys::detach_device_program(dir.as_fd(), program.as_fd()) {
        Err(errno) if errno.number() == libc::ENOENT => Ok(()),
        detached => detached.map_err(failed("detach", dir, common)),
    }
}

#[cfg(test)]
mod tests;
