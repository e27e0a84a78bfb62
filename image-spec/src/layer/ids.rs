//! Whose the files of a layer become.

use std::borrow::Cow;

use rustix::thread::CapabilitySet;

/// What becomes of the owners that an archive names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// They stay as they are. Needs `CAP_CHOWN`, and in a user namespace ids that are mapped there.
    Keep,
    /// Ids of a container become ids of the caller: a tree for a user namespace is prepared outside of it. Needs
    /// `CAP_CHOWN`. Ids in none of the ranges are refused. Access control lists are left out. Capabilities of programs count only
    /// where the container's root is root: not on the host.
    Mapped {
        /// Ranges of user ids.
        uids: Vec<IdRange>,
        /// Ranges of group ids.
        gids: Vec<IdRange>,
    },
    /// Everything becomes the caller's. Access control lists are left out, as they would name others. Programs that set
    /// the user id then run as the caller, so others should not be able to reach the directory.
    Squash,
}

/// Consecutive ids in a container, and what they are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first in the container.
    pub container: u32,
    /// The first outside.
    pub host: u32,
    /// How many.
    pub count: u32,
}

impl IdRange {
    fn to_host(self, id: u32) -> Option<u32> {
        let offset = id.checked_sub(self.container)?;
        (offset < self.count).then(|| self.host.checked_add(offset)).flatten()
    }
}

impl Ids {
    /// What this caller can do: [`Keep`](Self::Keep) with `CAP_CHOWN`, also in a user namespace, else
    /// [`Squash`](Self::Squash).
    pub fn for_caller() -> Self {
        if has(CapabilitySet::CHOWN) { Self::Keep } else { Self::Squash }
    }

    /// The ids to give to a file; `None` if it stays the caller's.
    pub(crate) fn of(&self, uid: u32, gid: u32) -> Result<Option<(u32, u32)>, String> {
        match self {
            Self::Squash => Ok(None),
            Self::Keep => Ok(Some((uid, gid))),
            Self::Mapped { uids, gids } => {
                let user = map(uids, uid).ok_or_else(|| format!("user id {uid} is in none of the ranges"))?;
                let group =
                    map(gids, gid).ok_or_else(|| format!("group id {gid} is in none of the ranges"))?;
                Ok(Some((user, group)))
            }
        }
    }

    /// The attribute `security.capability` as it is to be set (`struct vfs_ns_cap_data`); `None` if its root has no id
    /// outside. Without the id of a root it would be one of the host.
    pub(crate) fn capability<'v>(&self, value: &'v [u8]) -> Option<Cow<'v, [u8]>> {
        const WITH_ROOT: u8 = 3;
        let Self::Mapped { uids, .. } = self else { return Some(value.into()) };
        let (data, root) = match (value.len(), value.get(3)) {
            (20, Some(2)) => (value, 0),
            (24, Some(&WITH_ROOT)) => {
                let (data, root) = value.split_last_chunk()?;
                (data, u32::from_le_bytes(*root))
            }
            // The kernel refuses others.
            _ => return Some(value.into()),
        };
        let root = map(uids, root).filter(|root| *root != u32::MAX)?;
        let mut data = data.to_vec();
        data[3] = WITH_ROOT;
        data.extend(root.to_le_bytes());
        Some(data.into())
    }

    /// Whether ids within access control lists mean what they say.
    pub(crate) fn keeps_lists(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

fn map(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|range| range.to_host(id))
}

/// Whether the calling thread has a capability in its user namespace.
pub(crate) fn has(capability: CapabilitySet) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(capability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mapped_by_ranges_and_never_wrap() {
        let ranges = |host| vec![IdRange { container: 10, host, count: 5 }];
        let ids = Ids::Mapped { uids: ranges(1000), gids: ranges(u32::MAX - 1) };
        assert_eq!(ids.of(11, 11), Ok(Some((1001, u32::MAX))));
        assert!(ids.of(9, 10).unwrap_err().contains("user id 9 "));
        assert!(ids.of(10, 15).unwrap_err().contains("group id 15 "));
        assert!(ids.of(10, 12).is_err());
        assert_eq!(Ids::Keep.of(7, 8), Ok(Some((7, 8))));
        assert_eq!(Ids::Squash.of(7, 8), Ok(None));
    }

    #[test]
    fn capabilities_are_those_of_the_mapped_root() {
        let ids = |container| {
            let range = vec![IdRange { container, host: 100_000, count: 5 }];
            Ids::Mapped { uids: range.clone(), gids: range }
        };
        let of_host = [&[1, 0, 0, 2][..], &[7; 16]].concat();
        let with = |root: u32| [&[1, 0, 0, 3][..], &[7; 16], &root.to_le_bytes()].concat();
        assert_eq!(ids(0).capability(&of_host).unwrap(), with(100_000));
        assert_eq!(ids(0).capability(&with(3)).unwrap(), with(100_003));
        assert_eq!(ids(1).capability(&of_host), None);
        assert_eq!(ids(0).capability(&with(5)), None);
        assert_eq!(ids(0).capability(b"").unwrap(), &b""[..]);
        assert_eq!(Ids::Keep.capability(&of_host).unwrap(), of_host);
    }
}
