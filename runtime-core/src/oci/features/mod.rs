//! What this runtime can do, as the specification's features document.

mod linux;

use std::collections::HashMap;

use oci_spec::runtime::Features;

use super::config::HOOKS;
use super::default::VERSION;
use super::plan::mount_options;

/// The first version of the specification that is read.
const OLDEST: &str = "1.0.0";

/// The features document: what is understood in a configuration, whether the kernel has it or not.
///
/// There are no annotations that change how a container is isolated.
///
/// ```
/// use cofferdam::oci::features;
///
/// assert_eq!(features().oci_version_max(), "1.3.0");
/// assert_eq!(features().potentially_unsafe_config_annotations(), &Some(vec![]));
/// ```
pub fn features() -> Features {
    let version = ("cofferdam.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut features = Features::default();
    features
        .set_oci_version_min(OLDEST.into())
        .set_oci_version_max(VERSION.into())
        .set_hooks(Some(texts(&HOOKS)))
        .set_mount_options(Some(mount_options().map(String::from).collect()))
        .set_linux(Some(linux::features()))
        .set_annotations(Some(HashMap::from([version])))
        .set_potentially_unsafe_config_annotations(Some(Vec::new()));
    features
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().copied().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use cofferdam_seccomp::Architecture;
    use serde_json::Value;

    use super::*;
    use crate::oci::to_json;

    fn ours() -> Value {
        serde_json::from_str(&to_json(&features()).unwrap()).unwrap()
    }

    /// Everything that is in `theirs` is in `ours`, of the same type.
    fn covers(ours: &Value, theirs: &Value, path: &str, missing: &mut Vec<String>) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                for (key, value) in theirs {
                    let path = format!("{path}.{key}");
                    match ours.get(key) {
                        Some(own) => covers(own, value, &path, missing),
                        None => missing.push(path),
                    }
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                missing.extend(
                    theirs.iter().filter(|item| !ours.contains(item)).map(|item| format!("{path}: {item}")),
                );
            }
            (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => {}
            _ => missing.push(format!("{path} is {ours} and not {theirs}")),
        }
    }

    #[test]
    fn what_runc_says_of_itself_is_said_too() {
        let theirs = match Command::new("runc").arg("features").output() {
            Ok(output) if output.status.success() => serde_json::from_slice::<Value>(&output.stdout).unwrap(),
            _ => {
                assert!(std::env::var_os("REQUIRE_ALL").is_none(), "required: runc");
                println!("skipped: needs runc");
                return;
            }
        };
        let mut missing = Vec::new();
        covers(&ours(), &theirs, "", &mut missing);
        missing.retain(|path| !path.starts_with(".annotations."));
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn nothing_is_left_open() {
        fn nulls(value: &Value) -> usize {
            match value {
                Value::Null => 1,
                Value::Object(entries) => entries.values().map(nulls).sum(),
                Value::Array(items) => items.iter().map(nulls).sum(),
                _ => 0,
            }
        }
        let ours = ours();
        assert_eq!(ours["linux"]["seccomp"]["archs"].as_array().unwrap().len(), Architecture::all().count());
        assert_eq!(nulls(&ours), 0, "{ours}");
        assert_eq!(ours["linux"]["cgroup"]["systemd"], false);
        assert_eq!(ours["linux"]["mountExtensions"]["idmap"]["enabled"], true);
        assert_eq!(ours["linux"]["netDevices"]["enabled"], true);
        assert_eq!(ours["linux"]["intelRdt"]["monitoring"], true);
        assert_eq!(ours["linux"]["memoryPolicy"]["modes"].as_array().unwrap().len(), 7);
        assert!(ours["linux"]["namespaces"].as_array().unwrap().contains(&"time".into()));
    }
}
