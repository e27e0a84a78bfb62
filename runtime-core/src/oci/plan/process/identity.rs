//! Who the process is: ids, groups, capabilities.

use cofferdam_namespaces::{IdMap, Setgroups};

use super::super::Spaces;
use super::{Subject, capabilities, filters_by_right};
use crate::oci::{Error, Result};
use crate::prepare::{Draft, first, may};
use crate::{Credentials, InsideId, Step, own};

/// Which ids exist where the process will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids<'s> {
    /// The users and groups, where they are known.
    pub(crate) maps: Option<(&'s IdMap, &'s IdMap)>,
    /// Whether groups may be changed.
    pub(crate) groups: bool,
}

/// The ids in the namespaces of a new container.
pub(super) fn ids(spaces: &Spaces) -> Result<Ids<'_>> {
    if let Some(maps) = &spaces.maps {
        let groups = maps.maps.setgroups == Setgroups::Allow;
        return Ok(Ids { maps: Some((&maps.maps.uid, &maps.maps.gid)), groups });
    }
    if spaces.other_user {
        return Ok(Ids { maps: None, groups: true });
    }
    Ids::of_caller()
}

impl Ids<'_> {
    /// Those of the caller's own user namespace.
    pub(crate) fn of_caller() -> Result<Self> {
        let groups = may(rustix::thread::CapabilitySet::SETGID)? && !own::get()?.setgroups_denied;
        Ok(Self { maps: None, groups })
    }
}

/// Root, or who is first, of a user namespace that was joined: who has no number there makes no files.
pub(in crate::oci::plan) fn become_root(users: &IdMap, groups: &IdMap) -> Step {
    let (uid, gid) = (first(users), first(groups));
    Step::Credentials(Credentials { uid: Some(uid), gid: Some(gid), ..Credentials::default() })
}

/// The last change of ids.
pub(super) fn set(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<()> {
    let (process, ids) = (subject.process, subject.ids);
    let user = process.user();
    if user.username().is_some() {
        return Err(Error::config("process.user.username", "is for other systems: Linux takes uid and gid"));
    }
    let (users, groups) = (ids.maps.map(|(users, _)| users), ids.maps.map(|(_, groups)| groups));
    known("process.user.uid", user.uid(), users)?;
    known("process.user.gid", user.gid(), groups)?;
    let additional = user.additional_gids().clone().unwrap_or_default();
    for (index, gid) in additional.iter().enumerate() {
        known(&format!("process.user.additionalGids[{index}]"), *gid, groups)?;
    }
    if !ids.groups && !additional.is_empty() {
        let reason = "cannot be set: this user namespace denies setgroups, as one without newgidmap must";
        return Err(Error::config("process.user.additionalGids", format!("{additional:?} {reason}")));
    }
    let mut sets = capabilities::sets(process)?;
    if filters_by_right(Some(process), subject.linux) {
        sets = capabilities::with_right_to_filter(sets);
    }
    draft.step(Step::Credentials(Credentials {
        groups: ids.groups.then_some(additional),
        gid: Some(user.gid()),
        uid: Some(user.uid()),
        capabilities: Some(sets),
    }));
    Ok(())
}

fn known(path: &str, id: u32, map: Option<&IdMap>) -> Result<()> {
    if id == u32::MAX {
        return Err(Error::config(path, format!("{id} means no id to the kernel")));
    }
    match map {
        Some(map) if map.to_outside(InsideId::new(id)).is_none() => {
            Err(Error::config(path, format!("{id} is not mapped in the container's user namespace")))
        }
        _ => Ok(()),
    }
}
