//! Who the program is: id maps, ids, groups, capabilities.

use cofferdam_namespaces::{Caller, IdMap, IdMaps, InsideId, OutsideId, Setgroups};
use rustix::process::{DumpableBehavior, dumpable_behavior, getegid, geteuid};
use rustix::thread::{CapabilitySet as Held, capabilities as held_capabilities};

use super::draft::Draft;
use crate::enclosure::Enclosure;
use crate::own;
use crate::program::{Program, Wanted};
use crate::target::Target;
use crate::{
    Argument, Capabilities, Capability, CapabilitySet, Credentials, DEFAULT_CAPABILITIES, Error, Namespaces,
    RawCall, Resource, Root, Step, union,
};

/// Maps for a new user namespace, and who writes them.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) maps: IdMaps,
    /// Known if it is not clear that the caller can write them by itself.
    pub(crate) caller: Option<Caller>,
    /// Hard limits above the caller's own: root of a user namespace may only lower them, so the caller lifts them.
    pub(crate) lifted: Vec<(Resource, u64)>,
}

impl Maps {
    /// The maps that were asked for, or those that need no more than the caller has.
    #[cfg(feature = "oci")]
    pub(crate) fn choose(uid: Option<&IdMap>, gid: Option<&IdMap>) -> Result<Self, Error> {
        maps(uid, gid, &Me::look()?)
    }

    /// The caller becomes user 0 by them, and can write them before the init is executed.
    pub(crate) fn make_root(&self) -> bool {
        let direct = geteuid().is_root() || dumpable_behavior() == Ok(DumpableBehavior::Dumpable);
        direct && is(&self.maps.uid, geteuid().as_raw(), 0)
    }

    /// The ids to take before any file is made, where the caller does not have them already: a user without a number in
    /// the namespace makes no files.
    pub(crate) fn early(&self) -> Option<(u32, u32)> {
        let (uid, gid) = (first(&self.maps.uid), first(&self.maps.gid));
        let settled =
            is(&self.maps.uid, geteuid().as_raw(), uid) && is(&self.maps.gid, getegid().as_raw(), gid);
        (!settled).then_some((uid, gid))
    }
}

fn is(map: &IdMap, outside: u32, id: u32) -> bool {
    map.to_inside(OutsideId::new(outside)) == Some(InsideId::new(id))
}

/// Whether a capability is in force for the calling thread.
#[cfg(feature = "oci")]
pub(crate) fn may(capability: Held) -> Result<bool, Error> {
    Ok(Me::look()?.effective.contains(capability))
}

/// Leaves all groups, if that is not denied.
pub(crate) fn leave_groups() -> Step {
    Step::Call(RawCall {
        name: "setgroups".into(),
        number: u32::try_from(libc::SYS_setgroups).unwrap_or(0),
        arguments: vec![Argument::Number(0), Argument::Number(0)],
        into: None,
        tolerate: Some(libc::EPERM),
    })
}

/// Who the program is.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) maps: Option<Maps>,
    /// Whether some user inside is the host's root.
    pub(super) root_of_host: bool,
    /// The ids to take before any file is made.
    early: Option<(u32, u32)>,
    /// Whether the caller is one who may enter other mount namespaces.
    admin: bool,
    /// The caller becomes user 0 by the maps, which can be written at once.
    pub(super) maps_root: bool,
    /// Groups are left if that is denied.
    leave_groups: bool,
    credentials: Credentials,
}

/// The capabilities of the calling thread.
struct Me {
    permitted: u64,
    effective: Held,
}

impl Me {
    fn look() -> Result<Self, Error> {
        let sets = held_capabilities(None).map_err(Error::call("capget"))?;
        Ok(Self { permitted: sets.permitted.bits(), effective: sets.effective })
    }

    fn is_root(&self) -> bool {
        geteuid().is_root() && self.effective.contains(Held::SETUID | Held::SETGID | Held::SETFCAP)
    }
}

impl Identity {
    /// The identity in the namespaces of a command.
    pub(super) fn of_command(program: &Program, enclosure: &Enclosure) -> Result<Self, Error> {
        let me = Me::look()?;
        let admin = me.effective.contains(Held::SYS_ADMIN);
        Ok(Self { admin, ..Self::in_namespaces(program, enclosure, &me)? })
    }

    fn in_namespaces(program: &Program, enclosure: &Enclosure, me: &Me) -> Result<Self, Error> {
        if enclosure.new.contains(Namespaces::USER) {
            return Self::mapped(program, enclosure, me);
        }
        if enclosure.joined_kinds().contains(Namespaces::USER) {
            let (uid, gid) = (program.user.unwrap_or(0), program.group.unwrap_or(0));
            let capabilities = Some(capabilities(program.capabilities, uid == 0, u64::MAX));
            let credentials =
                Credentials { uid: Some(uid), gid: Some(gid), groups: program.groups.clone(), capabilities };
            let leave_groups = program.groups.is_none();
            return Ok(Self {
                early: Some((0, 0)),
                leave_groups,
                credentials,
                root_of_host: true,
                ..Self::default()
            });
        }
        Self::unmapped(program, me)
    }

    /// The identity of a process that joins another one.
    pub(super) fn of_exec(program: &Program, target: &Target, other_user: bool) -> Result<Self, Error> {
        if !other_user {
            return Self::unmapped(program, &Me::look()?);
        }
        let (uid_map, gid_map, setgroups) = target.maps()?;
        let maps = IdMaps { uid: uid_map, gid: gid_map, setgroups };
        let credentials = inside(program, &maps, target.bounding()?)?;
        Ok(Self { credentials, ..Self::default() })
    }

    /// In a new user namespace.
    fn mapped(program: &Program, enclosure: &Enclosure, me: &Me) -> Result<Self, Error> {
        let maps = maps(enclosure.uid_map.as_ref(), enclosure.gid_map.as_ref(), me)?;
        let credentials = inside(program, &maps.maps, u64::MAX)?;
        Ok(Self {
            maps_root: maps.make_root(),
            early: maps.early(),
            root_of_host: maps.maps.uid.to_inside(OutsideId::new(0)).is_some(),
            maps: Some(maps),
            credentials,
            ..Self::default()
        })
    }

    /// In the caller's own user namespace.
    fn unmapped(program: &Program, me: &Me) -> Result<Self, Error> {
        let uid = program.user.unwrap_or(geteuid().as_raw());
        let groups = (me.effective.contains(Held::SETGID) && !own::get()?.setgroups_denied).then(Vec::new);
        let bounded = me.effective.contains(Held::SETPCAP) || program.capabilities != Wanted::Default;
        let credentials = Credentials {
            uid: program.user,
            gid: program.group,
            groups: program.groups.clone().or(groups),
            capabilities: bounded.then(|| capabilities(program.capabilities, uid == 0, me.permitted)),
        };
        Ok(Self { root_of_host: me.permitted != 0, credentials, ..Self::default() })
    }

    /// Whether the new mount namespace can be copied from the template: the caller may enter that, the host's files are
    /// not the root, and the program may not change mounts, which are not locked as those of a copy are.
    pub(super) fn can_use_template(&self, enclosure: &Enclosure) -> bool {
        let bounded =
            self.credentials.capabilities.is_some_and(|sets| !sets.bounding.contains(Capability::SYS_ADMIN));
        let plain = enclosure.root != Root::Host && enclosure.joined.is_empty();
        let detached = match &enclosure.root {
            Root::Stack(root) => union::can_be_detached(root),
            Root::Host | Root::Directory(_) | Root::ReadOnlyDirectory(_) => true,
        };
        self.admin && bounded && plain && detached && enclosure.new.contains(Namespaces::MNT)
    }

    /// Takes the ids that own what is made, if the caller's own id is not one of them: files cannot be made by a user
    /// without a number in the namespace.
    pub(super) fn settle(&self, draft: &mut Draft<'_>) {
        if let Some((uid, gid)) = self.early {
            draft.step(Step::Credentials(Credentials {
                uid: Some(uid),
                gid: Some(gid),
                ..Credentials::default()
            }));
        }
        if self.leave_groups {
            draft.step(leave_groups());
        }
    }

    /// The last change of ids, if any.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        (self.credentials != Credentials::default()).then(|| self.credentials.clone())
    }

    /// Whether a group has a number inside.
    pub(super) fn has_group(&self, gid: u32) -> bool {
        match &self.maps {
            Some(maps) => maps.maps.gid.to_outside(InsideId::new(gid)).is_some(),
            None => self.early.is_none(),
        }
    }
}

/// Ids that are mapped, groups if they may be changed.
fn inside(program: &Program, maps: &IdMaps, available: u64) -> Result<Credentials, Error> {
    let uid = mapped("user", program.user, &maps.uid)?;
    let gid = mapped("group", program.group, &maps.gid)?;
    let groups = match (&program.groups, maps.setgroups) {
        (Some(groups), Setgroups::Deny) => {
            let reason = "cannot be set: this user namespace denies setgroups, as one without newgidmap must";
            return Err(Error::invalid("groups", format!("{groups:?}"), reason));
        }
        (None, Setgroups::Deny) => None,
        (groups, _) => Some(groups.clone().unwrap_or_default()),
    };
    for group in groups.iter().flatten() {
        mapped("group", Some(*group), &maps.gid)?;
    }
    let capabilities = Some(capabilities(program.capabilities, uid == 0, available));
    Ok(Credentials { groups, gid: Some(gid), uid: Some(uid), capabilities })
}

fn mapped(what: &'static str, wanted: Option<u32>, map: &IdMap) -> Result<u32, Error> {
    let Some(id) = wanted else { return Ok(first(map)) };
    match map.to_outside(InsideId::new(id)) {
        Some(_) => Ok(id),
        None => Err(Error::invalid(what, id, "is not mapped in the user namespace")),
    }
}

/// Root if it is mapped, otherwise whoever comes first.
pub(crate) fn first(map: &IdMap) -> u32 {
    let root = map.to_outside(InsideId::new(0)).map(|_| 0);
    root.unwrap_or_else(|| map.ranges().first().map_or(0, |range| range.inside().get()))
}

fn capabilities(wanted: Wanted, root: bool, available: u64) -> Capabilities {
    let set = match wanted {
        Wanted::Sets(sets) => return sets,
        Wanted::Bounded(set) => set,
        Wanted::Default => CapabilitySet::from_bits(DEFAULT_CAPABILITIES.bits() & available),
    };
    if root { Capabilities::for_root(set) } else { Capabilities { bounding: set, ..Capabilities::NONE } }
}

/// The maps that were asked for, or those that need no more than the caller has.
fn maps(uid: Option<&IdMap>, gid: Option<&IdMap>, me: &Me) -> Result<Maps, Error> {
    let chosen = uid.is_some() || gid.is_some();
    let only =
        |map: &IdMap, id| matches!(map.ranges(), [one] if one.count() == 1 && one.outside().get() == id);
    let own = own::get()?;
    let pick = |given: Option<&IdMap>, everyone: &IdMap, id: u32| match (given, me.is_root()) {
        (Some(map), _) => Ok::<_, Error>(map.clone()),
        (None, true) => Ok(everyone.clone()),
        (None, false) => Ok(IdMap::single(InsideId::new(0), OutsideId::new(id))?),
    };
    let uid = pick(uid, &own.users, geteuid().as_raw())?;
    let gid = pick(gid, &own.groups, getegid().as_raw())?;
    let (own_uid, own_gid) = (only(&uid, geteuid().as_raw()), only(&gid, getegid().as_raw()));
    let deny = (own_gid && !me.effective.contains(Held::SETGID)) || own.setgroups_denied;
    let maps = IdMaps { uid, gid, setgroups: if deny { Setgroups::Deny } else { Setgroups::Allow } };
    // Nobody needs help with the own ids, but for root's, which need a capability.
    let plain = own_uid && own_gid && (!geteuid().is_root() || me.is_root());
    let caller = match chosen && !plain {
        true => Some(Caller::current()?),
        false => None,
    };
    if let Some(caller) = &caller {
        maps.plan_for(caller)?;
    }
    Ok(Maps { maps, caller, lifted: Vec::new() })
}
