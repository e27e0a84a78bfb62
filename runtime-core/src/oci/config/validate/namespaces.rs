//! `linux.namespaces` and the mappings of a user namespace.

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, User};

use super::idmap;
use super::paths::absolute;
use super::spaces::Spaces;
use crate::oci::{Error, Result};

/// The specification's name.
pub(super) fn name(kind: LinuxNamespaceType) -> &'static str {
    match kind {
        LinuxNamespaceType::Mount => "mount",
        LinuxNamespaceType::Cgroup => "cgroup",
        LinuxNamespaceType::Uts => "uts",
        LinuxNamespaceType::Ipc => "ipc",
        LinuxNamespaceType::User => "user",
        LinuxNamespaceType::Pid => "pid",
        LinuxNamespaceType::Network => "network",
        LinuxNamespaceType::Time => "time",
    }
}

pub(super) fn check(linux: &Linux) -> Result<()> {
    let namespaces = linux.namespaces().as_deref().unwrap_or_default();
    for (index, namespace) in namespaces.iter().enumerate() {
        let path = format!("linux.namespaces[{index}]");
        if let Some(first) = namespaces[..index].iter().position(|other| other.typ() == namespace.typ()) {
            let reason = format!("{} stands already at {first}", name(namespace.typ()));
            return Err(Error::config(format!("{path}.type"), reason));
        }
        if let Some(file) = namespace.path() {
            absolute(file, &format!("{path}.path"))?;
        }
    }
    mappings(linux, Spaces::of(Some(linux)))
}

fn mappings(linux: &Linux, spaces: Spaces<'_>) -> Result<()> {
    for (path, mappings) in
        [("linux.uidMappings", linux.uid_mappings()), ("linux.gidMappings", linux.gid_mappings())]
    {
        let mappings = mappings.as_deref().unwrap_or_default();
        idmap::check(mappings, path)?;
        if mappings.is_empty() && spaces.is_new(LinuxNamespaceType::User) {
            return Err(Error::config(path, "is empty: nobody would exist in the new user namespace"));
        }
        if !mappings.is_empty() && !spaces.has(LinuxNamespaceType::User) {
            return Err(Error::config(path, "the container has no user namespace of its own"));
        }
    }
    Ok(())
}

/// The ids of the process exist in a new user namespace.
pub(super) fn mapped(user: &User, linux: &Linux, spaces: Spaces<'_>) -> Result<()> {
    if !spaces.is_new(LinuxNamespaceType::User) {
        return Ok(());
    }
    let exists = |id: u32, field: String, mappings: &Option<Vec<LinuxIdMapping>>, path: &str| {
        let mappings = mappings.as_deref().unwrap_or_default();
        let found = mappings
            .iter()
            .any(|map| id.checked_sub(map.container_id()).is_some_and(|offset| offset < map.size()));
        if found {
            return Ok(());
        }
        Err(Error::config(format!("process.user.{field}"), format!("{id} is in no range of {path}")))
    };
    exists(user.uid(), "uid".into(), linux.uid_mappings(), "linux.uidMappings")?;
    exists(user.gid(), "gid".into(), linux.gid_mappings(), "linux.gidMappings")?;
    for (index, gid) in user.additional_gids().iter().flatten().enumerate() {
        exists(*gid, format!("additionalGids[{index}]"), linux.gid_mappings(), "linux.gidMappings")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{namespaces, table};

    fn linux(linux: Value) -> Value {
        json!({"hostname": null, "linux": linux})
    }

    #[test]
    fn each_namespace_stands_there_once_and_is_joined_by_an_absolute_path() {
        table(vec![
            (linux(json!({"namespaces": []})), ""),
            (
                linux(json!({"namespaces": namespaces(&["pid", "uts", "pid"])})),
                "linux.namespaces[2].type: pid stands already at 0",
            ),
            (linux(json!({"namespaces": [{"type": "network", "path": "/run/netns/x"}]})), ""),
            (
                linux(json!({"namespaces": [{"type": "network", "path": "netns/x"}]})),
                "linux.namespaces[0].path: \"netns/x\" is not absolute",
            ),
            (linux(json!({"namespaces": [{"type": "network", "path": ""}]})), ""),
        ]);
    }

    #[test]
    fn mappings_and_a_user_namespace_need_each_other() {
        let map = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
        table(vec![
            (linux(json!({"uidMappings": map, "gidMappings": map, "namespaces": namespaces(&["user"])})), ""),
            (
                linux(json!({"uidMappings": map})),
                "linux.uidMappings: the container has no user namespace of its own",
            ),
            (
                linux(json!({"gidMappings": map})),
                "linux.gidMappings: the container has no user namespace of its own",
            ),
            (
                linux(json!({"uidMappings": map, "namespaces": namespaces(&["user"])})),
                "linux.gidMappings: is empty: nobody would exist in the new user namespace",
            ),
            (linux(json!({"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]})), ""),
        ]);
    }

    #[test]
    fn the_process_is_somebody_in_a_new_user_namespace() {
        let map = json!([{"containerID": 1, "hostID": 1000, "size": 10}]);
        let with = |user: Value| {
            json!({
                "process": {"user": user},
                "linux": {"uidMappings": map, "gidMappings": map, "namespaces": namespaces(&["user", "uts"])},
            })
        };
        table(vec![
            (with(json!({"uid": 1, "gid": 10})), ""),
            (with(json!({"uid": 0, "gid": 1})), "process.user.uid: 0 is in no range of linux.uidMappings"),
            (with(json!({"uid": 1, "gid": 11})), "process.user.gid: 11 is in no range of linux.gidMappings"),
            (
                with(json!({"uid": 1, "gid": 1, "additionalGids": [1, 0]})),
                "process.user.additionalGids[1]: 0 is in no range of linux.gidMappings",
            ),
        ]);
    }
}
