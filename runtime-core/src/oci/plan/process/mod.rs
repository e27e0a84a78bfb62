//! The process: what it is, who it is, what it executes.

mod capabilities;
mod files;
mod home;
mod identity;
mod labels;
mod program;
mod resources;
mod schedule;

use oci_spec::runtime::{Linux, Process};

use super::{Request, Spaces, point};
use crate::oci::{Error, Result};
use crate::prepare::{Draft, may};
use crate::{Argument, Namespaces, RawCall, Slot, Step};

pub use capabilities::add_capabilities;
pub(super) use capabilities::last as capabilities_at_last;
pub(super) use home::in_root as home_in;
pub(super) use identity::become_root;
pub(super) use resources::{lifted as lifted_limits, raise as raise_limits};
pub(super) use schedule::{affinity, any_processor};

/// Whose process is prepared, and in what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'s> {
    pub(crate) process: &'s Process,
    /// What the configuration of the container says about all its processes.
    pub(crate) linux: Option<&'s Linux>,
    /// The ids that exist there.
    pub(crate) ids: Ids<'s>,
    /// It is the first one: its working directory is made if it is missing.
    pub(crate) first: bool,
    /// Its user namespace is not the caller's.
    pub(crate) other_user: bool,
}

pub(crate) use identity::Ids;

/// Before any file is made: the keyring of the session, and the meeting for network devices.
pub(super) fn early(draft: &mut Draft<'_>, request: &Request<'_>, spaces: &Spaces) -> Result<()> {
    if !request.no_new_keyring {
        join_keyring(draft, request.id);
    }
    let linux = request.spec.linux().as_ref();
    let devices = linux.and_then(|linux| linux.net_devices().as_ref());
    if devices.is_some_and(|devices| !devices.is_empty()) {
        if !spaces.has_own(Namespaces::NET) {
            let reason = "is set, but linux.namespaces has no network namespace of its own";
            return Err(Error::config("linux.netDevices", reason));
        }
        meet_with_netlink(draft);
    }
    Ok(())
}

/// What the process is besides its files, from the inside out, and last who it is.
pub(super) fn late<'a>(draft: &mut Draft<'a>, request: &Request<'a>, spaces: &Spaces) -> Result<()> {
    let Some(process) = request.spec.process().as_ref() else { return Ok(()) };
    let linux = request.spec.linux().as_ref();
    let ids = identity::ids(spaces)?;
    let subject = Subject { process, linux, ids, first: true, other_user: spaces.other_user };
    let home = || home::in_bundle(request, process.user().uid());
    finish(draft, &subject, request.streams, home)
}

/// The same for each process of a container. The standard streams are those of the plan.
pub(crate) fn finish<'a>(
    draft: &mut Draft<'a>,
    subject: &Subject<'_>,
    streams: crate::start::Streams,
    home: impl FnOnce() -> Option<String>,
) -> Result<()> {
    let process = subject.process;
    program::set(draft, process, home);
    schedule::set(draft, subject)?;
    files::streams(draft, process, streams)?;
    draft.step(Step::NewSession);
    files::controlling_terminal(draft, process)?;
    let again = files::directory(draft, process, subject.first);
    labels::set(draft, subject)?;
    resources::set(draft, process)?;
    draft.step(Step::Umask(files::umask(process)));
    if process.no_new_privileges().unwrap_or(false) {
        draft.step(Step::NoNewPrivileges);
    }
    identity::set(draft, subject)?;
    if again {
        draft.step(Step::WorkingDirectory(process.cwd().clone()));
    }
    Ok(())
}

/// Whether a seccomp filter has to be loaded by right of a capability.
pub(crate) fn filters_by_right(process: Option<&Process>, linux: Option<&Linux>) -> bool {
    let filtered = linux.is_some_and(|linux| linux.seccomp().is_some());
    filtered && process.is_some_and(|process| !process.no_new_privileges().unwrap_or(false))
}

/// Whether the caller may set the score, which belongs to the process from the first.
pub(super) fn check_oom_score(score: Option<i32>) -> Result<()> {
    const PATH: &str = "process.oomScoreAdj";
    let Some(score) = score else { return Ok(()) };
    let own = std::fs::read_to_string("/proc/thread-self/oom_score_adj").unwrap_or_default();
    match own.trim().parse::<i32>() {
        Ok(own) if score < own && !may(rustix::thread::CapabilitySet::SYS_RESOURCE)? => {
            let reason = format!("{score} is below the caller's own {own}, which needs CAP_SYS_RESOURCE");
            Err(Error::config(PATH, reason))
        }
        _ => Ok(()),
    }
}

/// A keyring of the container's own, so that the caller's keys are not in its reach.
pub(super) fn join_keyring(draft: &mut Draft<'_>, id: &str) {
    const KEYCTL_JOIN_SESSION_KEYRING: u64 = 1;
    const KEYCTL_SETPERM: u64 = 5;
    const KEY_SPEC_SESSION_KEYRING: u64 = 0xffff_fffd;
    /// All for who possesses it; the user may view, read and search it, so that other processes of the container find it.
    const PERMISSIONS: u64 = 0x3f1b_0000;
    let number = Argument::Number;
    let keyctl = |name: &str, arguments| {
        Step::Call(RawCall {
            name: name.into(),
            number: u32::try_from(libc::SYS_keyctl).unwrap_or(0),
            arguments,
            into: None,
            // A kernel without keyrings has no keys to protect.
            tolerate: Some(libc::ENOSYS),
        })
    };
    let name = Argument::Text(format!("_ses.{id}").into());
    draft.step(keyctl("keyctl join session keyring", vec![number(KEYCTL_JOIN_SESSION_KEYRING), name]));
    let permissions = vec![number(KEYCTL_SETPERM), number(KEY_SPEC_SESSION_KEYRING), number(PERMISSIONS)];
    draft.step(keyctl("keyctl set permissions", permissions));
}

/// The caller moves network devices through a socket of the container's network namespace.
fn meet_with_netlink(draft: &mut Draft<'_>) {
    let socket = draft.plan.slot("a netlink socket");
    let number = |number: i32| Argument::Number(u64::from(number.unsigned_abs()));
    draft.step(Step::Call(RawCall {
        name: "socket netlink".into(),
        number: u32::try_from(libc::SYS_socket).unwrap_or(0),
        arguments: vec![
            number(libc::AF_NETLINK),
            number(libc::SOCK_RAW | libc::SOCK_CLOEXEC),
            number(libc::NETLINK_ROUTE),
        ],
        into: Some(socket),
        tolerate: None,
    }));
    draft.step(Step::Sync { point: point::NAMESPACES, send: vec![socket], receive: Vec::new() });
    draft.step(Step::Close(socket));
}

/// A call that takes numbers and bytes.
pub(super) fn call(name: &str, number: libc::c_long, arguments: Vec<Argument>) -> Step {
    Step::Call(RawCall {
        name: name.into(),
        number: u32::try_from(number).unwrap_or(0),
        arguments,
        into: None,
        tolerate: None,
    })
}

/// The slot of a standard stream, if it has one.
fn slot_of(stream: crate::PlanStdio) -> Option<Slot> {
    match stream {
        crate::PlanStdio::Descriptor(slot) => Some(slot),
        _ => None,
    }
}
