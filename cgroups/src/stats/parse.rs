//! The forms that control files have, read from bytes: pure functions without allocation.

use crate::{Bytes, DeviceNumber, Error};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// A line that is not as it should be, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) expected: &'static str,
}

impl Fault<'_> {
    /// As an error about a file.
    pub(crate) fn in_file(self, path: &Path) -> Error {
        let line = String::from_utf8_lossy(self.line).into_owned();
        Error::Parse { path: path.to_owned(), line, expected: self.expected }
    }
}

pub(crate) type Parsed<'a, T = ()> = Result<T, Fault<'a>>;

const NUMBER: &str = "a number";

/// Where a number of a file goes, and in which unit the file has it.
#[derive(Debug)]
pub(crate) enum Field<'a> {
    Count(&'a mut Option<u64>),
    Bytes(&'a mut Option<Bytes>),
    Micros(&'a mut Option<Duration>),
    Nanos(&'a mut Option<Duration>),
    /// Ticks of the clock that the kernel shows to programs.
    Ticks(&'a mut Option<Duration>, u64),
    /// Not 0.
    Flag(&'a mut Option<bool>),
}

impl Field<'_> {
    pub(crate) fn set(self, number: u64) {
        match self {
            Self::Count(to) => *to = Some(number),
            Self::Bytes(to) => *to = Some(Bytes(number)),
            Self::Micros(to) => *to = Some(Duration::from_micros(number)),
            Self::Nanos(to) => *to = Some(Duration::from_nanos(number)),
            Self::Ticks(to, per_second) => *to = Some(ticks(number, per_second.max(1))),
            Self::Flag(to) => *to = Some(number != 0),
        }
    }
}

fn ticks(number: u64, per_second: u64) -> Duration {
    let rest = number % per_second;
    let micros = rest.saturating_mul(1_000_000) / per_second;
    Duration::from_secs(number / per_second).saturating_add(Duration::from_micros(micros))
}

/// Lines of a flat keyed file go to the fields of this.
pub(crate) trait Keyed {
    /// Where the value of a key goes; none for an unknown key, whose value is not looked at.
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>>;
}

/// Digits and nothing else, as a number that fits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    // Nineteen digits always fit, so only longer numbers are checked.
    let (mut number, short) = (0_u64, digits.len() <= 19);
    for byte in digits {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        number = if short {
            number.wrapping_mul(10).wrapping_add(digit)
        } else {
            number.checked_mul(10)?.checked_add(digit)?
        };
    }
    Some(number)
}

/// The lines, without empty ones.
pub(crate) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn split_at(line: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|byte| *byte == separator)?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

/// A file of one number.
pub(crate) fn single(content: &[u8]) -> Parsed<'_, u64> {
    let line = content.trim_ascii();
    number(line).ok_or(Fault { line, expected: NUMBER })
}

/// A file of one number, or of `max`.
pub(crate) fn limit(content: &[u8]) -> Parsed<'_, crate::Limit<u64>> {
    let line = content.trim_ascii();
    if line == b"max" {
        return Ok(crate::Limit::Max);
    }
    number(line).map(crate::Limit::Value).ok_or(Fault { line, expected: "a number or max" })
}

/// Lines of a key and a number.
pub(crate) fn flat<'a>(content: &'a [u8], to: &mut impl Keyed) -> Parsed<'a> {
    for line in lines(content) {
        let (key, value) = split_at(line, b' ').unwrap_or((line, b""));
        if let Some(field) = to.field(key) {
            field.set(number(value.trim_ascii()).ok_or(Fault { line, expected: "a key and a number" })?);
        }
    }
    Ok(())
}

/// Lines of a key and a number, for keys that are names somebody else chose.
pub(crate) fn named<'a>(content: &'a [u8], mut each: impl FnMut(&'a str, u64)) -> Parsed<'a> {
    for line in lines(content) {
        let fault = Fault { line, expected: "a name and a number" };
        let (name, value) = split_at(line, b' ').ok_or(fault)?;
        each(std::str::from_utf8(name).map_err(|_| fault)?, number(value.trim_ascii()).ok_or(fault)?);
    }
    Ok(())
}

/// Words of the form `key=value`, behind the name of what they are about; lines without such words are left out.
///
/// Some kernels forget the end of the line after a device about which they have nothing to say, so a word without `=`
/// is a new name wherever it stands.
pub(crate) fn nested<'a>(
    content: &'a [u8],
    mut each: impl FnMut(&'a [u8], &'a [u8], &'a [u8]) -> Result<(), &'static str>,
) -> Parsed<'a> {
    for line in lines(content) {
        let mut name: Option<&[u8]> = None;
        for word in words(line) {
            match (split_at(word, b'='), name) {
                (None, _) => name = Some(word),
                (Some((key, value)), Some(name)) => {
                    each(name, key, value).map_err(|expected| Fault { line, expected })?;
                }
                (Some(_), None) => return Err(Fault { line, expected: "a name before keys and values" }),
            }
        }
    }
    Ok(())
}

/// A device number such as `8:0`.
pub(crate) fn device(word: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = split_at(word, b':')?;
    let part = |digits| number(digits).and_then(|number| u32::try_from(number).ok());
    Some(DeviceNumber::new(part(major)?, part(minor)?))
}

/// Numbers and ranges separated by commas, such as `0-3,8`; they replace what is in the list.
pub(crate) fn list<'a>(content: &'a [u8], ranges: &mut Vec<RangeInclusive<u32>>) -> Parsed<'a> {
    ranges.clear();
    let line = content.trim_ascii();
    let fault = Fault { line, expected: "numbers and ranges separated by commas" };
    if line.is_empty() {
        return Ok(());
    }
    for part in line.split(|byte| *byte == b',') {
        let (first, last) = split_at(part, b'-').unwrap_or((part, part));
        let end = |digits| number(digits).and_then(|number| u32::try_from(number).ok()).ok_or(fault);
        let (first, last) = (end(first)?, end(last)?);
        if first > last {
            return Err(fault);
        }
        ranges.push(first..=last);
    }
    Ok(())
}

/// A number with two digits after the point, such as `14.31`, in hundredths.
pub(crate) fn hundredths(value: &[u8]) -> Option<u32> {
    let (whole, part) = split_at(value, b'.')?;
    if part.len() != 2 {
        return None;
    }
    let number = number(whole)?.checked_mul(100)?.checked_add(number(part)?)?;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"00000000000000000000000000007"), Some(7));
        for text in ["", "-1", "+1", " 1", "1.5", "0x10", "18446744073709551616"] {
            assert_eq!(number(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn single_values_are_one_number() {
        assert_eq!(single(b"413444504\n"), Ok(413_444_504));
        assert_eq!(limit(b"max\n"), Ok(Limit::Max));
        assert_eq!(limit(b"20\n"), Ok(Limit::Value(20)));
        assert_eq!(single(b"").unwrap_err().expected, "a number");
        assert_eq!(single(b"1\n2\n").unwrap_err().line, b"1\n2");
    }

    #[test]
    fn ticks_become_time() {
        assert_eq!(ticks(40, 100), Duration::from_millis(400));
        assert_eq!(ticks(1025, 1024), Duration::from_micros(1_000_976));
        assert_eq!(ticks(u64::MAX, 1), Duration::from_secs(u64::MAX));
    }

    #[test]
    fn lists_are_numbers_and_ranges() {
        let mut ranges = vec![7..=7];
        assert_eq!(list(b"0-3,8\n", &mut ranges), Ok(()));
        assert_eq!(ranges, [0..=3, 8..=8]);
        assert_eq!(list(b"\n", &mut ranges), Ok(()));
        assert_eq!(ranges, []);
        for text in ["0-", "3-1", "1,,2", "a", "0-1-2", "4294967296"] {
            assert!(list(text.as_bytes(), &mut ranges).is_err(), "{text}");
        }
    }

    #[test]
    fn hundredths_have_two_digits() {
        assert_eq!(hundredths(b"14.31"), Some(1431));
        assert_eq!(hundredths(b"100.00"), Some(10000));
        for text in ["1", "1.5", "1.555", ".50", "-1.00", "42949673.00"] {
            assert_eq!(hundredths(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn nested_keys_survive_a_forgotten_newline() {
        let mut seen = Vec::new();
        let content = b"7:7 7:6 8:0 rbytes=1 wbytes=2\n8:16 \n";
        let parsed = nested(content, |name, key, value| {
            seen.push((device(name), key, value));
            Ok(())
        });
        assert_eq!(parsed, Ok(()));
        let sda = Some(DeviceNumber::new(8, 0));
        assert_eq!(seen, [(sda, &b"rbytes"[..], &b"1"[..]), (sda, b"wbytes", b"2")]);
        assert_eq!(nested(b"rbytes=1\n", |_, _, _| Ok(())).unwrap_err().line, b"rbytes=1");
    }
}
