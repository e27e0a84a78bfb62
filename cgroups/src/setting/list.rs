//! Lists of processors and of memory nodes.

use std::fmt;
use std::str::FromStr;

/// A set of small numbers, printed as the kernel does: `0-3,7`.
///
/// ```
/// use cofferdam_cgroups::List;
///
/// let list: List = "7,0-2,2-3".parse()?;
/// assert_eq!(list.to_string(), "0-3,7");
/// assert!(list.contains(2) && !list.contains(4));
/// assert_eq!("".parse(), Ok(List::default()));
/// # Ok::<(), cofferdam_cgroups::ListFault>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// First and last of each range; sorted, apart from each other by more than one.
    ranges: Vec<(u32, u32)>,
}

/// Why a text is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of numbers and ranges such as 0-3,7")]
pub struct ListFault;

impl List {
    /// Whether a number is in it.
    pub fn contains(&self, number: u32) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The largest number.
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    fn from_ranges(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }
}

impl FromIterator<u32> for List {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self::from_ranges(numbers.into_iter().map(|number| (number, number)).collect())
    }
}

/// Numbers and ranges with commas between them, as in the list format of `cpuset(7)`; no strides.
impl FromStr for List {
    type Err = ListFault;

    fn from_str(text: &str) -> Result<Self, ListFault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let number = |text: &str| -> Result<u32, ListFault> {
            let text = text.trim();
            // `parse` alone would take a plus sign.
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                text.parse().map_err(|_| ListFault)
            } else {
                Err(ListFault)
            }
        };
        let range = |part: &str| match part.split_once('-') {
            Some((first, last)) => Ok((number(first)?, number(last)?)),
            None => number(part).map(|number| (number, number)),
        };
        let ranges = text.split(',').map(range).collect::<Result<Vec<_>, _>>()?;
        if ranges.iter().any(|(first, last)| first > last) {
            return Err(ListFault);
        }
        Ok(Self::from_ranges(ranges))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_lists_are_refused() {
        for text in ["a", "1-", "-1", "3-1", "1,,2", ",", "1-2-3", "+1", "0-3:1/2", "4294967296"] {
            assert_eq!(text.parse::<List>(), Err(ListFault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed_again(numbers in prop::collection::vec(0_u32..300, 0..60)) {
            let list: List = numbers.iter().copied().collect();
            prop_assert_eq!(list.to_string().parse(), Ok(list.clone()));
            prop_assert!(numbers.iter().all(|number| list.contains(*number)));
            prop_assert!(list.iter().all(|number| numbers.contains(&number)));
        }

        #[test]
        fn any_text_is_a_list_or_a_fault(text in ".*") {
            prop_assert!(text.parse::<List>().map_or(true, |list| list.to_string().parse() == Ok(list)));
        }
    }
}
