//! Numbers with units, as limits have them.

use std::fmt;
use std::str::FromStr;

/// A value up to which something is allowed, or no such value.
///
/// Control files spell the latter `max` on v2 and `-1`, or a number that nothing reaches, on v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit<T> {
    /// Up to this, and including it.
    Value(T),
    /// No limit: `max`.
    Max,
}

impl<T> Limit<T> {
    /// The value, if there is a limit.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Max => None,
        }
    }

    /// The same limit in other units.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Limit<U> {
        match self {
            Self::Value(value) => Limit::Value(change(value)),
            Self::Max => Limit::Max,
        }
    }
}

impl<T> From<T> for Limit<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

/// As v2 spells it.
impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

/// `max`, or a value.
impl<T: FromStr> FromStr for Limit<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "max" { Ok(Self::Max) } else { text.parse().map(Self::Value) }
    }
}

/// An amount of memory or data.
///
/// ```
/// use cofferdam_cgroups::Bytes;
///
/// assert_eq!("64M".parse(), Ok(Bytes::mib(64)));
/// assert_eq!(Bytes::gib(1).to_string(), "1073741824");
/// assert!("64 apples".parse::<Bytes>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// So many times 1024 bytes; what would not fit becomes the largest number.
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// So many times 1024² bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// So many times 1024³ bytes.
    pub const fn gib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 30))
    }
}

impl From<u64> for Bytes {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

/// The number of bytes, as control files have it.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text is not an amount of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number of bytes such as 65536, 64K, 512M or 2G")]
pub struct BytesFault;

/// A number, alone or with one of the suffixes `K`, `M`, `G`, `T` (powers of 1024, in either case, `KiB` and so on
/// too).
impl FromStr for Bytes {
    type Err = BytesFault;

    fn from_str(text: &str) -> Result<Self, BytesFault> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        let shift = match suffix.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            "t" | "tib" => 40,
            _ => return Err(BytesFault),
        };
        let number: u64 = number.parse().map_err(|_| BytesFault)?;
        number.checked_mul(1 << shift).map(Self).ok_or(BytesFault)
    }
}

/// The number of a device: what `stat(2)` calls `rdev`, in its two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// The driver's number.
    pub major: u32,
    /// The driver's own count.
    pub minor: u32,
}

impl DeviceNumber {
    /// The device with these numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

/// `8:0`, as control files have it.
impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A text is not a device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a device number such as 8:0")]
pub struct DeviceNumberFault;

impl FromStr for DeviceNumber {
    type Err = DeviceNumberFault;

    fn from_str(text: &str) -> Result<Self, DeviceNumberFault> {
        let (major, minor) = text.split_once(':').ok_or(DeviceNumberFault)?;
        let number = |text: &str| text.parse().map_err(|_| DeviceNumberFault);
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_know_suffixes() {
        for (text, bytes) in [("0", 0), ("65536", 65536), ("64k", 65536), ("2GiB", 2 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "K", "-1", "1.5G", "1X", "16777216T", "99999999999999999999"] {
            assert_eq!(text.parse::<Bytes>(), Err(BytesFault), "{text}");
        }
    }

    #[test]
    fn limits_print_and_parse() {
        assert_eq!("max".parse(), Ok(Limit::<u64>::Max));
        assert_eq!("12".parse(), Ok(Limit::Value(12_u64)));
        assert_eq!(Limit::Value(Bytes::kib(4)).to_string(), "4096");
        assert_eq!(Limit::<u64>::Max.to_string(), "max");
        assert_eq!(Limit::Value(4).map(|n| n * 2).value(), Some(8));
    }

    #[test]
    fn device_numbers_print_and_parse() {
        assert_eq!("8:16".parse(), Ok(DeviceNumber::new(8, 16)));
        assert_eq!(DeviceNumber::new(8, 16).to_string(), "8:16");
        for text in ["8", "8:", ":1", "8:1:2", "-1:0", "4294967296:0"] {
            assert!(text.parse::<DeviceNumber>().is_err(), "{text}");
        }
    }
}
