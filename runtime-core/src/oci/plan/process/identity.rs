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
    pub(crate) groups: Groups,
}

/// What can be done about groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    /// They can be changed.
    Allowed,
    /// They cannot be changed.
    Denied,
    /// Whether they can is not known. They were left, if they can.
    Left,
}

impl From<Setgroups> for Groups {
    fn from(setgroups: Setgroups) -> Self {
        if setgroups == Setgroups::Allow { Self::Allowed } else { Self::Denied }
    }
}

/// The ids in the namespaces of a new container.
pub(super) fn ids(spaces: &Spaces) -> Result<Ids<'_>> {
    if let Some(maps) = &spaces.maps {
        let groups = maps.maps.setgroups.into();
        return Ok(Ids { maps: Some((&maps.maps.uid, &maps.maps.gid)), groups });
    }
    if let Some((users, groups, setgroups)) = &spaces.known {
        return Ok(Ids { maps: Some((users, groups)), groups: (*setgroups).into() });
    }
    if spaces.other_user {
        return Ok(Ids { maps: None, groups: Groups::Left });
    }
    Ids::of_caller()
}

impl Ids<'_> {
    /// Those of the caller's own user namespace.
    pub(crate) fn of_caller() -> Result<Self> {
        let groups = may(rustix::thread::CapabilitySet::SETGID)? && !own::get()?.setgroups_denied;
        let groups = if groups { Groups::Allowed } else { Groups::Denied };
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
    if ids.groups == Groups::Denied && !additional.is_empty() {
        let reason = "cannot be set: this user namespace denies setgroups, as one without newgidmap must";
        return Err(Error::config("process.user.additionalGids", format!("{additional:?} {reason}")));
    }
    let mut sets = capabilities::sets(process)?;
    if filters_by_right(Some(process), subject.linux) {
        sets = capabilities::with_right_to_filter(sets);
    }
    draft.step(Step::Credentials(Credentials {
        groups: match ids.groups {
            Groups::Allowed => Some(additional),
            Groups::Left => Some(additional).filter(|groups| !groups.is_empty()),
            Groups::Denied => None,
        },
        gid: Some(user.gid()),
        uid: Some(user.uid()),
        capabilities: Some(sets),
    }));
    Ok(())
}

fn known(path: &str, id: u32, map: Option<&IdMap>) -> Result<()> {
    match map {
        Some(map) if map.to_outside(InsideId::new(id)).is_none() => {
            Err(Error::config(path, format!("{id} is not mapped in the container's user namespace")))
        }
        _ => Ok(()),
    }
}
