//! `mounts`: where, and whose ids. Options are for the part that mounts.

use oci_spec::runtime::Mount;

use super::idmap;
use crate::oci::{Error, Result};

pub(super) fn check(mounts: &[Mount]) -> Result<()> {
    for (index, mount) in mounts.iter().enumerate() {
        let path = format!("mounts[{index}]");
        if mount.destination().as_os_str().is_empty() {
            return Err(Error::config(format!("{path}.destination"), "is empty"));
        }
        let uids = mount.uid_mappings().as_deref().unwrap_or_default();
        let gids = mount.gid_mappings().as_deref().unwrap_or_default();
        idmap::check(uids, &format!("{path}.uidMappings"))?;
        idmap::check(gids, &format!("{path}.gidMappings"))?;
        let (missing, other) = match (uids.is_empty(), gids.is_empty()) {
            (true, false) => ("uidMappings", "gidMappings"),
            (false, true) => ("gidMappings", "uidMappings"),
            _ => continue,
        };
        return Err(Error::config(format!("{path}.{missing}"), format!("is missing beside `{other}`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn mount(mount: Value) -> Value {
        json!({"mounts": [{"destination": "/a"}, mount]})
    }

    #[test]
    fn a_mount_has_a_destination_and_both_mappings_or_none() {
        let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
        let wrong = json!([{"containerID": 0, "hostID": 0, "size": 0}]);
        table(vec![
            (mount(json!({"destination": "relative"})), ""),
            (mount(json!({"destination": ""})), "mounts[1].destination: is empty"),
            (mount(json!({"destination": "/b", "uidMappings": map, "gidMappings": map})), ""),
            (mount(json!({"destination": "/b", "uidMappings": [], "gidMappings": []})), ""),
            (
                mount(json!({"destination": "/b", "uidMappings": map})),
                "mounts[1].gidMappings: is missing beside `uidMappings`",
            ),
            (
                mount(json!({"destination": "/b", "gidMappings": map})),
                "mounts[1].uidMappings: is missing beside `gidMappings`",
            ),
            (
                mount(json!({"destination": "/b", "uidMappings": wrong})),
                "mounts[1].uidMappings[0].size: 0 ids are no range",
            ),
        ]);
    }
}
