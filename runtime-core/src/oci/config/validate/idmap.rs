//! Mappings of ids: those of a user namespace, and those of a mount.

use oci_spec::runtime::LinuxIdMapping;

use crate::oci::{Error, Result};

/// The most lines that the kernel takes.
const MAX: usize = 340;

/// The ranges are ranges of ids, and neither side has an id twice.
pub(super) fn check(mappings: &[LinuxIdMapping], path: &str) -> Result<()> {
    if mappings.len() > MAX {
        return Err(Error::config(path, format!("{} ranges are more than {MAX}", mappings.len())));
    }
    for (index, mapping) in mappings.iter().enumerate() {
        if mapping.size() == 0 {
            return Err(Error::config(format!("{path}[{index}].size"), "0 ids are no range"));
        }
        for (side, first) in sides(mapping) {
            let path = format!("{path}[{index}].{side}");
            if first.checked_add(mapping.size()).is_none() {
                return Err(Error::config(
                    path,
                    format!("{} ids from {first} on do not exist", mapping.size()),
                ));
            }
            let overlaps = |other: &LinuxIdMapping| {
                let begin =
                    sides(other).into_iter().find(|(name, _)| *name == side).map_or(0, |(_, begin)| begin);
                u64::from(first) < u64::from(begin) + u64::from(other.size())
                    && u64::from(begin) < u64::from(first) + u64::from(mapping.size())
            };
            if let Some(other) = mappings[..index].iter().position(overlaps) {
                let reason =
                    format!("{} ids from {first} on overlap with the range at {other}", mapping.size());
                return Err(Error::config(path, reason));
            }
        }
    }
    Ok(())
}

/// The names of both sides and their first ids.
fn sides(mapping: &LinuxIdMapping) -> [(&'static str, u32); 2] {
    [("containerID", mapping.container_id()), ("hostID", mapping.host_id())]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{namespaces, table};

    fn uids(mappings: &[(u32, u32, u32)]) -> Value {
        let map = |(container, host, size): &(u32, u32, u32)| json!({"containerID": container, "hostID": host, "size": size});
        let uids: Value = mappings.iter().map(map).collect();
        json!({"linux": {
            "namespaces": namespaces(&["user", "uts"]), "uidMappings": uids,
            "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
        }})
    }

    #[test]
    fn ranges_are_ranges_and_do_not_overlap() {
        let many: Vec<_> = (0..341).map(|id| (id, id, 1)).collect();
        table(vec![
            (uids(&[(0, 1000, 1), (1, 100_000, 65536)]), ""),
            (uids(&[(0, 0, u32::MAX)]), ""),
            (uids(&many[..340]), ""),
            (uids(&many), "linux.uidMappings: 341 ranges are more than 340"),
            (uids(&[(0, 0, 1), (1, 1, 0)]), "linux.uidMappings[1].size: 0 ids are no range"),
            (
                uids(&[(1, 0, u32::MAX)]),
                "linux.uidMappings[0].containerID: 4294967295 ids from 1 on do not exist",
            ),
            (uids(&[(0, u32::MAX, 1)]), "linux.uidMappings[0].hostID: 1 ids from 4294967295 on do not exist"),
            (
                uids(&[(0, 1000, 10), (9, 2000, 1)]),
                "linux.uidMappings[1].containerID: 1 ids from 9 on overlap with the range at 0",
            ),
            (
                uids(&[(0, 1000, 10), (10, 999, 2)]),
                "linux.uidMappings[1].hostID: 2 ids from 999 on overlap with the range at 0",
            ),
            (uids(&[(0, 1000, 10), (10, 1010, 2)]), ""),
        ]);
    }
}
