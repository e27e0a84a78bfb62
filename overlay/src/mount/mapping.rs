//! Which ids appear as which through an id-mapped mount, as a plain value.

use std::fmt;

use crate::{Error, Result};

/// How many ranges the kernel takes for each kind of id.
const MAX_RANGES: usize = 340;

/// How long the text of a map may be: less than a page, and it is written at once.
const MAX_TEXT: usize = 4095;

/// Consecutive ids that stand for consecutive other ids.
///
/// `Display` is the kernel's line: `inside outside count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MappedRange {
    /// The first id inside the user namespace: as it is on the file system below an id-mapped mount.
    pub inside: u32,
    /// The first id outside: as it appears through an id-mapped mount.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

impl MappedRange {
    /// A range of `count` ids.
    pub const fn new(inside: u32, outside: u32, count: u32) -> Self {
        Self { inside, outside, count }
    }
}

impl fmt::Display for MappedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

/// The maps of a user namespace that is made for an id-mapped mount, `user_namespaces(7)`. Checked: there are ranges
/// for both kinds of ids, at most 340 each and no more than 4095 bytes as text; none is empty or passes the id 4294967294, and none overlap, neither
/// inside nor outside.
///
/// ```
/// use cofferdam_overlay::{IdMapping, MappedRange};
/// // What is root's on disk appears as 100000's, and so on for 65536 ids.
/// let mapping = IdMapping::shift(0, 100_000, 65536)?;
/// assert_eq!(mapping.users(), [MappedRange::new(0, 100_000, 65536)]);
/// # Ok::<(), cofferdam_overlay::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdMapping {
    users: Vec<MappedRange>,
    groups: Vec<MappedRange>,
}

impl IdMapping {
    /// The mapping with these ranges of user ids and of group ids.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the range that breaks a rule.
    pub fn new(users: Vec<MappedRange>, groups: Vec<MappedRange>) -> Result<Self> {
        check("range of user ids", &users)?;
        check("range of group ids", &groups)?;
        Ok(Self { users, groups })
    }

    /// The same single range for users and groups: `count` ids from `inside` on appear as those from `outside` on.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shift(inside: u32, outside: u32, count: u32) -> Result<Self> {
        let range = vec![MappedRange::new(inside, outside, count)];
        Self::new(range.clone(), range)
    }

    /// The ranges of user ids.
    pub fn users(&self) -> &[MappedRange] {
        &self.users
    }

    /// The ranges of group ids.
    pub fn groups(&self) -> &[MappedRange] {
        &self.groups
    }
}

/// What is written to `/proc/PID/uid_map` or `gid_map`.
pub(super) fn map_text(ranges: &[MappedRange]) -> String {
    ranges.iter().map(|range| format!("{range}\n")).collect()
}

fn check(what: &'static str, ranges: &[MappedRange]) -> Result<()> {
    let invalid =
        |range: String, reason: &str| Error::Invalid { what, value: range, reason: reason.to_owned() };
    if ranges.is_empty() {
        return Err(invalid(String::new(), "is needed: without one no id can be used"));
    }
    if ranges.len() > MAX_RANGES {
        return Err(invalid(format!("number {}", ranges.len()), "is one too many: the kernel takes 340"));
    }
    for range in ranges {
        if range.count == 0 {
            return Err(invalid(range.to_string(), "is empty"));
        }
        if range.inside.checked_add(range.count).is_none() || range.outside.checked_add(range.count).is_none()
        {
            return Err(invalid(range.to_string(), "passes the last id, 4294967294"));
        }
    }
    let length = map_text(ranges).len();
    if length > MAX_TEXT {
        return Err(invalid(format!("number {}", ranges.len()), "makes the map longer than 4095 bytes"));
    }
    for (side, first) in [("inside", inside as fn(&MappedRange) -> u32), ("outside", outside)] {
        if let Some(range) = overlap(ranges, first) {
            return Err(invalid(range.to_string(), &format!("overlaps another one {side}")));
        }
    }
    Ok(())
}

fn inside(range: &MappedRange) -> u32 {
    range.inside
}

fn outside(range: &MappedRange) -> u32 {
    range.outside
}

/// A range that begins within the one before it. None passes the last id.
fn overlap(ranges: &[MappedRange], first: fn(&MappedRange) -> u32) -> Option<MappedRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(first);
    sorted.windows(2).find(|pair| first(&pair[0]) + pair[0].count > first(&pair[1])).map(|pair| pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(ranges: &[(u32, u32, u32)]) -> String {
        let ranges = ranges.iter().map(|&(a, b, c)| MappedRange::new(a, b, c)).collect();
        match IdMapping::new(ranges, vec![MappedRange::new(0, 0, 1)]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn rules() {
        assert_eq!(reason(&[(0, 100_000, 65536), (65536, 0, 1)]), "");
        assert_eq!(reason(&[(0, 0, u32::MAX)]), "");
        assert!(reason(&[]).contains("is needed"));
        assert!(reason(&[(0, 0, 0)]).contains("is empty"));
        assert!(reason(&[(1, 0, u32::MAX)]).contains("passes the last id"));
        assert!(reason(&[(0, u32::MAX, 1)]).contains("passes the last id"));
        assert_eq!(
            reason(&[(0, 0, 2), (1, 9, 1)]),
            "range of user ids \"1 9 1\" overlaps another one inside"
        );
        assert!(reason(&[(0, 5, 2), (9, 4, 2)]).contains("overlaps another one outside"));
        let many: Vec<_> = (0..341).map(|i| (i, i, 1)).collect();
        assert!(reason(&many).contains("340"));
        assert_eq!(reason(&many[..340]), "");
        let long: Vec<_> = (0..200).map(|i| (i * 20_000_000, i * 20_000_000, 10_000_000)).collect();
        assert!(reason(&long).contains("longer than 4095 bytes"));
    }

    #[test]
    fn both_kinds_are_checked() {
        assert!(IdMapping::new(vec![MappedRange::new(0, 0, 1)], Vec::new()).is_err());
        assert_eq!(map_text(IdMapping::shift(0, 5, 7).unwrap().groups()), "0 5 7\n");
    }
}
