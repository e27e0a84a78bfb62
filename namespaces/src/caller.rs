//! The decision how a caller can write id maps: by itself, by `newuidmap(1)`, or not at all.

use crate::subid::covers;
use crate::{
    Error, IdMap, IdMaps, IdRange, InsideId, Lack, OutsideId, Result, Setgroups, SubIdRange, SubIds, User,
    find_helper,
};
use rustix::thread::{CapabilitySet, capabilities};
use std::path::PathBuf;

/// The way in which id maps can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// The caller writes the files: [`IdMaps::write_to`].
    Direct,
    /// `newuidmap` and `newgidmap` write them: [`IdMaps::write_with_helpers`].
    Helpers,
}

/// All that the decision depends on, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The effective user id, which must also be the owner of the new user namespace.
    pub euid: u32,
    /// The effective group id.
    pub egid: u32,
    /// Whether `CAP_SETUID` is in the effective set.
    pub cap_setuid: bool,
    /// Whether `CAP_SETGID` is in the effective set.
    pub cap_setgid: bool,
    /// Whether `CAP_SETFCAP` is in the effective set; needed to map the uid 0 outside (Linux 5.12).
    pub cap_setfcap: bool,
    /// For messages, and for the lines of `/etc/subuid`.
    pub user: User,
    /// What `/etc/subuid` lends to the user.
    pub subuid: Vec<SubIdRange>,
    /// What `/etc/subgid` lends to the user.
    pub subgid: Vec<SubIdRange>,
    /// Where `newuidmap` is.
    pub newuidmap: Option<PathBuf>,
    /// Where `newgidmap` is.
    pub newgidmap: Option<PathBuf>,
    /// The uid map of the caller's own user namespace.
    pub uid_map: IdMap,
    /// The gid map of the caller's own user namespace.
    pub gid_map: IdMap,
}

impl Caller {
    /// The calling thread: its ids, capabilities, `/etc/passwd`, `/etc/subuid`, `/etc/subgid`, `PATH`,
    /// `/proc`.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::IdMap`] in a user namespace whose own map was not written.
    pub fn current() -> Result<Self> {
        let caps = capabilities(None)
            .map_err(|errno| Error::Read {
                path: "/proc/thread-self/status".into(),
                errno: crate::errno::rustix(errno),
            })?
            .effective;
        let user = User::current()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Self {
            euid: rustix::process::geteuid().as_raw(),
            egid: rustix::process::getegid().as_raw(),
            cap_setuid: caps.contains(CapabilitySet::SETUID),
            cap_setgid: caps.contains(CapabilitySet::SETGID),
            cap_setfcap: caps.contains(CapabilitySet::SETFCAP),
            subuid: SubIds::read("/etc/subuid")?.of(&user),
            subgid: SubIds::read("/etc/subgid")?.of(&user),
            user,
            newuidmap: find_helper("newuidmap", &path),
            newgidmap: find_helper("newgidmap", &path),
            uid_map: read_own_map("/proc/thread-self/uid_map")?,
            gid_map: read_own_map("/proc/thread-self/gid_map")?,
        })
    }
}

fn read_own_map(path: &str) -> Result<IdMap> {
    let text = std::fs::read(path)
        .map_err(|error| Error::Read { path: path.into(), errno: crate::Errno::of(&error) })?;
    IdMap::parse(&text)
}

impl IdMaps {
    /// The rootless default: container 0 is the caller's effective user and group, nothing else is mapped,
    /// and `setgroups` is denied. This is [`How::Direct`] for every caller, but for uid 0 without
    /// `CAP_SETFCAP`.
    ///
    /// # Errors
    /// [`Error::IdMap`] if an id of the caller is 4294967295, which the kernel never gives.
    pub fn rootless(caller: &Caller) -> Result<Self> {
        Ok(Self {
            uid: IdMap::single(InsideId::new(0), OutsideId::new(caller.euid))?,
            gid: IdMap::single(InsideId::new(0), OutsideId::new(caller.egid))?,
            setgroups: Setgroups::Deny,
        })
    }

    /// Decides how this caller can write these maps for a user namespace that it has made. Reads nothing:
    /// everything is in `caller`.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] which names the map and what is missing.
    pub fn plan_for(&self, caller: &Caller) -> Result<How> {
        let uid = side(caller, Side::Uid);
        let gid = side(caller, Side::Gid);
        for (map, side) in [(&self.uid, &uid), (&self.gid, &gid)] {
            side.known_here(map)?;
            side.file_capabilities(map, caller)?;
        }
        if uid.direct(&self.uid, self.setgroups) && gid.direct(&self.gid, self.setgroups) {
            return Ok(How::Direct);
        }
        uid.helper(&self.uid, self.setgroups, caller)?;
        gid.helper(&self.gid, self.setgroups, caller)?;
        Ok(How::Helpers)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Uid,
    Gid,
}

/// One of the two maps from the caller's view.
struct View<'a> {
    side: Side,
    map: &'static str,
    file: &'static str,
    helper: &'static str,
    installed: bool,
    id: u32,
    capable: bool,
    lent: &'a [SubIdRange],
    own: &'a IdMap,
}

fn side(caller: &Caller, side: Side) -> View<'_> {
    match side {
        Side::Uid => View {
            side,
            map: "uid_map",
            file: "/etc/subuid",
            helper: "newuidmap",
            installed: caller.newuidmap.is_some(),
            id: caller.euid,
            capable: caller.cap_setuid,
            lent: &caller.subuid,
            own: &caller.uid_map,
        },
        Side::Gid => View {
            side,
            map: "gid_map",
            file: "/etc/subgid",
            helper: "newgidmap",
            installed: caller.newgidmap.is_some(),
            id: caller.egid,
            capable: caller.cap_setgid,
            lent: &caller.subgid,
            own: &caller.gid_map,
        },
    }
}

impl View<'_> {
    fn lacks(&self, lack: Lack) -> Error {
        Error::NotPermitted { map: self.map, lack }
    }

    /// Stricter than [`IdMap::compose`]: the kernel does not split a range over two of the caller's own map.
    fn known_here(&self, map: &IdMap) -> Result<()> {
        let within = |range: IdRange, own: IdRange| {
            let first = range.outside().get();
            [first, first + (range.count() - 1)]
                .into_iter()
                .all(|id| own.to_outside(InsideId::new(id)).is_some())
        };
        let known = |range: &&IdRange| self.own.ranges().iter().any(|own| within(**range, *own));
        match map.ranges().iter().find(|range| !known(range)) {
            Some(range) => Err(self.lacks(Lack::NotMappedHere { range: *range })),
            None => Ok(()),
        }
    }

    /// A capable caller still needs `CAP_SETFCAP` for the uid 0 outside (kernel: `verify_root_map`).
    fn file_capabilities(&self, map: &IdMap, caller: &Caller) -> Result<()> {
        if self.side == Side::Gid || caller.cap_setfcap {
            return Ok(());
        }
        match map.ranges().iter().find(|range| range.outside().get() == 0) {
            Some(range) => Err(self.lacks(Lack::Capability { capability: "CAP_SETFCAP", range: *range })),
            None => Ok(()),
        }
    }

    fn is_own(&self, range: IdRange) -> bool {
        range.count() == 1 && range.outside().get() == self.id
    }

    fn direct(&self, map: &IdMap, setgroups: Setgroups) -> bool {
        let [range] = map.ranges() else { return self.capable };
        let may_alone = self.is_own(*range) && (self.side == Side::Uid || setgroups == Setgroups::Deny);
        self.capable || may_alone
    }

    fn helper(&self, map: &IdMap, setgroups: Setgroups, caller: &Caller) -> Result<()> {
        let user = || caller.user.to_string();
        let mut borrowed = false;
        for range in map.ranges() {
            if covers(self.lent, range.outside().get(), range.count()) {
                borrowed = true;
            } else if !self.is_own(*range) {
                let (file, range) = (self.file, *range);
                return Err(self.lacks(if self.lent.is_empty() {
                    Lack::NoSubIds { file, user: user() }
                } else {
                    Lack::SubIdsTooSmall { file, user: user(), range }
                }));
            }
        }
        if self.side == Side::Gid && setgroups == Setgroups::Allow && !borrowed {
            return Err(self.lacks(Lack::SetgroupsDenied));
        }
        match map.ranges().first() {
            Some(range) if !self.installed => {
                Err(self.lacks(Lack::Helper { helper: self.helper, range: *range }))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary() -> Caller {
        Caller {
            euid: 1000,
            egid: 1000,
            cap_setuid: false,
            cap_setgid: false,
            cap_setfcap: false,
            user: User { uid: 1000, name: Some("ann".into()) },
            subuid: vec![SubIdRange { first: 100_000, count: 65536 }],
            subgid: vec![SubIdRange { first: 100_000, count: 65536 }],
            newuidmap: Some("/usr/bin/newuidmap".into()),
            newgidmap: Some("/usr/bin/newgidmap".into()),
            uid_map: IdMap::identity(),
            gid_map: IdMap::identity(),
        }
    }

    fn root() -> Caller {
        let mut caller = Caller { euid: 0, egid: 0, subuid: vec![], subgid: vec![], ..ordinary() };
        (caller.cap_setuid, caller.cap_setgid, caller.cap_setfcap) = (true, true, true);
        caller
    }

    fn maps(uid: &str, gid: &str, setgroups: Setgroups) -> IdMaps {
        let parse = |text: &str| IdMap::parse(text.as_bytes()).expect("valid");
        IdMaps { uid: parse(uid), gid: parse(gid), setgroups }
    }

    fn lack(maps: &IdMaps, caller: &Caller) -> (&'static str, Lack) {
        match maps.plan_for(caller) {
            Err(Error::NotPermitted { map, lack }) => (map, lack),
            other => panic!("{other:?}"),
        }
    }

    const FULL: &str = "0 1000 1\n1 100000 65536";

    #[test]
    fn permitted() {
        use Setgroups::{Allow, Deny};
        let cases = [
            (IdMaps::rootless(&ordinary()).expect("map"), ordinary(), How::Direct),
            (IdMaps::rootless(&root()).expect("map"), root(), How::Direct),
            (maps("0 100000 65536", "0 100000 65536", Allow), root(), How::Direct),
            (maps(FULL, FULL, Allow), ordinary(), How::Helpers),
            (maps(FULL, FULL, Deny), ordinary(), How::Helpers),
            (maps("0 1000 1", FULL, Allow), ordinary(), How::Helpers),
        ];
        for (maps, caller, how) in cases {
            assert_eq!(maps.plan_for(&caller), Ok(how), "{maps:?}");
        }
    }

    #[test]
    fn names_what_is_missing() {
        use Setgroups::{Allow, Deny};
        let own_group = maps("0 1000 1", "0 1000 1", Allow);
        assert_eq!(lack(&own_group, &ordinary()), ("gid_map", Lack::SetgroupsDenied));
        let full = maps(FULL, FULL, Allow);
        let (map, missing) = lack(&full, &Caller { newgidmap: None, ..ordinary() });
        assert_eq!(map, "gid_map");
        assert!(matches!(missing, Lack::Helper { helper: "newgidmap", .. }));
        let (_, missing) = lack(&full, &Caller { subuid: vec![], ..ordinary() });
        assert_eq!(missing, Lack::NoSubIds { file: "/etc/subuid", user: "ann (uid 1000)".to_owned() });
        let (_, missing) = lack(&maps("0 100000 65537", "0 1000 1", Deny), &ordinary());
        assert!(matches!(missing, Lack::SubIdsTooSmall { .. }));
        let (_, missing) = lack(&maps("0 0 1", "0 0 1", Allow), &Caller { cap_setfcap: false, ..root() });
        assert!(matches!(missing, Lack::Capability { capability: "CAP_SETFCAP", .. }));
        let nested = Caller { uid_map: IdMap::parse(b"0 1000 1").expect("valid"), ..root() };
        let (map, missing) = lack(&maps("0 100000 65536", "0 0 1", Allow), &nested);
        assert!(map == "uid_map" && matches!(missing, Lack::NotMappedHere { .. }));
        let pieces = Caller { uid_map: IdMap::parse(b"0 1000 1\n1 100000 65536").expect("valid"), ..root() };
        let (_, missing) = lack(&maps("0 0 2", "0 0 1", Allow), &pieces);
        assert!(matches!(missing, Lack::NotMappedHere { .. }), "a range over two of the own map");
    }

    #[test]
    fn reads_the_calling_thread() {
        let caller = Caller::current().expect("current");
        assert_eq!(caller.user.uid, rustix::process::getuid().as_raw());
        assert_eq!(IdMaps::rootless(&caller).expect("map").plan_for(&caller), Ok(How::Direct));
    }
}
