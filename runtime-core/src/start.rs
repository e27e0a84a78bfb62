//! The one place where a plan is carried out.

use std::os::fd::BorrowedFd;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cofferdam_namespaces::{Diagnosis, Kind, Kinds, UserNamespaces};
use cofferdam_process::{BoxError, Error as ProcessError, Process, Rendezvous, Spawner};

use crate::enclosure::Root;
use crate::prepare::{Input, Maps, Prepared};
use crate::program::Program;
use crate::{Child, Error, Namespaces, PlanStdio, target, undo};

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
    let inputs: Vec<BorrowedFd<'_>> = prepared.inputs.iter().map(Input::as_fd).collect();
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

/// Writes the id maps of a new user namespace.
struct MapWriter<'a>(&'a Maps);

impl Rendezvous for MapWriter<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        use std::os::fd::AsFd;
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
