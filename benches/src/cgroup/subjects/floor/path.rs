//! Short texts without allocation: paths below a directory, and numbers.

use std::ffi::CStr;

const ROOM: usize = 96;

/// A path that ends with a zero byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    bytes: [u8; ROOM],
    len: usize,
}

impl Path {
    /// The path with this name only; what is too long is cut and will not be found.
    pub(super) fn new(name: &str) -> Path {
        Path { bytes: [0; ROOM], len: 0 }.and(name.as_bytes())
    }

    /// This path and a name below it.
    pub(super) fn join(self, name: &str) -> Path {
        self.and(b"/").and(name.as_bytes())
    }

    fn and(mut self, part: &[u8]) -> Path {
        let len = part.len().min(ROOM - 1 - self.len);
        self.bytes[self.len..][..len].copy_from_slice(&part[..len]);
        self.len += len;
        self
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// A number or two, as control files take them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    /// Filled from the end.
    bytes: [u8; 44],
    start: usize,
}

impl Decimal {
    pub(super) fn new(number: u64) -> Decimal {
        Decimal { bytes: [0; 44], start: 44 }.before(number)
    }

    /// Two numbers with a blank between them.
    pub(super) fn pair(first: u64, second: u64) -> Decimal {
        let mut both = Decimal::new(second);
        both.push(b' ');
        both.before(first)
    }

    fn before(mut self, mut number: u64) -> Decimal {
        loop {
            self.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
            number /= 10;
            if number == 0 {
                return self;
            }
        }
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(Decimal::new(0).as_bytes(), b"0");
        assert_eq!(Decimal::pair(50_000, u64::MAX).as_bytes(), b"50000 18446744073709551615");
    }

    #[test]
    fn paths_are_joined_and_what_is_too_long_is_cut() {
        assert_eq!(Path::new("a").join("b").as_c_str(), c"a/b");
        assert_eq!(Path::new(&"a".repeat(200)).as_c_str().count_bytes(), ROOM - 1);
    }
}
