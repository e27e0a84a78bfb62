//! What the tests of the sections share.

use serde_json::{Value, json};

use super::{Report, validate};
use crate::oci::{Config, Result, default_spec};

/// What is wrong with the default configuration once `change` is laid over it: objects are joined, `null` takes out.
pub(super) fn outcome(change: Value) -> Result<Report> {
    let mut document = serde_json::to_value(default_spec()).unwrap();
    lay(&mut document, change);
    validate(&Config::from_slice(document.to_string().as_bytes())?)
}

/// The error without what all begin with.
pub(super) fn refused(change: Value) -> String {
    match outcome(change.clone()) {
        Err(error) => error.to_string().strip_prefix("config.json: ").unwrap().to_owned(),
        Ok(_) => panic!("accepted: {change}"),
    }
}

pub(super) fn accepted(change: Value) {
    if let Err(error) = outcome(change.clone()) {
        panic!("{error}: {change}");
    }
}

/// The same for a table: each row a change and its error, or an empty text if there is none.
pub(super) fn table(rows: Vec<(Value, &str)>) {
    for (change, text) in rows {
        match outcome(change.clone()) {
            Ok(_) => assert_eq!("", text, "accepted: {change}"),
            Err(error) => {
                assert_eq!(error.to_string().strip_prefix("config.json: ").unwrap(), text, "{change}")
            }
        }
    }
}

/// The namespaces of a list, and no others.
pub(super) fn namespaces(kinds: &[&str]) -> Value {
    kinds.iter().map(|kind| json!({"type": kind})).collect()
}

fn lay(document: &mut Value, change: Value) {
    let Value::Object(entries) = change else {
        *document = change;
        return;
    };
    if !document.is_object() {
        *document = json!({});
    }
    for (key, value) in entries {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(&key)),
            value => lay(&mut document[key], value),
        }
    }
}
