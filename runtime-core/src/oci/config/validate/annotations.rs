//! `annotations`.

use std::collections::HashMap;

use crate::oci::{Error, Result};

/// Every key is a name.
pub(super) fn check(annotations: Option<&HashMap<String, String>>) -> Result<()> {
    match annotations {
        Some(annotations) if annotations.contains_key("") => {
            Err(Error::config("annotations", "a key is empty"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::table;

    #[test]
    fn only_values_may_be_empty() {
        table(vec![
            (json!({"annotations": {}}), ""),
            (json!({"annotations": {"org.example": ""}}), ""),
            (json!({"annotations": {"": "x"}}), "annotations: a key is empty"),
        ]);
    }
}
