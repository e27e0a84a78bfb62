//! A mount namespace with hardly any mounts, to copy new ones from.
//!
//! A new mount namespace is a copy of another one, mount by mount, and a host has many: on one with 600 the copy is most of
//! what it takes to start a container. Where the root is a directory none of them is needed. So root makes one namespace
//! with an empty root once, holds it by a descriptor, and copies that; what the container shows of the host is cloned
//! detached and handed over.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_namespaces::{Identity, Kind, Namespace};
use cofferdam_process::{BoxError, Error as ProcessError, Process, Rendezvous, Spawner};
use rustix::fs::{CWD, fstat};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::prepare::dev_tree;
use crate::{
    Argument, Attributes, Device, Errno, Error, FileKind, Location, Mount, MountFlags, Namespaces, Plan,
    Propagation, RawCall, Slot, Step, own,
};

/// The `/dev` in it.
pub(crate) const DEV: &str = "/dev";
/// An empty file in it, which nobody can read.
pub(crate) const COVER: &str = "/cover";

/// The template, once it was asked for.
#[derive(Debug)]
struct Made {
    /// The user namespace that owns it.
    owner: Identity,
    /// `None` if it could not be made.
    namespace: Option<Arc<Namespace>>,
}

impl Made {
    fn new(owner: Identity) -> Self {
        Self { owner, namespace: make().map(Arc::new) }
    }

    /// Whether the descriptor still is the namespace: a program may close descriptors that it did not open.
    fn is_intact(&self) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| {
            let now = fstat(namespace.as_fd()).map(|stat| Identity { dev: stat.st_dev, ino: stat.st_ino });
            now.is_ok_and(|now| now == namespace.identity())
        })
    }
}

static TEMPLATE: Mutex<Option<Made>> = Mutex::new(None);

/// The template of this process, made at the first call; `None` where that is not possible.
pub(crate) fn open() -> Result<Option<Arc<Namespace>>, Error> {
    let owner = own::get()?.identity();
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = match template.take() {
        Some(made) if !made.is_intact() => {
            // The number may be somebody else's file now: it is not ours to close.
            std::mem::forget(made);
            Made::new(owner)
        }
        Some(made) if made.owner == owner => made,
        _ => Made::new(owner),
    };
    Ok(template.insert(made).namespace.clone())
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

/// An empty root, the `/dev` of programs, and a procfs and a sysfs, which the kernel wants to see before it lets a user
/// namespace mount its own. These two are of a pid namespace in which no process is left, and of a network namespace
/// without devices of the host.
fn plan() -> Plan {
    let mut plan = Plan::new("/nothing");
    plan.namespaces = Namespaces::MNT | Namespaces::PID | Namespaces::NET;
    let root = plan.slot("template");
    let private =
        Attributes { recursive: true, propagation: Some(Propagation::Private), ..Attributes::default() };
    let quiet = Attributes::set(MountFlags::NOSUID | MountFlags::NODEV);
    let tmpfs = Mount::new("tmpfs").option("mode", "0755").option("size", "4k").attributes(quiet);
    plan.steps = vec![
        Step::Umask(0o022),
        Step::MountAttributes { mount: Location::path("/"), attributes: private },
        Step::Mount(tmpfs.target(None, "/", None).into_slot(root)),
    ];
    let directory = |name: &str| Step::Directory { location: Location::at(root, name), mode: 0o755 };
    plan.steps.extend(["proc", "sys", "dev"].map(directory));
    plan.steps.extend([
        Step::Node {
            location: Location::at(root, COVER.trim_start_matches('/')),
            kind: FileKind::Regular,
            mode: 0,
            device: Device { major: 0, minor: 0 },
        },
        Step::Mount(Mount::new("proc").target_in_fresh(root, "proc")),
        Step::Mount(Mount::new("sysfs").target_in_fresh(root, "sys")),
    ]);
    let dev = dev_tree(&mut plan, root);
    seal(&mut plan, dev);
    seal(&mut plan, root);
    plan.steps.push(Step::PivotRoot { root });
    plan.steps.push(Step::Sync { point: 0, send: Vec::new(), receive: Vec::new() });
    plan
}

/// Makes a file system read-only for all its mounts, wherever they are: all programs share it, and none may change it.
fn seal(plan: &mut Plan, mount: Slot) {
    const FSPICK_CLOEXEC: u64 = 1;
    const FSPICK_EMPTY_PATH: u64 = 8;
    const FSCONFIG_SET_FLAG: u64 = 0;
    const FSCONFIG_CMD_RECONFIGURE: u64 = 7;
    let context = plan.slot("file system context");
    let (number, text) = (Argument::Number, |text: &str| Argument::Text(text.into()));
    let call = |name: &str, call: libc::c_long, arguments, into| {
        let number = u32::try_from(call).unwrap_or(u32::MAX);
        Step::Call(RawCall { name: name.into(), number, arguments, into, tolerate: None })
    };
    let flags = number(FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    let pick = vec![Argument::Descriptor(mount), text(""), flags];
    let configure =
        |command, key| vec![Argument::Descriptor(context), number(command), key, number(0), number(0)];
    plan.steps.extend([
        call("fspick", libc::SYS_fspick, pick, Some(context)),
        call("fsconfig", libc::SYS_fsconfig, configure(FSCONFIG_SET_FLAG, text("ro")), None),
        call("fsconfig", libc::SYS_fsconfig, configure(FSCONFIG_CMD_RECONFIGURE, number(0)), None),
        Step::Close(context),
    ]);
}
