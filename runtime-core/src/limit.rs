//! Resource limits of the caller, and of a process that it makes.

use cofferdam_process::Process;
use rustix::process::{Pid, Resource as Kernels, Rlimit, getrlimit, prlimit};

use crate::{Error, Resource};

/// The caller's own soft and hard limit; `u64::MAX` is unlimited.
#[cfg(feature = "oci")]
pub(crate) fn own(resource: Resource) -> (u64, u64) {
    let unlimited = Rlimit { current: None, maximum: None };
    let own = kernels(resource).map_or(unlimited, getrlimit);
    (own.current.unwrap_or(u64::MAX), own.maximum.unwrap_or(u64::MAX))
}

/// Lifts hard limits of a process, which its own root may not do in a user namespace. The soft limits stay the caller's.
pub(crate) fn lift(process: Process<'_>, limits: &[(Resource, u64)]) -> Result<(), Error> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    for (resource, hard) in limits {
        let Some(resource) = kernels(*resource) else { continue };
        let maximum = (*hard != u64::MAX).then_some(*hard);
        let limit = Rlimit { current: getrlimit(resource).current, maximum };
        prlimit(pid, resource, limit).map_err(Error::call("prlimit"))?;
    }
    Ok(())
}

/// The same resource in the words of another crate.
fn kernels(resource: Resource) -> Option<Kernels> {
    const ALL: [Kernels; 16] = [
        Kernels::Cpu,
        Kernels::Fsize,
        Kernels::Data,
        Kernels::Stack,
        Kernels::Core,
        Kernels::Rss,
        Kernels::Nproc,
        Kernels::Nofile,
        Kernels::Memlock,
        Kernels::As,
        Kernels::Locks,
        Kernels::Sigpending,
        Kernels::Msgqueue,
        Kernels::Nice,
        Kernels::Rtprio,
        Kernels::Rttime,
    ];
    usize::try_from(resource.number()).ok().and_then(|index| ALL.get(index)).copied()
}
