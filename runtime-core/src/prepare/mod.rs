//! From options to a plan: all of the policy, none of the doing.

mod dev;
mod draft;
mod identity;
mod kinds;
mod mounts;
mod paths;
mod proc;
mod root;
mod union;
mod validate;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use cofferdam_namespaces::Namespace;
#[cfg(feature = "oci")]
use cofferdam_overlay::IdMapping;

use crate::cgroup::Shape;
use crate::command::Command;
use crate::enclosure::kinds_of;
use crate::exec::Exec;
use crate::program::Program;
use crate::start::Streams;
use crate::stdio::{Stdio, Stream};
use crate::template;
use crate::{Error, Namespaces, Plan, Root, StackRoot, Step};

use identity::Identity;

pub(crate) use dev::tree as dev_tree;
pub(crate) use draft::Draft;
pub(crate) use identity::Maps;
#[cfg(feature = "oci")]
pub(crate) use identity::{first, leave_groups, may};
pub(crate) use kinds::Kinds;
#[cfg(feature = "oci")]
pub(crate) use kinds::LateUser;
pub(crate) use paths::Made;
pub(crate) use validate::limits as check_limits;

/// A plan with all that it takes to carry it out.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) plan: Plan,
    /// The descriptors for the plan's inputs, in their order.
    pub(crate) inputs: Vec<Input<'a>>,
    /// The id maps of a new user namespace.
    pub(crate) maps: Option<Maps>,
    /// The mount points that are made in a directory of the host.
    pub(crate) made: Vec<Made>,
}

/// A descriptor for a plan: of the options, opened for this plan, or opened when it is carried out.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    Borrowed(BorrowedFd<'a>),
    Namespace(Namespace),
    Opened(OwnedFd),
    /// A copy of what is mounted at a path of the host.
    Copy {
        path: PathBuf,
        recursive: bool,
    },
    /// The same with ids that appear as others, on its top or on all of it.
    #[cfg(feature = "oci")]
    Mapped {
        path: PathBuf,
        recursive: bool,
        ids: IdMapping,
        all: bool,
    },
    /// A union of directories, mounted for this program.
    Union(&'a StackRoot),
    /// The mount namespace that new ones are copied from.
    Template,
    /// The v2 directory of the cgroup.
    Cgroup,
    /// One of its v1 files, by which the process moves itself.
    Tasks(usize),
}

/// The plan for a command.
pub(crate) fn command(command: &Command, streams: Streams, cgroup: Shape) -> Result<Prepared<'_>, Error> {
    let (program, enclosure) = (&command.program, &command.enclosure);
    validate::program(program)?;
    validate::enclosure(enclosure)?;
    let identity = Identity::of_command(program, enclosure)?;
    let mut draft = Draft::new(program, enclosure.root == Root::Host);
    draft.plan.stay_as_init = enclosure.init;
    draft.plan.rendezvous = identity.maps.is_some();
    draft.plan.maps_root = identity.maps_root;
    if identity.can_use_template(enclosure) && !template::is_impossible() {
        draft.use_template();
    }
    draft.enter_cgroup(cgroup);
    Kinds::of_command(program, enclosure)?.enter(&mut draft, cgroup)?;
    identity.settle(&mut draft);
    let change = match enclosure.new.contains(Namespaces::MNT) {
        true => mounts::build(&mut draft, enclosure, &identity)?,
        false => None,
    };
    surroundings(&mut draft, command);
    draft.steps(change);
    finish(&mut draft, program, &identity, streams)?;
    Ok(draft.finish(identity.maps))
}

/// The plan for a process in the namespaces of another.
pub(crate) fn exec<'a>(exec: &'a Exec<'_>, streams: Streams, cgroup: Shape) -> Result<Prepared<'a>, Error> {
    let program = &exec.program;
    validate::program(program)?;
    let target = crate::target::Target::look_at(exec.pidfd())?;
    let joined = target.differing()?;
    let identity = Identity::of_exec(program, &target, kinds_of(&joined).contains(Namespaces::USER))?;
    let mut draft = Draft::new(program, false);
    draft.enter_cgroup(cgroup);
    let oom_score_adjust = program.oom_score_adjust;
    Kinds { joined, oom_score_adjust, ..Kinds::default() }.join(&mut draft)?;
    identity.settle(&mut draft);
    finish(&mut draft, program, &identity, streams)?;
    Ok(draft.finish(None))
}

/// What is in the new namespaces besides files.
fn surroundings(draft: &mut Draft<'_>, command: &Command) {
    let enclosure = &command.enclosure;
    draft.steps(enclosure.hostname.iter().cloned().map(Step::Hostname));
    draft.steps(enclosure.domainname.iter().cloned().map(Step::Domainname));
    let sysctls = enclosure.sysctls.iter().cloned();
    draft.steps(sysctls.map(|(name, value)| Step::Sysctl { name, value }));
    if enclosure.loopback != Some(false) && enclosure.new.contains(Namespaces::NET) {
        draft.step(Step::LoopbackUp);
    }
}

/// What the process is, from the inside out: place, limits, session, ids, and last what cannot be undone.
fn finish<'a>(
    draft: &mut Draft<'a>,
    program: &'a Program,
    identity: &Identity,
    streams: Streams,
) -> Result<(), Error> {
    let directory = program.current_dir.as_deref().unwrap_or(Path::new("/"));
    draft.step(Step::WorkingDirectory(directory.to_owned()));
    let limits = program.limits.iter();
    draft.steps(limits.map(|(resource, soft, hard)| Step::ResourceLimit {
        resource: *resource,
        soft: *soft,
        hard: *hard,
    }));
    if program.session {
        draft.step(Step::NewSession);
    }
    draft.step(Step::Umask(program.umask));
    draft.steps(identity.credentials().map(Step::Credentials));
    draft.steps(program.parent_death_signal.map(Step::ParentDeathSignal));
    if program.no_new_privs {
        draft.step(Step::NoNewPrivileges);
    }
    let names = ["standard input", "standard output", "standard error"];
    let defaults = [streams.stdin, streams.stdout, streams.stderr];
    let mut chosen = [crate::PlanStdio::Inherit; 3];
    for (index, stdio) in program.streams.iter().enumerate() {
        chosen[index] = stream(draft, names[index], stdio.as_ref(), defaults[index]);
    }
    [draft.plan.stdin, draft.plan.stdout, draft.plan.stderr] = chosen;
    Ok(())
}

fn stream<'a>(
    draft: &mut Draft<'a>,
    name: &str,
    stdio: Option<&'a Stdio>,
    default: crate::PlanStdio,
) -> crate::PlanStdio {
    match stdio.map(|stdio| &stdio.0) {
        None => default,
        Some(Stream::Inherit) => crate::PlanStdio::Inherit,
        Some(Stream::Null) => crate::PlanStdio::Null,
        Some(Stream::Pipe) => crate::PlanStdio::Pipe,
        Some(Stream::Descriptor(fd)) => crate::PlanStdio::Descriptor(draft.input(name, fd.as_fd())),
    }
}
