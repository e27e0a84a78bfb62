//! From a configuration to a plan: each section of the runtime-spec is a file that adds its steps. Nothing is done here;
//! the host is only looked at.
//!
//! The order is that of [`build`]. At the meetings the caller does what only it can do, see [`point`].

mod request;
mod spaces;

pub(crate) use request::{CgroupHierarchy, CgroupView, Request};
pub(crate) use spaces::Spaces;

use super::Result;
use crate::prepare::{Draft, Prepared};

/// The meetings of a plan (`Step::Sync`), in the order in which they happen; each only if there is something to do.
pub(crate) mod point {
    /// The namespaces are there and joined, nothing else. The init sends a netlink socket of its network namespace if the
    /// configuration has network devices.
    pub(crate) const NAMESPACES: u32 = 1;
    /// The init sends the master of the console.
    pub(crate) const CONSOLE: u32 = 2;
    /// Everything is mounted, and the root is not yet the root: hooks of the kinds `prestart`, `createRuntime` and
    /// `createContainer`.
    pub(crate) const MOUNTED: u32 = 3;
    /// After the start: hooks of the kind `startContainer`.
    pub(crate) const STARTED: u32 = 4;
    /// After the start: the init sends the listener of its seccomp filter.
    pub(crate) const LISTENER: u32 = 5;
}

/// The plan for the first process of a container.
pub(crate) fn build<'a>(request: &Request<'a>) -> Result<Prepared<'a>> {
    let draft = Draft::bare("/");
    let _: &Request<'a> = request;
    // let spaces = namespaces::enter(&mut draft, request)?;       clone flags, joined namespaces, time offsets, id maps
    // process::early(&mut draft, request, &spaces)?;              oom score, session keyring; Sync NAMESPACES
    // let root = filesystem::make(&mut draft, request, &spaces)?; propagation, root, mounts, devices, console; Sync CONSOLE
    //                                                             Sync MOUNTED
    // filesystem::enter(&mut draft, request, root)?;              pivot_root, propagation, read-only
    // system::settings(&mut draft, request, &spaces)?;            hostname, domainname, sysctl
    // filesystem::cover(&mut draft, request)?;                    read-only and masked paths
    // process::late(&mut draft, request, &spaces)?;               limits, scheduler, labels, session, directory, ids
    // last::handover(&mut draft, request, &spaces)?;              hold; Sync STARTED; seccomp; Sync LISTENER; exec
    Ok(draft.finish(None))
}
