//! Records of PAX headers, strictly (POSIX, pax "Extended Header").
//!
//! tar-core stops silently at a record whose length is no number, takes signs and ignores what follows; here such
//! records are errors, as tools differ in what they make of them.

use super::fault::{Fault, Result};

/// `key=value` of each record, in order.
pub(super) struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let space = self.0.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(number(&self.0[..space])?).ok()?;
        let record = self.0.get(..length)?.strip_suffix(b"\n")?.get(space + 1..)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        self.0 = &self.0[length..];
        (equals > 0).then(|| (&record[..equals], &record[equals + 1..]))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.take();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or_else(|| Fault::refused("has a PAX header with a malformed record")))
    }
}

/// A decimal number of nothing but digits.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds and nanoseconds since 1970: `-1.5` is half a second after `-2`. Further digits are cut off.
pub(super) fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    if whole.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = i64::try_from(number(whole)?).ok()?;
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

/// A time of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanoseconds: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        Records::new(bytes).collect::<Result<_>>().ok()
    }

    #[test]
    fn records_are_taken_whole_or_not_at_all() {
        assert_eq!(records(b"").unwrap(), []);
        assert_eq!(records(b"6 a=b\n7 c=\n=\n").unwrap(), [(&b"a"[..], &b"b"[..]), (b"c", b"\n=")]);
        for bad in [
            &b"6 a=b"[..],
            b"7 a=b\n",
            b"5 a=b\n",
            b"x a=b\n",
            b"+6 a=b\n",
            b"6 a b\n",
            b"5 =b\n",
            b"0 a=b\n",
            b"99999999999999999999999 a=b\n",
            b"6 a=b\n\0\0",
        ] {
            assert_eq!(records(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_have_signs_and_fractions() {
        let at = |seconds, nanoseconds| Some(Time { seconds, nanoseconds });
        assert_eq!(time(b"12"), at(12, 0));
        assert_eq!(time(b"12.5"), at(12, 500_000_000));
        assert_eq!(time(b"0.0000000019"), at(0, 1));
        assert_eq!(time(b"-1.5"), at(-2, 500_000_000));
        assert_eq!(time(b"-3"), at(-3, 0));
        assert_eq!(time(b"-0.1"), at(-1, 900_000_000));
        for bad in [&b""[..], b".5", b"-", b"1e3", b"+1", b"1.-5", b"9223372036854775808", b"--1"] {
            assert_eq!(time(bad), None, "{}", bad.escape_ascii());
        }
    }
}
