//! One line of an id map.

use crate::{MapFault, Result};
use std::fmt;

/// A user or group id as seen inside the user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InsideId(u32);

/// A user or group id as seen outside: in the user namespace of the process that writes or reads the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutsideId(u32);

macro_rules! id {
    ($name:ident) => {
        impl $name {
            /// The id with this number. 4294967295 can be named, but no map has it.
            pub const fn new(id: u32) -> Self {
                Self(id)
            }

            /// The number.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(InsideId);
id!(OutsideId);

/// A range of consecutive ids inside that are consecutive ids outside. It is not empty, and neither end
/// reaches 4294967295.
///
/// `Display` is the kernel's line: `inside outside count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdRange {
    inside: InsideId,
    outside: OutsideId,
    count: u32,
}

impl IdRange {
    /// A checked range.
    ///
    /// # Errors
    /// [`MapFault::ZeroCount`]; [`MapFault::TooHigh`] if the first id plus the count passes 4294967295 on
    /// either side.
    pub const fn new(
        inside: InsideId,
        outside: OutsideId,
        count: u32,
    ) -> std::result::Result<Self, MapFault> {
        let range = Self { inside, outside, count };
        if count == 0 {
            return Err(MapFault::ZeroCount(range));
        }
        if inside.0.checked_add(count).is_none() || outside.0.checked_add(count).is_none() {
            return Err(MapFault::TooHigh(range));
        }
        Ok(range)
    }

    /// The first id inside.
    pub const fn inside(self) -> InsideId {
        self.inside
    }

    /// The first id outside.
    pub const fn outside(self) -> OutsideId {
        self.outside
    }

    /// How many ids, at least one.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The id outside of an id inside.
    pub fn to_outside(self, id: InsideId) -> Option<OutsideId> {
        let offset = id.0.checked_sub(self.inside.0)?;
        (offset < self.count).then(|| OutsideId(self.outside.0 + offset))
    }

    /// The id inside of an id outside.
    pub fn to_inside(self, id: OutsideId) -> Option<InsideId> {
        let offset = id.0.checked_sub(self.outside.0)?;
        (offset < self.count).then(|| InsideId(self.inside.0 + offset))
    }

    /// The first id after the range, inside and outside.
    pub(crate) const fn ends(self) -> (u32, u32) {
        (self.inside.0 + self.count, self.outside.0 + self.count)
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

/// Reads three numbers; `entry` is for the message.
pub(crate) fn parse_range<'a>(
    entry: usize,
    fields: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<IdRange> {
    let numbers: Option<Vec<u32>> = fields.clone().map(parse_u32).collect();
    match numbers.as_deref() {
        Some(&[inside, outside, count]) => {
            Ok(IdRange::new(InsideId::new(inside), OutsideId::new(outside), count)?)
        }
        _ => {
            let text = fields.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
            Err(MapFault::Syntax { entry, text }.into())
        }
    }
}

/// A decimal number without a sign.
pub(crate) fn parse_u32(text: &[u8]) -> Option<u32> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
