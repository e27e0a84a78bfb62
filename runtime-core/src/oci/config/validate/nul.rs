//! No text has a NUL byte: the kernel would see less of it than was checked.

use serde::Serialize;
use serde_json::Value;

use super::super::place::{Place, quoted};
use crate::oci::{Error, Result};

/// Checks all texts of what is at `root`. Documents were checked when they were read; values may come from elsewhere.
pub(super) fn check<T: Serialize>(value: &T, root: &str) -> Result<()> {
    let cannot = |error: serde_json::Error| Error::config(root, format!("cannot be written: {error}"));
    let text = serde_json::to_vec(value).map_err(cannot)?;
    // This is how JSON writes it; only a backslash before it makes it mean something else.
    if !text.windows(6).any(|window| window == b"\\u0000") {
        return Ok(());
    }
    walk(&serde_json::to_value(value).map_err(cannot)?, &mut Place::root(root))
}

/// As deep as the types nest.
fn walk(value: &Value, place: &mut Place) -> Result<()> {
    match value {
        Value::String(text) => clean(text, place),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            place.index(index);
            walk(item, place)?;
            place.up();
            Ok(())
        }),
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            clean(key, place)?;
            place.key(key);
            walk(value, place)?;
            place.up();
            Ok(())
        }),
        _ => Ok(()),
    }
}

fn clean(text: &str, place: &Place) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::config(place.to_string(), format!("{} contains a NUL byte", quoted(text))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use crate::oci::{default_spec, validate};

    #[test]
    fn a_value_that_came_from_no_document_is_checked_too() {
        let refused = |args: &[&str]| {
            let mut spec = default_spec();
            let args = args.iter().copied().map(String::from).collect();
            spec.process_mut().as_mut().unwrap().set_args(Some(args));
            validate(&spec).map_err(|error| error.to_string())
        };
        assert_eq!(
            refused(&["sh", "a\0b"]).unwrap_err(),
            "config.json: process.args[1]: \"a\\0b\" contains a NUL byte"
        );
        assert!(refused(&["sh", "\\u0000"]).is_ok());
    }

    #[test]
    fn a_path_that_json_cannot_say_is_refused() {
        let mut spec = default_spec();
        spec.root_mut().as_mut().unwrap().set_path(OsStr::from_bytes(b"\xff").into());
        let text = validate(&spec).unwrap_err().to_string();
        assert_eq!(text, "config.json: cannot be written: path contains invalid UTF-8 characters");
    }
}
