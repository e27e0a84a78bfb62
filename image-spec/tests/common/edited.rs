//! JSON documents in which one thing is different.

use serde_json::Value;

/// With another value of a field, by the path to it.
pub fn with(mut document: Value, field: &str, value: Value) -> String {
    *document.pointer_mut(field).expect("a field") = value;
    document.to_string()
}

/// With a further field.
pub fn and(mut document: Value, key: &str, value: Value) -> String {
    document.as_object_mut().expect("an object").insert(key.into(), value);
    document.to_string()
}

/// Without a field.
pub fn without(mut document: Value, key: &str) -> String {
    document.as_object_mut().expect("an object").remove(key).expect("a field");
    document.to_string()
}
