//! From a JSON document to the types of the specification, without what makes these types guess: an array is no object, an
//! object no constant.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::place::Place;
use super::reason::Reason;
use crate::oci::{Error, Result};

/// The specification's name of a constant, and that of the type. Only the second one is known to it.
const RENAMED: [(&str, &str, &str); 1] =
    [("LinuxSchedulerFlag", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN")];

/// Reads the part of a configuration that is at `root`.
pub(super) fn read<T: DeserializeOwned>(document: Value, root: &str) -> Result<T> {
    serde_path_to_error::deserialize(Strict(document)).map_err(|error| {
        let place = place(root, error.path());
        let reason = error.into_inner();
        match reason.missing {
            Some(field) => Error::config(place.below(field), "is required and missing"),
            None => Error::config(place.to_string(), reason.text),
        }
    })
}

fn place(root: &str, path: &Path) -> Place {
    let mut place = Place::root(root);
    for segment in path {
        match segment {
            Segment::Seq { index } => place.index(*index),
            Segment::Map { key } => place.key(key),
            // A constant has no place of its own.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    place
}

/// A value of the document.
struct Strict(Value);

impl IntoDeserializer<'_, Reason> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (_, _, Some(value)) => visitor.visit_f64(value),
                _ => Err(Reason::new(format!("{number} is out of range"))),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Strict))),
            Value::Object(entries) => {
                let entries = entries.into_iter().map(|(key, value)| (key, Strict(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Reason> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            value => Err(Reason::kind(&value, "an object")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Reason> {
        let Value::String(text) = &self.0 else { return Err(Reason::kind(&self.0, "a string")) };
        let renamed = RENAMED.iter().find(|(kind, ours, _)| *kind == name && ours == text);
        let text = renamed.map_or(text.as_str(), |(_, _, theirs)| theirs);
        visitor.visit_enum(text.into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Reason> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::{LinuxSchedulerFlag, Process, Spec};
    use serde_json::json;

    use super::*;

    fn refused<T: DeserializeOwned + std::fmt::Debug>(document: Value, root: &str) -> String {
        read::<T>(document, root).unwrap_err().to_string()
    }

    #[test]
    fn wrong_values_are_named_with_their_place_in_plain_words() {
        for (document, text) in [
            (json!(null), "null is not an object"),
            (json!([]), "an array is not an object"),
            (json!("x"), "\"x\" is not an object"),
            (json!({"root": ["rootfs"]}), "root: an array is not an object"),
            (json!({"root": {"path": 7}}), "root.path: 7 is not a string"),
            (json!({"root": {"readonly": "yes"}}), "root.readonly: \"yes\" is not true or false"),
            (json!({"mounts": {}}), "mounts: an object is not an array"),
            (json!({"mounts": [{"destination": "/"}, {}]}), "mounts[1].destination: is required and missing"),
            (json!({"process": {"user": {}}}), "process.cwd: is required and missing"),
            (json!({"annotations": {"a.b": 1}}), "annotations[\"a.b\"]: 1 is not a string"),
            (
                json!({"linux": {"namespaces": [{"type": "pid"}, {"type": "pidd"}]}}),
                "linux.namespaces[1].type: \"pidd\" is unknown: known are mount, cgroup, uts, ipc, user, pid, network, time",
            ),
            (
                json!({"linux": {"namespaces": [{"type": {"pid": null}}]}}),
                "linux.namespaces[0].type: an object is not a string",
            ),
            (
                json!({"linux": {"timeOffsets": {"boottime": {"secs": 1.5}}}}),
                "linux.timeOffsets.boottime.secs: 1.5 is not a whole number from -9223372036854775808 to 9223372036854775807",
            ),
        ] {
            assert_eq!(refused::<Spec>(document, ""), format!("config.json: {text}"));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_and_not_cut() {
        let user = |uid: Value| json!({"cwd": "/", "user": {"uid": uid, "gid": 0}});
        for (uid, shown) in [
            (json!(-1), "-1"),
            (json!(4_294_967_296_u64), "4294967296"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1e30), "1000000000000000000000000000000"),
            (json!(1.5), "1.5"),
            (json!("0"), "\"0\""),
            (json!(true), "true"),
        ] {
            let text =
                format!("config.json: process.user.uid: {shown} is not a whole number from 0 to 4294967295");
            assert_eq!(refused::<Process>(user(uid), "process"), text);
        }
        assert_eq!(read::<Process>(user(json!(u32::MAX)), "process").unwrap().user().uid(), u32::MAX);
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let document =
            json!({"ociVersion": "1.0.0", "later": {"a": [1, {"b": null}]}, "root": {"path": "r", "x": 1}});
        assert_eq!(read::<Spec>(document, "").unwrap().root().as_ref().unwrap().path().to_str(), Some("r"));
    }

    #[test]
    fn a_flag_of_the_deadline_scheduler_has_the_name_of_the_specification() {
        for name in ["SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"] {
            let flag: LinuxSchedulerFlag = read(json!(name), "").unwrap();
            assert_eq!(flag, LinuxSchedulerFlag::SchedFlagDLOverrun);
        }
    }
}
