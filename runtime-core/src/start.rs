//! The one place where a plan is carried out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cofferdam_namespaces::{Error as NamespaceError, Namespace};
use cofferdam_process::{BoxError, Process, Rendezvous, Spawner};

use crate::enclosure::Root;
use crate::explain::explain;
use crate::prepare::{Input, Maps, Prepared};
use crate::program::Program;
use crate::{Child, Error, PlanStdio, target, template, undo};

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
    let mut template = None;
    if prepared.plan.mounts_from.is_some() {
        template = template::open()?;
        if template.is_none() {
            prepared = prepare()?;
        }
    }
    if !prepared.made.is_empty() {
        drop(guard);
        guard = Guard::Alone { _guard: MOUNT_POINTS.write().unwrap_or_else(PoisonError::into_inner) };
        prepared = prepare()?;
    }
    let result = spawn(&prepared, template.as_deref(), fault);
    let result = result.map_err(|error| undo::remove(prepared.made, error));
    drop(guard);
    Child::new(result?, program)
}

fn spawn(
    prepared: &Prepared<'_>,
    template: Option<&Namespace>,
    fault: Option<u32>,
) -> Result<cofferdam_process::Child, Error> {
    let opened = prepared.inputs.iter().map(|input| open(input, template));
    let opened = opened.collect::<Result<Vec<_>, Error>>()?;
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

fn open<'a>(input: &'a Input<'_>, template: Option<&'a Namespace>) -> Result<Opened<'a>, Error> {
    Ok(match input {
        Input::Borrowed(fd) => Opened::Borrowed(*fd),
        Input::Namespace(namespace) => Opened::Borrowed(namespace.as_fd()),
        Input::Opened(fd) => Opened::Borrowed(fd.as_fd()),
        Input::Copy { path, recursive } => Opened::Owned(template::copy(path, *recursive)?),
        Input::Template => match template {
            Some(namespace) => Opened::Borrowed(namespace.as_fd()),
            None => return Err(Error::invalid("template", "", "cannot be made")),
        },
    })
}

/// Writes the id maps of a new user namespace.
struct MapWriter<'a>(&'a Maps);

impl Rendezvous for MapWriter<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let Process { pid, pidfd } = process;
        let found =
            target::number_of_child(pidfd, pid).and_then(|pid| Ok((pid, target::proc_of(pidfd, pid)?)));
        let (pid, proc) = match found {
            // It has said why.
            Err(Error::Namespace(NamespaceError::ProcessGone { .. })) => return Ok(()),
            found => found?,
        };
        match &self.0.caller {
            None => self.0.maps.write_to(proc.as_fd())?,
            Some(caller) => drop(self.0.maps.apply(caller, pid, proc.as_fd())?),
        }
        Ok(())
    }
}
