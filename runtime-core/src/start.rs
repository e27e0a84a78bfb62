//! The one place where a plan is carried out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cofferdam_namespaces::{Diagnosis, Kind, Kinds, UserNamespaces};
use cofferdam_process::{BoxError, Error as ProcessError, Process, Rendezvous, Spawner};

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::enclosure::Root;
use crate::prepare::{Input, Maps, Prepared};
use crate::program::Program;
use crate::{Child, Errno, Error, Namespaces, PlanStdio, target, template, undo};

/// What standard streams are that the caller did not set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) stdin: PlanStdio,
    pub(crate) stdout: PlanStdio,
    pub(crate) stderr: PlanStdio,
}

/// The caller's own.
pub(crate) const INHERIT: Streams =
    Streams { stdin: PlanStdio::Inherit, stdout: PlanStdio::Inherit, stderr: PlanStdio::Inherit };

/// What is written is collected.
pub(crate) const COLLECT: Streams =
    Streams { stdin: PlanStdio::Null, stdout: PlanStdio::Pipe, stderr: PlanStdio::Pipe };

/// Who makes mount points in a directory is alone with it: until it is clear that they stay, no one else may find them.
static MOUNT_POINTS: RwLock<()> = RwLock::new(());

/// Keeps the others away.
enum Guard {
    None,
    Together { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// Prepares and starts. With a fault, that operation of the init fails.
pub(crate) fn start<'a>(
    program: &Program,
    root: &Root,
    fault: Option<u32>,
    prepare: impl Fn() -> Result<Prepared<'a>, Error>,
) -> Result<Child, Error> {
    let mut guard = Guard::None;
    if root.is_writable() {
        guard = Guard::Together { _guard: MOUNT_POINTS.read().unwrap_or_else(PoisonError::into_inner) };
    }
    let mut prepared = prepare()?;
    let wants_template = prepared.plan.mounts_from.is_some();
    if wants_template && template::open()?.is_none() {
        prepared = prepare()?;
    }
    if !prepared.made.is_empty() {
        drop(guard);
        guard = Guard::Alone { _guard: MOUNT_POINTS.write().unwrap_or_else(PoisonError::into_inner) };
        prepared = prepare()?;
    }
    let result = spawn(&prepared, fault);
    let result = result.map_err(|error| undo::remove(prepared.made, error));
    drop(guard);
    Child::new(result?, program)
}

fn spawn(prepared: &Prepared<'_>, fault: Option<u32>) -> Result<cofferdam_process::Child, Error> {
    let opened = prepared.inputs.iter().map(open).collect::<Result<Vec<_>, Error>>()?;
    let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
    let mut writer = prepared.maps.as_ref().map(MapWriter);
    let mut spawner = Spawner::new(&prepared.plan, &inputs);
    if let Some(writer) = &mut writer {
        spawner = spawner.rendezvous(writer);
    }
    if let Some(operation) = fault {
        spawner = spawner.fail_at(operation);
    }
    spawner.spawn().map_err(|error| explain(error, prepared.plan.namespaces))
}

/// A descriptor for an input.
enum Opened<'a> {
    Borrowed(BorrowedFd<'a>),
    Owned(OwnedFd),
}

impl AsFd for Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Borrowed(fd) => *fd,
            Self::Owned(fd) => fd.as_fd(),
        }
    }
}

fn open<'a>(input: &'a Input<'_>) -> Result<Opened<'a>, Error> {
    Ok(match input {
        Input::Borrowed(fd) => Opened::Borrowed(*fd),
        Input::Namespace(namespace) => Opened::Borrowed(namespace.as_fd()),
        Input::Opened(fd) => Opened::Borrowed(fd.as_fd()),
        Input::Copy { path, recursive } => Opened::Owned(copy(path, *recursive)?),
        Input::Template => match template::open()? {
            Some(namespace) => Opened::Owned(namespace.into()),
            None => return Err(Error::invalid("template", "", "cannot be made")),
        },
    })
}

fn copy(path: &Path, recursive: bool) -> Result<OwnedFd, Error> {
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

/// Writes the id maps of a new user namespace.
struct MapWriter<'a>(&'a Maps);

impl Rendezvous for MapWriter<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let proc = target::proc_of(process.pidfd, process.pid)?;
        match &self.0.caller {
            None => self.0.maps.write_to(proc.as_fd())?,
            Some(caller) => drop(self.0.maps.apply(caller, process.pid, proc.as_fd())?),
        }
        Ok(())
    }
}

/// Says more where a privilege is missing.
fn explain(error: ProcessError, new: Namespaces) -> Error {
    let error = match error {
        ProcessError::Rendezvous { point, source } => {
            match source.downcast::<cofferdam_namespaces::Error>() {
                Ok(error) => Error::Namespace(*error),
                Err(source) => match source.downcast::<Error>() {
                    Ok(error) => *error,
                    Err(source) => Error::Process(ProcessError::Rendezvous { point, source }),
                },
            }
        }
        other => Error::Process(other),
    };
    let hint = match &error {
        Error::Process(ProcessError::Exec { .. }) => None,
        _ => hint(&error, new),
    };
    match hint {
        Some(hint) => Error::Denied { hint, source: Box::new(error) },
        None => error,
    }
}

/// The setting of the host that is in the way, or what the caller lacks.
fn hint(error: &Error, new: Namespaces) -> Option<String> {
    let number = error.errno()?.number();
    if ![libc::EPERM, libc::EACCES, libc::ENOSPC, libc::EUSERS].contains(&number) {
        return None;
    }
    let clone = matches!(error, Error::Process(ProcessError::Clone { .. }));
    let kinds: Kinds = Kind::ALL.into_iter().filter(|kind| new.bits() & kind.flag() != 0).collect();
    match UserNamespaces::check(kinds) {
        Ok(blocked @ (Diagnosis::Blocked { .. } | Diagnosis::NotInKernel { .. })) => Some(match blocked {
            Diagnosis::Blocked { setting, value } => {
                format!("the host does not allow these namespaces: its setting {setting} is {value}")
            }
            other => other.to_string(),
        }),
        _ if clone && !new.contains(Namespaces::USER) => {
            Some("new namespaces need CAP_SYS_ADMIN, or a new user namespace with them".into())
        }
        _ if clone && number == libc::ENOSPC => {
            Some("the host allows no more of these namespaces: see its settings user.max_*_namespaces".into())
        }
        _ => None,
    }
}
