//! `ociVersion`.

use super::super::place::quoted;
use crate::oci::{Error, Result};

/// It is a semantic version with the major number 1.
pub(super) fn check(version: &str) -> Result<()> {
    match major(version) {
        Some("1") => Ok(()),
        Some(_) => Err(Error::config(
            "ociVersion",
            format!("{} is not version 1 of the specification", quoted(version)),
        )),
        None => Err(Error::config("ociVersion", format!("{} is no semantic version", quoted(version)))),
    }
}

/// The major number, if it is a semantic version 2.0.0.
fn major(version: &str) -> Option<&str> {
    let (version, build) = split(version, '+');
    let (core, pre) = split(version, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let good = numbers.len() == 3
        && numbers.iter().all(|number| is_number(number))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
        && pre.is_none_or(|pre| pre.split('.').all(|part| is_identifier(part) && !has_leading_zero(part)));
    numbers.first().copied().filter(|_| good)
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(first, rest)| (first, Some(rest)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !has_leading_zero(text)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{accepted, refused};

    #[test]
    fn every_version_1_is_accepted() {
        for version in ["1.0.0", "1.0.2-dev", "1.3.0", "1.99.0", "1.0.0-rc.1+build.01", "1.0.0--", "1.0.0-0a"]
        {
            accepted(json!({"ociVersion": version}));
        }
    }

    #[test]
    fn other_versions_and_other_texts_are_refused() {
        for version in ["0.1.0", "2.0.0", "10.0.0"] {
            let text = format!("ociVersion: {version:?} is not version 1 of the specification");
            assert_eq!(refused(json!({"ociVersion": version})), text);
        }
        for version in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "1.0.x",
            "1.00.0",
            "1.0.0-",
            "1.0.0-a..b",
            "1.0.0-01",
            "1.0.0+",
            " 1.0.0",
            "-1.0.0",
        ] {
            let text = format!("ociVersion: {version:?} is no semantic version");
            assert_eq!(refused(json!({"ociVersion": version})), text);
        }
    }
}
