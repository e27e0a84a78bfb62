//! The one place where a plan is carried out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(feature = "oci")]
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use cofferdam_namespaces::{Error as NamespaceError, Namespace};
use cofferdam_process::{BoxError, Error as ProcessError, Process, Rendezvous, Spawner};

use cofferdam_cgroups::Cgroup;
#[cfg(feature = "oci")]
use cofferdam_overlay::IdMapping;

use crate::cgroup::{Enclosed, Shape};
use crate::explain::explain;
use crate::prepare::{Input, Maps, Prepared};
use crate::program::Program;
use crate::{Child, Error, ExitStatus, PlanStdio, Root, limit, target, template, undo, union};

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

/// Which cgroup the process is in.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// The caller's.
    Callers,
    /// One of its own.
    New(Enclosed),
    /// That of another program, and the files by which a process moves itself there.
    Others(&'a Cgroup, Vec<OwnedFd>),
}

impl Place<'_> {
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Callers => Shape::default(),
            Self::New(enclosed) => enclosed.shape(),
            Self::Others(cgroup, tasks) => Shape { unified: cgroup.fd().is_some(), tasks: tasks.len() },
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Callers => None,
            Self::New(enclosed) => enclosed.fd(),
            Self::Others(cgroup, _) => cgroup.fd(),
        }
    }

    fn tasks(&self) -> &[OwnedFd] {
        match self {
            Self::Callers => &[],
            Self::New(enclosed) => enclosed.tasks(),
            Self::Others(_, tasks) => tasks,
        }
    }

    /// What belongs to the program, once it runs.
    fn into_enclosed(self) -> Option<Enclosed> {
        match self {
            Self::New(mut enclosed) => {
                enclosed.started();
                Some(enclosed)
            }
            Self::Callers | Self::Others(..) => None,
        }
    }
}

/// Prepares and starts. With a fault, that operation of the init fails.
pub(crate) fn start<'a>(
    program: &Program,
    root: &Root,
    fault: Option<u32>,
    place: Place<'_>,
    prepare: impl Fn(Shape) -> Result<Prepared<'a>, Error>,
) -> Result<Child, Error> {
    let child = carry_out(root, &place, &prepare, |spawner, _| match fault {
        Some(operation) => spawner.fail_at(operation).spawn(),
        None => spawner.spawn(),
    })?;
    Child::new(child, program, place.into_enclosed(), root.held())
}

/// Prepares, starts, and waits for the end, where nothing else is to be done meanwhile.
pub(crate) fn run<'a>(
    program: &Program,
    root: &Root,
    place: Place<'_>,
    prepare: impl Fn(Shape) -> Result<Prepared<'a>, Error>,
) -> Result<ExitStatus, Error> {
    if program.timeout.is_some() {
        return start(program, root, None, place, prepare)?.wait();
    }
    let outcome = carry_out(root, &place, &prepare, |spawner, alone| match alone {
        // Nobody else should wait for the end.
        true => spawner.spawn().map(Outcome::Running),
        false => spawner.status().map(Outcome::Ended),
    })?;
    match outcome {
        Outcome::Running(child) => Child::new(child, program, place.into_enclosed(), root.held())?.wait(),
        Outcome::Ended(status) => {
            // As with a child that is dropped: how the program ended is what was asked.
            if let Some(mut enclosed) = place.into_enclosed() {
                enclosed.ended();
            }
            Ok(status)
        }
    }
}

/// How far it came.
enum Outcome {
    Running(cofferdam_process::Child),
    Ended(ExitStatus),
}

/// Prepares, and has it done; tells whether the others are kept away meanwhile.
///
/// The mount points that a preparation finds stay: they were there before, or whoever made them has succeeded, as nobody
/// prepares while somebody makes some. So only who makes some has to keep the others away until that has succeeded.
fn carry_out<'a, T>(
    root: &Root,
    place: &Place<'_>,
    prepare: &impl Fn(Shape) -> Result<Prepared<'a>, Error>,
    act: impl FnOnce(Spawner<'_>, bool) -> Result<T, ProcessError>,
) -> Result<T, Error> {
    let together =
        root.is_writable_directory().then(|| MOUNT_POINTS.read().unwrap_or_else(PoisonError::into_inner));
    let shape = place.shape();
    let mut prepared = prepare(shape)?;
    drop(together);
    let mut template = None;
    if prepared.plan.mounts_from.is_some() {
        template = template::open()?;
        if template.is_none() {
            prepared = prepare(shape)?;
        }
    }
    if prepared.made.is_empty() {
        return spawn(&prepared, template.as_deref(), place, |spawner| act(spawner, false));
    }
    let alone = MOUNT_POINTS.write().unwrap_or_else(PoisonError::into_inner);
    prepared = prepare(shape)?;
    let result = spawn(&prepared, template.as_deref(), place, |spawner| act(spawner, true));
    let result = result.map_err(|error| undo::remove(prepared.made, error));
    drop(alone);
    result
}

fn spawn<T>(
    prepared: &Prepared<'_>,
    template: Option<&Namespace>,
    place: &Place<'_>,
    act: impl FnOnce(Spawner<'_>) -> Result<T, ProcessError>,
) -> Result<T, Error> {
    let opened = open_all(prepared, template, place)?;
    let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
    let mut writer = prepared.maps.as_ref().map(MapWriter);
    let mut spawner = Spawner::new(&prepared.plan, &inputs);
    if let Some(writer) = &mut writer {
        spawner = spawner.rendezvous(writer);
    }
    act(spawner).map_err(|error| explain(error, prepared.plan.namespaces))
}

/// The descriptors for all inputs of a plan, in their order.
pub(crate) fn open_all<'a>(
    prepared: &'a Prepared<'_>,
    template: Option<&'a Namespace>,
    place: &'a Place<'_>,
) -> Result<Vec<Opened<'a>>, Error> {
    prepared.inputs.iter().map(|input| open(input, template, place)).collect()
}

/// A descriptor for an input.
pub(crate) enum Opened<'a> {
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

fn open<'a>(
    input: &'a Input<'_>,
    template: Option<&'a Namespace>,
    place: &'a Place<'_>,
) -> Result<Opened<'a>, Error> {
    let given = |fd: Option<BorrowedFd<'a>>, what| {
        fd.map(Opened::Borrowed).ok_or_else(|| Error::invalid(what, "", "cannot be had"))
    };
    Ok(match input {
        Input::Borrowed(fd) => Opened::Borrowed(*fd),
        Input::Namespace(namespace) => Opened::Borrowed(namespace.as_fd()),
        Input::Opened(fd) => Opened::Borrowed(fd.as_fd()),
        Input::Copy { path, recursive } => Opened::Owned(template::copy(path, *recursive)?),
        #[cfg(feature = "oci")]
        Input::Mapped { path, recursive, ids, all } => Opened::Owned(mapped(path, *recursive, ids, *all)?),
        Input::Union(root) => Opened::Owned(union::mount(root)?),
        Input::Template => given(template.map(AsFd::as_fd), "template")?,
        Input::Cgroup => given(place.fd(), "cgroup")?,
        Input::Tasks(index) => given(place.tasks().get(*index).map(AsFd::as_fd), "cgroup")?,
    })
}

/// A detached copy of what is mounted at a path, through which ids appear as others.
#[cfg(feature = "oci")]
fn mapped(path: &Path, recursive: bool, ids: &IdMapping, all: bool) -> Result<OwnedFd, Error> {
    let mount = match recursive {
        true => cofferdam_overlay::Mount::clone_tree(cofferdam_overlay::CWD, path)?,
        false => cofferdam_overlay::Mount::clone_mount(cofferdam_overlay::CWD, path)?,
    };
    let namespace = cofferdam_overlay::UserNamespace::for_mapping(ids)?;
    mount.map_ids(namespace.as_fd(), all)?;
    Ok(mount.into_fd())
}

/// Does for a new user namespace what its root may not: writes the id maps, and lifts limits.
pub(crate) struct MapWriter<'a>(pub(crate) &'a Maps);

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
        limit::lift(process, &self.0.lifted)?;
        match &self.0.caller {
            None => self.0.maps.write_to(proc.as_fd())?,
            Some(caller) => drop(self.0.maps.apply(caller, pid, proc.as_fd())?),
        }
        Ok(())
    }
}
