//! Documents as people read them: the same one for the same value.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value};

use crate::oci::{Error, Result};

/// A value as JSON with sorted keys and sorted sets of capabilities, indented by tabs, on several lines.
///
/// # Errors
///
/// [`Error::Config`] for what JSON has no words for, such as a path that is not UTF-8.
pub fn to_json<T: Serialize>(value: &T) -> Result<String> {
    let cannot = |error: serde_json::Error| Error::config("", format!("cannot be written: {error}"));
    let mut document = sorted(serde_json::to_value(value).map_err(cannot)?);
    sort_capabilities(&mut document);
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"\t");
    document.serialize(&mut Serializer::with_formatter(&mut bytes, formatter)).map_err(cannot)?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| Error::config("", format!("cannot be written: {error}")))
}

/// Whether the maps of `serde_json` are sorted depends on the features with which others build it.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<(String, Value)> = entries.into_iter().collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The sets have no order of their own.
fn sort_capabilities(document: &mut Value) {
    for pointer in ["/process/capabilities", "/capabilities"] {
        let Some(Value::Object(sets)) = document.pointer_mut(pointer) else { continue };
        for set in sets.values_mut().filter_map(Value::as_array_mut) {
            set.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_and_capabilities_are_sorted_and_lists_are_not() {
        let value = json!({"b": [2, 1], "a": {"d": 1, "c": null}, "process": {"capabilities": {"bounding": ["Z", "A"]}}});
        assert_eq!(
            to_json(&value).unwrap(),
            "{\n\t\"a\": {\n\t\t\"c\": null,\n\t\t\"d\": 1\n\t},\n\t\"b\": [\n\t\t2,\n\t\t1\n\t],\n\t\"process\": \
             {\n\t\t\"capabilities\": {\n\t\t\t\"bounding\": [\n\t\t\t\t\"A\",\n\t\t\t\t\"Z\"\n\t\t\t]\n\t\t}\n\t}\n}\n"
        );
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        let map = std::collections::BTreeMap::from([(vec![1], 2)]);
        assert_eq!(
            to_json(&map).unwrap_err().to_string(),
            "config.json: cannot be written: key must be a string"
        );
    }
}
