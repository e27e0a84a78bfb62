//! The field `schemaVersion`, which is always 2.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The only version there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Two;

impl Serialize for Two {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(2)
    }
}

impl<'de> Deserialize<'de> for Two {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            2 => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!("schemaVersion is {other} and not 2"))),
        }
    }
}
