//! From a configuration to a plan: each section of the runtime-spec is a file that adds its steps. Nothing is done here;
//! the host is only looked at. What must hold in any configuration, whatever the host, is looked at before: see
//! [`validate`](super::validate). Errors here are of what the host has, or of values that cannot be put into a plan.
//!
//! The order is that of [`build`]. At the meetings the caller does what only it can do, see [`point`].

mod exec;
mod filesystem;
mod filter;
mod last;
mod namespaces;
mod process;
mod request;
mod spaces;
mod system;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use exec::{ExecRequest, exec};
pub(crate) use filesystem::mount_options;
pub use process::add_capabilities;
pub(crate) use request::{CgroupHierarchy, CgroupView, Request};
pub(crate) use spaces::Spaces;

use super::Result;
use crate::Step;
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
    /// First of all, where a user namespace is made after others were joined: its id maps are written.
    pub(crate) const MAPS: u32 = 6;
    /// The init went on in another process, in a pid namespace that was joined: that one has to be found by whoever cleans up.
    pub(crate) const FORKED: u32 = 7;
}

/// The plan for the first process of a container.
pub(crate) fn build<'a>(request: &Request<'a>) -> Result<Prepared<'a>> {
    let mut draft = Draft::bare("/");
    // Into the namespaces, and root there: clone flags, joined namespaces, clocks, id maps, oom score.
    let spaces = namespaces::enter(&mut draft, request)?;
    // Session keyring; meeting for network devices.
    process::early(&mut draft, request, &spaces)?;
    // Propagation, root, mounts, devices, console with its meeting.
    let root = filesystem::make(&mut draft, request, &spaces)?;
    if has_hooks_before_the_root(request) {
        draft.step(Step::Sync { point: point::MOUNTED, send: Vec::new(), receive: Vec::new() });
    }
    // The change of the root, which may be read-only from there on.
    filesystem::enter(&mut draft, request, root)?;
    // Names, loopback interface, kernel parameters.
    system::settings(&mut draft, request, &spaces)?;
    // Read-only and masked paths, propagation of the root.
    filesystem::cover(&mut draft, request)?;
    // Program, scheduler, session, directory, labels, limits, and last who it is.
    process::late(&mut draft, request, &spaces)?;
    last::handover(&mut draft, request)?;
    Ok(draft.finish(spaces.maps))
}

fn has_hooks_before_the_root(request: &Request<'_>) -> bool {
    let Some(hooks) = request.spec.hooks() else { return false };
    #[allow(deprecated, reason = "engines still use this kind")]
    let lists = [hooks.prestart(), hooks.create_runtime(), hooks.create_container()];
    lists.into_iter().flatten().any(|list| !list.is_empty())
}
