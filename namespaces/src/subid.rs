//! Ids that an administrator lends to users: `/etc/subuid` and `/etc/subgid`, `subuid(5)`.

use crate::idrange::parse_u32;
use crate::user::read_or_empty;
use crate::{Result, User};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Consecutive ids that a user may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubIdRange {
    /// The first id.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// One line: `owner:first:count`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubIdEntry {
    /// A user's name, or the uid in decimal.
    pub owner: OsString,
    /// What is lent.
    pub range: SubIdRange,
}

/// The contents of `/etc/subuid` or `/etc/subgid`.
///
/// Ranges that come from a directory service by way of `/etc/nsswitch.conf` are not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubIds {
    /// The valid lines in their order.
    pub entries: Vec<SubIdEntry>,
    /// The numbers, from 1, of lines that are neither valid nor blank nor comments. `newuidmap` passes over
    /// them too.
    pub malformed: Vec<usize>,
}

impl SubIds {
    /// Reads the bytes of the file. Blank lines and those that start with `#` count for nothing.
    pub fn parse(text: &[u8]) -> Self {
        let mut ids = Self::default();
        for (i, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            match parse_entry(line) {
                Some(entry) => ids.entries.push(entry),
                None => ids.malformed.push(i + 1),
            }
        }
        ids
    }

    /// Reads a file; a missing one lends nothing.
    ///
    /// # Errors
    /// [`crate::Error::Read`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self::parse(&read_or_empty(path.as_ref())?))
    }

    /// What is lent to a user, by name or by number, in the file's order.
    pub fn of(&self, user: &User) -> Vec<SubIdRange> {
        self.entries.iter().filter(|entry| user.is_named(&entry.owner)).map(|entry| entry.range).collect()
    }

    /// The text of the valid lines; [`SubIds::parse`] gives them back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = |entry: &SubIdEntry| {
            let numbers = format!(":{}:{}\n", entry.range.first, entry.range.count);
            [entry.owner.as_bytes(), numbers.as_bytes()].concat()
        };
        self.entries.iter().flat_map(line).collect()
    }
}

fn parse_entry(line: &[u8]) -> Option<SubIdEntry> {
    let mut fields = line.split(|byte| *byte == b':');
    let owner = fields.next().filter(|owner| !owner.is_empty())?;
    let first = parse_u32(fields.next()?)?;
    let count = parse_u32(fields.next()?)?;
    if fields.next().is_some() {
        return None;
    }
    let range = SubIdRange { first, count };
    Some(SubIdEntry { owner: OsString::from_vec(owner.to_vec()), range })
}

/// Whether ids are lent, by one range or by several that meet.
pub(crate) fn covers(lent: &[SubIdRange], first: u32, count: u32) -> bool {
    let end = u64::from(first) + u64::from(count);
    let mut next = u64::from(first);
    while next < end {
        let holds = |range: &&SubIdRange| (u64::from(range.first)..range_end(range)).contains(&next);
        match lent.iter().find(holds) {
            Some(range) => next = range_end(range),
            None => return false,
        }
    }
    true
}

fn range_end(range: &SubIdRange) -> u64 {
    u64::from(range.first) + u64::from(range.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_distributions_write() {
        let ids = SubIds::parse(
            b"# lent\nann:100000:65536\n1000:200000:65536\n\nbad\nbob:x:1\nbob:1:2:3\n:1:2\nann:300000:10\n",
        );
        assert_eq!(ids.malformed, [5, 6, 7, 8]);
        let ann = User { uid: 1000, name: Some("ann".into()) };
        let range = |first, count| SubIdRange { first, count };
        assert_eq!(ids.of(&ann), [range(100_000, 65536), range(200_000, 65536), range(300_000, 10)]);
        assert_eq!(ids.of(&User { uid: 1001, name: Some("eve".into()) }), []);
        assert_eq!(SubIds::parse(&ids.to_bytes()).entries, ids.entries);
    }

    #[test]
    fn neighbours_cover_together() {
        let lent = [
            SubIdRange { first: 10, count: 5 },
            SubIdRange { first: 15, count: 5 },
            SubIdRange { first: 9, count: 0 },
        ];
        assert!(covers(&lent, 10, 10));
        assert!(covers(&lent, 12, 6));
        assert!(!covers(&lent, 9, 2));
        assert!(!covers(&lent, 15, 6));
        assert!(!covers(&[SubIdRange { first: u32::MAX, count: u32::MAX }], 0, 1));
    }
}
