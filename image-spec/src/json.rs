//! JSON as documents need it: read without doubt, written the same each time.
//!
//! Other parsers take the last of two equal keys, or the first, and Go's takes a key in another case for a field. A document
//! that means different things to different readers is refused.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// The keys of the outermost object, folded.
#[derive(Debug)]
pub struct Keys(HashSet<String>);

impl Keys {
    /// Whether there is this one, in whatever case.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(&folded(key))
    }
}

/// Checks that this is one JSON object in UTF-8, nested at most 128 deep, in which no object has a key twice.
pub fn keys(what: &'static str, bytes: &[u8]) -> Result<Keys> {
    let wrong = |reason: &str| Error::invalid(what, "document", reason);
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(wrong("begins with a byte order mark"));
    }
    serde_json::from_str(text).map_err(|source| Error::Json { what, source })
}

/// Reads a value. What is not known is ignored.
pub fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })
}

/// Writes a value: no blanks, the keys of each object sorted.
pub fn write<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>> {
    let written = serde_json::to_value(value).and_then(|mut value| {
        value.sort_all_objects();
        serde_json::to_vec(&value)
    });
    written.map_err(|source| Error::Json { what, source })
}

/// `null` is the same as nothing.
pub fn nullable<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Outermost)
    }
}

/// The outermost object. Its keys, and those of the objects of which the formats know all fields, may not even differ by
/// case only.
struct Outermost;

impl<'de> Visitor<'de> for Outermost {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Keys, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = folded(&key);
            let fold =
                matches!(key.as_str(), "config" | "history" | "layers" | "manifests" | "rootfs" | "subject");
            unused(&mut keys, key)?;
            map.next_value_seed(Anything { fold })?;
        }
        Ok(Keys(keys))
    }
}

/// Any value. If it is an object or a list of objects, their keys may have to differ by more than case.
#[derive(Clone, Copy)]
struct Anything {
    fold: bool,
}

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! taken {
    ($($method:ident: $kind:ty),*) => {
        $(fn $method<E: de::Error>(self, _: $kind) -> std::result::Result<(), E> {
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Anything {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    taken!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: de::Error>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> std::result::Result<(), A::Error> {
        while sequence.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            unused(&mut keys, if self.fold { folded(&key) } else { key })?;
            map.next_value_seed(Self { fold: false })?;
        }
        Ok(())
    }
}

/// As Go compares keys with the names of fields: without case, also where Unicode has another form of a letter.
fn folded(key: &str) -> String {
    let plain = |character| match character {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(plain).collect()
}

fn unused<E: de::Error>(keys: &mut HashSet<String>, key: String) -> std::result::Result<(), E> {
    if keys.contains(&key) {
        return Err(E::custom(format_args!("the key {key:?} is there twice")));
    }
    keys.insert(key);
    Ok(())
}
