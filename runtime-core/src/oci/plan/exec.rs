//! A further process in a container.

use std::os::fd::BorrowedFd;

use oci_spec::runtime::{ExecCPUAffinity, Process, Spec};

use super::process::{self, Ids, Subject};
use super::{filesystem, filter, point};
use crate::cgroup::Shape;
use crate::enclosure::kinds_of;
use crate::oci::Result;
use crate::prepare::{Draft, Kinds, Prepared};
use crate::start::Streams;
use crate::target::Target;
use crate::{Location, Namespaces, Open, Step};

/// A process to be planned.
#[derive(Clone, Debug)]
pub(crate) struct ExecRequest<'a> {
    /// The container's id.
    pub(crate) id: &'a str,
    /// The container's configuration.
    pub(crate) spec: &'a Spec,
    /// The process. What it leaves open is as the container's own process has it.
    pub(crate) process: &'a Process,
    /// The container's first process, whose namespaces are joined.
    pub(crate) pidfd: BorrowedFd<'a>,
    /// The standard streams where there is no terminal.
    pub(crate) streams: Streams,
    /// Further descriptors for the program, from number 3 on.
    pub(crate) passed: Vec<BorrowedFd<'a>>,
    /// How the process gets into its cgroup.
    pub(crate) cgroup: Shape,
    /// The session keyring stays the caller's.
    pub(crate) no_new_keyring: bool,
}

/// The plan for a further process of a container.
pub(crate) fn exec<'a>(request: &ExecRequest<'a>) -> Result<Prepared<'a>> {
    let process = completed(request);
    let target = Target::look_at(request.pidfd)?;
    let joined = target.differing()?;
    let into_user = kinds_of(&joined).contains(Namespaces::USER);
    let maps = if into_user { Some(target.maps()?) } else { None };
    let ids = match &maps {
        Some((users, groups, setgroups)) => Ids { maps: Some((users, groups)), groups: (*setgroups).into() },
        None => Ids::of_caller()?,
    };
    let linux = request.spec.linux().as_ref();
    let subject = Subject { process: &process, linux, ids, first: false, other_user: into_user };
    let oom_score_adjust = process.oom_score_adj();
    process::check_oom_score(oom_score_adjust)?;

    let mut draft = Draft::bare("/");
    enter_cgroup(&mut draft, request.cgroup, process.exec_cpu_affinity().as_ref())?;
    if into_user {
        process::raise_limits(&mut draft, &process)?;
    }
    Kinds { joined, oom_score_adjust, ..Kinds::default() }.join(&mut draft)?;
    if !request.no_new_keyring {
        process::join_keyring(&mut draft, request.id);
    }
    if let Some((users, groups, _)) = &maps {
        draft.step(process::become_root(users, groups));
    }
    if process.terminal().unwrap_or(false) {
        open_terminal(&mut draft, &process)?;
    }
    let home = || target.root().ok().and_then(|root| process::home_in(root, process.user().uid()));
    process::finish(&mut draft, &subject, request.streams, home)?;
    super::last::pass(&mut draft, &request.passed);
    filter::load(&mut draft, Some(&process), linux)?;
    Ok(draft.finish(None))
}

/// Into the cgroup, and onto the processors that are asked for before and after it. Who is born there was never before it.
fn enter_cgroup(draft: &mut Draft<'_>, cgroup: Shape, affinity: Option<&ExecCPUAffinity>) -> Result<()> {
    let list = |list: &Option<String>| list.clone().filter(|list| !list.is_empty());
    let initial = affinity.and_then(|affinity| list(affinity.initial()));
    let last = affinity.and_then(|affinity| list(affinity.cpu_affinity_final()));
    let born_there = cgroup.unified && cgroup.tasks == 0;
    let initial = initial.filter(|_| !born_there);
    process::affinity(draft, "process.execCPUAffinity.initial", initial.as_deref())?;
    draft.enter_cgroup(cgroup);
    process::affinity(draft, "process.execCPUAffinity.final", last.as_deref())?;
    if initial.is_some() && last.is_none() {
        draft.step(process::any_processor());
    }
    Ok(())
}

/// A terminal of the container's own, whose other side the caller gets.
fn open_terminal(draft: &mut Draft<'_>, process: &Process) -> Result<()> {
    let root = draft.plan.slot("the container's root");
    draft.step(Step::Open { location: Location::path("/"), how: Open::PATH, into: root });
    let terminal = filesystem::open_terminal(draft, root, process.console_size().as_ref())?;
    draft.step(Step::Close(root));
    draft.step(Step::Sync { point: point::CONSOLE, send: vec![terminal.master], receive: Vec::new() });
    draft.step(Step::Close(terminal.master));
    Ok(())
}

/// The process, with the container's own values where it has none.
fn completed(request: &ExecRequest<'_>) -> Process {
    let mut process = request.process.clone();
    let Some(own) = request.spec.process() else { return process };
    if process.capabilities().is_none() {
        process.set_capabilities(own.capabilities().clone());
    }
    if process.rlimits().as_ref().is_none_or(Vec::is_empty) {
        process.set_rlimits(own.rlimits().clone());
    }
    if process.no_new_privileges().is_none() {
        process.set_no_new_privileges(own.no_new_privileges());
    }
    if process.apparmor_profile().as_ref().is_none_or(String::is_empty) {
        process.set_apparmor_profile(own.apparmor_profile().clone());
    }
    if process.selinux_label().as_ref().is_none_or(String::is_empty) {
        process.set_selinux_label(own.selinux_label().clone());
    }
    if process.scheduler().is_none() {
        process.set_scheduler(own.scheduler().clone());
    }
    if process.io_priority().is_none() {
        process.set_io_priority(*own.io_priority());
    }
    if process.oom_score_adj().is_none() {
        process.set_oom_score_adj(own.oom_score_adj());
    }
    if process.exec_cpu_affinity().is_none() {
        process.set_exec_cpu_affinity(own.exec_cpu_affinity().clone());
    }
    process
}
