//! Namespaces: which are made, which are joined, id maps, clocks.

use std::os::fd::AsFd;
use std::path::Path;

use cofferdam_namespaces::{Error as NamespaceError, Namespace};
use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespace, LinuxNamespaceType};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::spaces::JoinedMaps;
use super::{Request, Spaces, point};
use crate::oci::{Error, Result};
use crate::prepare::{Draft, Kinds, LateUser, Maps, first, leave_groups};
use crate::target::Target;
use crate::{ClockOffset, Credentials, IdMap, IdRange, InsideId, Kind, Namespaces, OutsideId, Step};

/// The process gets into its namespaces, and in a user namespace it becomes one who may make files there.
pub(super) fn enter(draft: &mut Draft<'_>, request: &Request<'_>) -> Result<Spaces> {
    let linux = request.spec.linux().as_ref();
    let Listed { new, joined, known } = listed(linux)?;
    let joined_kinds = crate::enclosure::kinds_of(&joined);
    if !(new | joined_kinds).contains(Namespaces::MNT) {
        let reason = "has no mount namespace: a container cannot share the caller's";
        return Err(Error::config("linux.namespaces", reason));
    }
    let process = request.spec.process().as_ref();
    let mut maps = maps(linux, new)?;
    let mut user = None;
    if let Some(maps) = maps.as_mut().filter(|_| !joined.is_empty()) {
        let ids = (first(&maps.maps.uid), first(&maps.maps.gid));
        user = Some(LateUser { point: point::MAPS, ids });
    } else if let Some(maps) = &mut maps {
        maps.lifted = process.map(super::process::lifted_limits).transpose()?.unwrap_or_default();
        draft.plan.rendezvous = true;
        draft.plan.maps_root = maps.make_root();
    }
    let way = Kinds {
        new,
        joined,
        offsets: offsets(linux),
        oom_score_adjust: process.and_then(|process| process.oom_score_adj()),
        user,
    };
    super::process::check_oom_score(way.oom_score_adjust)?;
    draft.enter_cgroup(request.cgroup.shape);
    let into_user = joined_kinds.contains(Namespaces::USER);
    if let Some(process) = process.filter(|_| into_user || user.is_some()) {
        super::process::raise_limits(draft, process)?;
    }
    way.enter(draft, request.cgroup.shape)?;
    if request.listener.is_some() && draft.plan.steps.last() == Some(&Step::Fork) {
        draft.step(Step::Sync { point: point::FORKED, send: Vec::new(), receive: Vec::new() });
    }
    let early = match (&maps, user, &known) {
        (Some(maps), None, _) => maps.early(),
        (_, _, Some((users, groups, _))) => Some((first(users), first(groups))),
        _ => into_user.then_some((0, 0)),
    };
    if let Some((uid, gid)) = early {
        let ids = Credentials { uid: Some(uid), gid: Some(gid), ..Credentials::default() };
        draft.step(Step::Credentials(ids));
    }
    if into_user {
        draft.step(leave_groups());
    }
    let other_user = into_user || new.contains(Namespaces::USER);
    Ok(Spaces { new, joined: joined_kinds, maps, known, other_user })
}

/// What `linux.namespaces` says.
struct Listed {
    new: Namespaces,
    /// Those that are not the caller's own.
    joined: Vec<Namespace>,
    known: Option<JoinedMaps>,
}

fn listed(linux: Option<&Linux>) -> Result<Listed> {
    let mut found = Listed { new: Namespaces::empty(), joined: Vec::new(), known: None };
    let list = linux.and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    for (index, entry) in list.iter().enumerate() {
        let kind = kind(entry);
        match entry.path().as_deref().filter(|path| !path.as_os_str().is_empty()) {
            None => found.new |= Namespaces::from_bits(kind.flag()),
            Some(path) => {
                let namespace = open(index, path, kind)?;
                if let (Kind::User, Some(namespace)) = (kind, &namespace) {
                    found.known = maps_of_joined(path, namespace);
                }
                found.joined.extend(namespace);
            }
        }
    }
    Ok(found)
}

/// A namespace by its path, opened once; none if it is the caller's own.
fn open(index: usize, path: &Path, kind: Kind) -> Result<Option<Namespace>> {
    let wrong = |reason: String| Error::config(format!("linux.namespaces[{index}].path"), reason);
    let namespace = Namespace::open_kind(path, kind).map_err(|error| wrong(error.to_string()))?;
    match Namespace::of_current(kind) {
        Ok(own) if own.identity() == namespace.identity() => Ok(None),
        Ok(_) | Err(NamespaceError::KindNotInKernel { .. }) => Ok(Some(namespace)),
        Err(error) => Err(error.into()),
    }
}

/// The id maps of a user namespace by the path of one of its processes. A namespace by itself does not tell them.
fn maps_of_joined(path: &Path, namespace: &Namespace) -> Option<JoinedMaps> {
    let pid = path.to_str()?.strip_prefix("/proc/")?.strip_suffix("/ns/user")?.parse().ok()?;
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let theirs = Namespace::of_pidfd(pidfd.as_fd(), Kind::User).ok()?;
    if theirs.identity() != namespace.identity() {
        return None;
    }
    Target::look_at(pidfd.as_fd()).ok()?.maps().ok()
}

fn kind(entry: &LinuxNamespace) -> Kind {
    match entry.typ() {
        LinuxNamespaceType::Mount => Kind::Mnt,
        LinuxNamespaceType::Cgroup => Kind::Cgroup,
        LinuxNamespaceType::Uts => Kind::Uts,
        LinuxNamespaceType::Ipc => Kind::Ipc,
        LinuxNamespaceType::User => Kind::User,
        LinuxNamespaceType::Pid => Kind::Pid,
        LinuxNamespaceType::Network => Kind::Net,
        LinuxNamespaceType::Time => Kind::Time,
    }
}

/// The id maps. A user namespace that is joined has its own, whatever is said here: engines say something all the same.
fn maps(linux: Option<&Linux>, new: Namespaces) -> Result<Option<Maps>> {
    let uid = linux.and_then(|linux| linux.uid_mappings().as_deref()).unwrap_or_default();
    let gid = linux.and_then(|linux| linux.gid_mappings().as_deref()).unwrap_or_default();
    if !new.contains(Namespaces::USER) {
        return Ok(None);
    }
    let (uid, gid) = (map("linux.uidMappings", uid)?, map("linux.gidMappings", gid)?);
    let chosen = Maps::choose(Some(&uid), Some(&gid)).map_err(|error| match error {
        crate::Error::Namespace(reason @ NamespaceError::NotPermitted { .. }) => {
            Error::config("linux.uidMappings", reason.to_string())
        }
        other => other.into(),
    });
    chosen.map(Some)
}

fn map(path: &str, list: &[LinuxIdMapping]) -> Result<IdMap> {
    let mut ranges = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let (inside, outside) = (InsideId::new(entry.container_id()), OutsideId::new(entry.host_id()));
        let range = IdRange::new(inside, outside, entry.size());
        ranges.push(range.map_err(|error| Error::config(format!("{path}[{index}]"), error.to_string()))?);
    }
    IdMap::new(ranges).map_err(|error| Error::config(path, error.to_string()))
}

/// Monotonic and boottime.
fn offsets(linux: Option<&Linux>) -> (ClockOffset, ClockOffset) {
    let given = linux.and_then(|linux| linux.time_offsets().as_ref());
    let offset = |clock| {
        let offset = given.and_then(|given| given.get(clock));
        ClockOffset {
            seconds: offset.and_then(|offset| offset.secs()).unwrap_or(0),
            nanoseconds: offset.and_then(|offset| offset.nanosecs()).unwrap_or(0),
        }
    };
    (offset("monotonic"), offset("boottime"))
}
