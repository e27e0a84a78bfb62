//! A mount namespace with hardly any mounts, to copy new ones from.
//!
//! A new mount namespace is a copy of another one, mount by mount, and a host has many: on one with 600 the copy is most of
//! what it takes to start a container. Where the root is a directory none of them is needed. So root makes one namespace
//! with an empty root once, holds it by a descriptor, and copies that; what the container shows of the host is cloned
//! detached and handed over.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cofferdam_namespaces::{Identity, Kind, Namespace};
use cofferdam_process::{BoxError, Error as ProcessError, Process, Rendezvous, Spawner};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::{
    Attributes, Device, Errno, Error, FileKind, Location, Mount, MountFlags, Namespaces, Plan, Propagation,
    Step,
};

/// An empty file in it, which nobody can read.
pub(crate) const COVER: &str = "/cover";

/// The template, once it was asked for.
#[derive(Debug)]
struct Made {
    /// The user namespace that owns it.
    owner: Identity,
    /// `None` if it could not be made.
    namespace: Option<Namespace>,
}

static TEMPLATE: Mutex<Option<Made>> = Mutex::new(None);

/// The template of this process, made at the first call; `None` where that is not possible.
pub(crate) fn open() -> Result<Option<Namespace>, Error> {
    let owner = Namespace::of_current(Kind::User)?.identity();
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    let current = template.take().filter(|made| made.owner == owner);
    let made = current.unwrap_or_else(|| Made { owner, namespace: make() });
    let namespace = made.namespace.as_ref().map(Namespace::try_clone).transpose();
    *template = Some(made);
    Ok(namespace?)
}

/// Whether it is known that there can be none.
pub(crate) fn is_impossible() -> bool {
    let template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    template.as_ref().is_some_and(|made| made.namespace.is_none())
}

/// Its absence costs time only, so it does not matter why there is none.
fn make() -> Option<Namespace> {
    // The caller's mount namespace may belong to a user namespace above, and then nothing can be cloned detached.
    drop(copy(Path::new("/"), false).ok()?);
    let mut keeper = Keeper(None);
    let plan = plan();
    let ended = Spawner::new(&plan, &[]).rendezvous(&mut keeper).spawn();
    matches!(ended, Err(ProcessError::Rendezvous { .. })).then_some(keeper.0).flatten()
}

/// Takes the namespace and lets the process end.
struct Keeper(Option<Namespace>);

impl Rendezvous for Keeper {
    fn sync(
        &mut self,
        _point: u32,
        process: Process<'_>,
        _received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        self.0 = Some(Namespace::of_pidfd(process.pidfd.as_fd(), Kind::Mnt)?);
        Err("the namespace is all that was wanted".into())
    }
}

/// A detached copy of what is mounted at a path.
pub(crate) fn copy(path: &Path, recursive: bool) -> Result<OwnedFd, Error> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags).map_err(|errno| Error::Path {
        what: "copy of the mount at",
        path: path.to_owned(),
        errno: Errno::new(errno.raw_os_error()),
    })
}

/// An empty root with a procfs and a sysfs, which the kernel wants to see before it lets a user namespace mount its own.
fn plan() -> Plan {
    let mut plan = Plan::new("/nothing");
    plan.namespaces = Namespaces::MNT;
    let root = plan.slot("template");
    let private =
        Attributes { recursive: true, propagation: Some(Propagation::Private), ..Attributes::default() };
    let tmpfs = Mount::new("tmpfs").option("mode", "0755").option("size", "4k");
    plan.steps = vec![
        Step::MountAttributes { mount: Location::path("/"), attributes: private },
        Step::Mount(tmpfs.target(None, "/", None).into_slot(root)),
        Step::Directory { location: Location::at(root, "proc"), mode: 0o755 },
        Step::Directory { location: Location::at(root, "sys"), mode: 0o755 },
        Step::Node {
            location: Location::at(root, COVER.trim_start_matches('/')),
            kind: FileKind::Regular,
            mode: 0,
            device: Device { major: 0, minor: 0 },
        },
        Step::Mount(Mount::new("proc").target_in_fresh(root, "proc")),
        Step::Mount(Mount::new("sysfs").target_in_fresh(root, "sys")),
        Step::MountAttributes {
            mount: Location::at(root, ""),
            attributes: Attributes::set(MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV),
        },
        Step::PivotRoot { root },
        Step::Sync { point: 0, send: Vec::new(), receive: Vec::new() },
    ];
    plan
}
