//! Paths, and how the root's mounts propagate.

use std::path::{Component, Path};

use oci_spec::runtime::{Linux, LinuxPersonality, Root};

use super::super::place::quoted;
use crate::oci::{Error, Result};

/// What the root's mounts may do; the first letter `r` means those below it too.
const PROPAGATION: [&str; 8] =
    ["shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"];

/// There is a root, and it has a path.
pub(super) fn root(root: Option<&Root>) -> Result<()> {
    match root {
        None => Err(Error::config("root", "is required and missing")),
        Some(root) if root.path().as_os_str().is_empty() => Err(Error::config("root.path", "is empty")),
        Some(_) => Ok(()),
    }
}

/// An error for a path that does not begin at a root.
pub(super) fn absolute(path: &Path, place: &str) -> Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(Error::config(place, format!("{} is not absolute", quoted(&path.to_string_lossy()))))
}

pub(super) fn check(linux: &Linux) -> Result<()> {
    for (name, paths) in [("maskedPaths", linux.masked_paths()), ("readonlyPaths", linux.readonly_paths())] {
        for (index, path) in paths.iter().flatten().enumerate() {
            absolute(Path::new(path), &format!("linux.{name}[{index}]"))?;
        }
    }
    if let Some(propagation) = linux.rootfs_propagation()
        && !PROPAGATION.contains(&propagation.as_str())
    {
        let reason = format!("{} is unknown: known are {}", quoted(propagation), PROPAGATION.join(", "));
        return Err(Error::config("linux.rootfsPropagation", reason));
    }
    cgroup(linux.cgroups_path().as_deref())?;
    if linux.mount_label().as_deref() == Some("") {
        return Err(Error::config("linux.mountLabel", "is empty"));
    }
    personality(linux.personality().as_ref())
}

/// The path of a cgroup does not lead out of where it begins.
fn cgroup(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    if path.as_os_str().is_empty() {
        return Err(Error::config("linux.cgroupsPath", "is empty"));
    }
    if path.components().any(|component| component == Component::ParentDir) {
        let reason = format!("{} leads up by `..`", quoted(&path.to_string_lossy()));
        return Err(Error::config("linux.cgroupsPath", reason));
    }
    Ok(())
}

/// The specification has no flags yet.
fn personality(personality: Option<&LinuxPersonality>) -> Result<()> {
    match personality.and_then(|personality| personality.flags().as_deref()).and_then(<[_]>::first) {
        Some(flag) => Err(Error::config(
            "linux.personality.flags[0]",
            format!("{} is unknown: there are none", quoted(flag)),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn linux(linux: Value) -> Value {
        json!({"linux": linux})
    }

    #[test]
    fn covered_paths_are_absolute() {
        table(vec![
            (json!({"root": {"path": ""}}), "root.path: is empty"),
            (json!({"root": {"path": "/"}}), ""),
            (linux(json!({"maskedPaths": [], "readonlyPaths": ["/"]})), ""),
            (linux(json!({"maskedPaths": ["/a", "b"]})), "linux.maskedPaths[1]: \"b\" is not absolute"),
            (linux(json!({"readonlyPaths": [""]})), "linux.readonlyPaths[0]: \"\" is not absolute"),
        ]);
    }

    #[test]
    fn the_cgroup_stays_below_where_it_begins() {
        table(vec![
            (linux(json!({"cgroupsPath": "/a/b"})), ""),
            (linux(json!({"cgroupsPath": "a..b/..c"})), ""),
            (linux(json!({"cgroupsPath": "user.slice:prefix:name"})), ""),
            (
                linux(json!({"cgroupsPath": "/a/../../b"})),
                "linux.cgroupsPath: \"/a/../../b\" leads up by `..`",
            ),
            (linux(json!({"cgroupsPath": ".."})), "linux.cgroupsPath: \"..\" leads up by `..`"),
        ]);
    }

    #[test]
    fn propagation_and_personality_have_known_values() {
        let known = "known are shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable";
        table(vec![
            (linux(json!({"rootfsPropagation": "rslave"})), ""),
            (linux(json!({"rootfsPropagation": ""})), ""),
            (
                linux(json!({"rootfsPropagation": "Shared"})),
                &format!("linux.rootfsPropagation: \"Shared\" is unknown: {known}"),
            ),
            (linux(json!({"personality": {"domain": "LINUX32", "flags": []}})), ""),
            (
                linux(json!({"personality": {"domain": "PER_LINUX"}})),
                "linux.personality.domain: \"PER_LINUX\" is unknown: known are LINUX, LINUX32",
            ),
            (
                linux(json!({"personality": {"domain": "LINUX", "flags": ["x"]}})),
                "linux.personality.flags[0]: \"x\" is unknown: there are none",
            ),
        ]);
    }
}
