//! Maps of user or group ids: the contents of `/proc/PID/uid_map` and `gid_map`, `user_namespaces(7)`.

use crate::idrange::parse_range;
use crate::{IdRange, InsideId, MapFault, OutsideId, Result};
use std::fmt;

/// How many ranges the kernel takes (Linux 4.15; 5 before).
pub(crate) const MAX_RANGES: usize = 340;

/// A valid map: 1 to 340 ranges which do not overlap, neither inside nor outside.
///
/// `Display` is what the kernel takes: a line for each range, without a newline at the end.
///
/// ```
/// use cofferdam_namespaces::{IdMap, InsideId, OutsideId};
/// let map = IdMap::parse(b"         0       1000          1\n         1     100000      65536\n")?;
/// assert_eq!(map.to_outside(InsideId::new(5)), Some(OutsideId::new(100004)));
/// assert_eq!(map.to_string(), "0 1000 1\n1 100000 65536");
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdMap {
    ranges: Vec<IdRange>,
}

impl IdMap {
    /// The map with these ranges, in this order.
    ///
    /// # Errors
    /// [`crate::Error::IdMap`] with [`MapFault::Empty`], [`MapFault::TooManyRanges`],
    /// [`MapFault::OverlapInside`] or [`MapFault::OverlapOutside`].
    pub fn new(ranges: Vec<IdRange>) -> Result<Self> {
        if ranges.is_empty() {
            return Err(MapFault::Empty.into());
        }
        if ranges.len() > MAX_RANGES {
            return Err(MapFault::TooManyRanges(ranges.len()).into());
        }
        if let Some((a, b)) = overlap(&ranges, |range| (range.inside().get(), range.ends().0)) {
            return Err(MapFault::OverlapInside(a, b).into());
        }
        if let Some((a, b)) = overlap(&ranges, |range| (range.outside().get(), range.ends().1)) {
            return Err(MapFault::OverlapOutside(a, b).into());
        }
        Ok(Self { ranges })
    }

    /// Every id is itself, as in the first user namespace: `0 0 4294967295`.
    pub fn identity() -> Self {
        match IdRange::new(InsideId::new(0), OutsideId::new(0), u32::MAX) {
            Ok(range) => Self { ranges: vec![range] },
            Err(_) => unreachable!("0 0 4294967295 is the longest valid range"),
        }
    }

    /// One id only, what an unprivileged process may write for itself.
    ///
    /// # Errors
    /// [`MapFault::TooHigh`] for the id 4294967295.
    pub fn single(inside: InsideId, outside: OutsideId) -> Result<Self> {
        Ok(Self { ranges: vec![IdRange::new(inside, outside, 1)?] })
    }

    /// Reads the text of the kernel's file; any white space between the numbers.
    ///
    /// # Errors
    /// [`MapFault::Syntax`] with the line, the faults of [`IdRange::new`] and [`IdMap::new`]. The file of a
    /// namespace whose map was not written yet is [`MapFault::Empty`].
    pub fn parse(text: &[u8]) -> Result<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return Err(MapFault::Empty.into());
        }
        let lines = text.split(|byte| *byte == b'\n').enumerate();
        let ranges = lines.map(|(i, line)| {
            let blank = |byte: &u8| byte.is_ascii_whitespace();
            parse_range(i + 1, line.split(blank).filter(|field| !field.is_empty()))
        });
        Self::new(ranges.collect::<Result<_>>()?)
    }

    /// Reads arguments of `newuidmap(1)` after the process id: three for each range.
    ///
    /// # Errors
    /// As [`IdMap::parse`], with the number of the group in place of the line.
    pub fn from_args<S: AsRef<str>>(args: &[S]) -> Result<Self> {
        let groups = args.chunks(3).enumerate();
        let ranges =
            groups.map(|(i, group)| parse_range(i + 1, group.iter().map(|arg| arg.as_ref().as_bytes())));
        Self::new(ranges.collect::<Result<_>>()?)
    }

    /// The arguments that `newuidmap(1)` takes after the process id.
    pub fn to_args(&self) -> Vec<String> {
        let numbers = |range: &IdRange| [range.inside().get(), range.outside().get(), range.count()];
        self.ranges.iter().flat_map(numbers).map(|number| number.to_string()).collect()
    }

    /// The ranges in their order.
    pub fn ranges(&self) -> &[IdRange] {
        &self.ranges
    }

    /// What an id inside is outside.
    pub fn to_outside(&self, id: InsideId) -> Option<OutsideId> {
        self.ranges.iter().find_map(|range| range.to_outside(id))
    }

    /// What an id outside is inside.
    pub fn to_inside(&self, id: OutsideId) -> Option<InsideId> {
        self.ranges.iter().find_map(|range| range.to_inside(id))
    }

    /// This map seen from one level further out: the outside of this map is the inside of `parent`.
    ///
    /// A range is split where the parent's ranges make it necessary. (The kernel is stricter when a map is
    /// written: it refuses a range that needs a split with `EPERM`.)
    ///
    /// # Errors
    /// [`MapFault::NotCovered`] if an id is not mapped by the parent;
    /// [`MapFault::TooManyRanges`].
    pub fn compose(&self, parent: &Self) -> Result<Self> {
        let mut composed = Vec::new();
        for range in &self.ranges {
            split(*range, parent, &mut composed)?;
        }
        Self::new(composed)
    }
}

/// Appends what `range` is through `parent`.
fn split(range: IdRange, parent: &IdMap, into: &mut Vec<IdRange>) -> Result<()> {
    let mut done = 0;
    while done < range.count() {
        let id = InsideId::new(range.outside().get() + done);
        let hit = parent.ranges.iter().find_map(|upper| Some((upper.to_outside(id)?, upper.ends().0)));
        let (outside, end) = hit.ok_or(MapFault::NotCovered(range))?;
        let count = (range.count() - done).min(end - id.get());
        into.push(IdRange::new(InsideId::new(range.inside().get() + done), outside, count)?);
        done += count;
    }
    Ok(())
}

/// Two ranges that share an id, where `side` gives first and end.
fn overlap(ranges: &[IdRange], side: impl Fn(&IdRange) -> (u32, u32)) -> Option<(IdRange, IdRange)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| side(range).0);
    sorted.windows(2).find(|pair| side(&pair[0]).1 > side(&pair[1]).0).map(|pair| (pair[0], pair[1]))
}

impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for range in &self.ranges {
            write!(f, "{separator}{range}")?;
            separator = "\n";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn fault(text: &str) -> MapFault {
        match IdMap::parse(text.as_bytes()) {
            Err(Error::IdMap(fault)) => fault,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    fn range(inside: u32, outside: u32, count: u32) -> IdRange {
        IdRange::new(InsideId::new(inside), OutsideId::new(outside), count).expect("valid")
    }

    #[test]
    fn faults() {
        assert_eq!(fault(""), MapFault::Empty);
        assert_eq!(fault("\n"), MapFault::Empty);
        assert!(matches!(fault("0 1 0"), MapFault::ZeroCount(_)));
        assert!(matches!(fault("4294967295 0 1"), MapFault::TooHigh(_)));
        assert!(matches!(fault("0 4294967295 1"), MapFault::TooHigh(_)));
        assert!(matches!(fault("0 1 4294967295"), MapFault::TooHigh(_)));
        assert_eq!(fault("0 0 2\n1 9 1"), MapFault::OverlapInside(range(0, 0, 2), range(1, 9, 1)));
        assert_eq!(fault("0 5 2\n9 4 2"), MapFault::OverlapOutside(range(9, 4, 2), range(0, 5, 2)));
        for text in ["0 1", "0 1 2 3", "a b c", "-1 0 1", "+1 0 1", "0 0 4294967296", "0 1 2\n\n3 4 5", " "] {
            assert!(matches!(fault(text), MapFault::Syntax { .. }), "{text:?}");
        }
        assert_eq!(fault("0 0 1\nx"), MapFault::Syntax { entry: 2, text: "x".to_owned() });
    }

    #[test]
    fn at_most_340_ranges() {
        let ranges = |n: u32| (0..n).map(|i| range(i * 2, i * 2, 1)).collect::<Vec<_>>();
        assert_eq!(IdMap::new(ranges(340)).expect("340").ranges().len(), 340);
        assert_eq!(IdMap::new(ranges(341)), Err(MapFault::TooManyRanges(341).into()));
    }

    #[test]
    fn looks_up_both_ways() {
        let map = IdMap::parse(b"0 1000 1\n1 100000 65536").expect("valid");
        let cases =
            [(0, Some(1000)), (1, Some(100_000)), (65536, Some(165_535)), (65537, None), (u32::MAX, None)];
        for (inside, outside) in cases {
            assert_eq!(map.to_outside(InsideId::new(inside)), outside.map(OutsideId::new));
            if let Some(outside) = outside {
                assert_eq!(map.to_inside(OutsideId::new(outside)), Some(InsideId::new(inside)));
            }
        }
        assert_eq!(map.to_inside(OutsideId::new(999)), None);
    }

    #[test]
    fn composes_with_a_split() {
        let inner = IdMap::parse(b"0 0 10").expect("valid");
        let outer = IdMap::parse(b"0 1000 1\n1 100000 65536").expect("valid");
        assert_eq!(inner.compose(&outer).expect("covered").to_string(), "0 1000 1\n1 100000 9");
        let beyond = IdMap::parse(b"0 65530 10").expect("valid");
        assert_eq!(beyond.compose(&outer), Err(MapFault::NotCovered(range(0, 65530, 10)).into()));
        assert_eq!(outer.compose(&IdMap::identity()).expect("covered"), outer);
    }

    #[test]
    fn helper_arguments() {
        let map = IdMap::from_args(&["0", "1000", "1", "1", "100000", "65536"]).expect("valid");
        assert_eq!(map.to_args(), ["0", "1000", "1", "1", "100000", "65536"]);
        assert!(matches!(
            IdMap::from_args(&["0", "1"]),
            Err(Error::IdMap(MapFault::Syntax { entry: 1, .. }))
        ));
        assert_eq!(IdMap::from_args::<&str>(&[]), Err(MapFault::Empty.into()));
        assert!(IdMap::from_args(&["0 ", "1", "1"]).is_err());
    }
}
