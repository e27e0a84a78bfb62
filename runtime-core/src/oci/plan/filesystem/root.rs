//! The root, and how mount events spread.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Linux;
use rustix::fs::{CWD, Mode, OFlags, Stat, fstat, openat};

use super::options;
use crate::oci::plan::{Request, Spaces};
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Attributes, Device, Expected, Location, Mount, Namespaces, Propagation, Slot, Step};

/// The root of a container, with everything mounted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRoot {
    /// A handle on its top.
    pub(super) slot: Slot,
    /// Nothing is behind it, or the host cannot change its root.
    pub(super) change: bool,
}

/// The directory of the host that becomes the root, as the caller sees it.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) file: OwnedFd,
    stat: Stat,
    /// It is what the caller has as its root.
    pub(super) is_hosts: bool,
}

impl Directory {
    /// Opens it once. What its path says of links counts now, and not later.
    pub(super) fn open(request: &Request<'_>) -> Result<Self> {
        let Some(root) = request.spec.root().as_ref() else {
            return Err(Error::config("root", "is missing"));
        };
        let given = root.path();
        let path = request.bundle.join(given);
        let wrong = |errno: rustix::io::Errno| {
            let errno = crate::Errno::new(errno.raw_os_error());
            Error::config("root.path", format!("{}: {errno}", path.display()))
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = openat(CWD, &path, flags, Mode::empty()).map_err(wrong)?;
        let stat = fstat(&file).map_err(wrong)?;
        let own = rustix::fs::stat("/").map_err(wrong)?;
        let is_hosts = (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino);
        if is_hosts && given != Path::new("/") {
            let reason = format!("{} is the root of the host, and does not say so", path.display());
            return Err(Error::config("root.path", reason));
        }
        Ok(Self { path, file, stat, is_hosts })
    }

    fn expected(&self) -> Expected {
        identity(&self.stat)
    }
}

/// The same file.
pub(super) fn identity(stat: &Stat) -> Expected {
    let dev = Device { major: rustix::fs::major(stat.st_dev), minor: rustix::fs::minor(stat.st_dev) };
    Expected { dev: Some(dev), ino: Some(stat.st_ino), ..Expected::default() }
}

/// How the events of mounts spread that say nothing themselves, and what the root has at last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) base: Propagation,
    pub(super) last: Option<(Propagation, bool)>,
}

impl Spread {
    /// What `linux.rootfsPropagation` says. While the root is built nothing of it is seen by the host: `shared` is between
    /// what copies the container's mounts later.
    pub(super) fn of(linux: Option<&Linux>) -> Result<Self> {
        let word = linux.and_then(|linux| linux.rootfs_propagation().as_deref()).unwrap_or_default();
        if word.is_empty() {
            return Ok(Self { base: Propagation::Slave, last: None });
        }
        match options::propagation(word) {
            Some((Propagation::Slave, _)) => Ok(Self { base: Propagation::Slave, last: None }),
            Some((Propagation::Private, _)) => Ok(Self { base: Propagation::Private, last: None }),
            Some((other, recursive)) => Ok(Self { base: Propagation::Slave, last: Some((other, recursive)) }),
            None => {
                let reason =
                    format!("{word:?} is not one of private, slave, shared, unbindable, or these with r");
                Err(Error::config("linux.rootfsPropagation", reason))
            }
        }
    }
}

/// What the copied mounts of the host tell each other stays in this mount namespace.
pub(super) fn separate(draft: &mut Draft<'_>, spaces: &Spaces, spread: Spread) {
    if spaces.new.contains(Namespaces::MNT) && draft.plan.mounts_from.is_none() {
        let attributes =
            Attributes { recursive: true, propagation: Some(spread.base), ..Attributes::default() };
        draft.step(Step::MountAttributes { mount: Location::path("/"), attributes });
    }
}

/// Makes the root a mount of its own, over the host's.
pub(super) fn attach(
    draft: &mut Draft<'_>,
    request: &Request<'_>,
    directory: &Directory,
    spread: Spread,
) -> NewRoot {
    let slot = draft.copy(&directory.path, true);
    draft.step(Step::Verify { file: slot, expected: directory.expected() });
    let attributes = Attributes { recursive: true, propagation: Some(spread.base), ..Attributes::default() };
    draft.step(Step::Mount(Mount::detached(slot).attributes(attributes).target(None, "/", None)));
    NewRoot { slot, change: request.no_pivot || draft.plan.mounts_from.is_some() }
}

/// Makes it the root.
pub(super) fn enter(draft: &mut Draft<'_>, root: NewRoot) {
    let slot = root.slot;
    draft.step(if root.change { Step::ChangeRoot { root: slot } } else { Step::PivotRoot { root: slot } });
}
