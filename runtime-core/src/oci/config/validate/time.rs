//! `linux.timeOffsets`.

use std::collections::{BTreeMap, HashMap};

use oci_spec::runtime::{LinuxNamespaceType, LinuxTimeOffset};

use super::super::place::{entry, quoted};
use super::spaces::Spaces;
use crate::oci::{Error, Result};

const PLACE: &str = "linux.timeOffsets";

/// A namespace has its offsets from before its first process on: those of a joined one cannot be set.
pub(super) fn check(offsets: Option<&HashMap<String, LinuxTimeOffset>>, spaces: Spaces<'_>) -> Result<()> {
    let Some(offsets) = offsets.filter(|offsets| !offsets.is_empty()) else { return Ok(()) };
    if !spaces.is_new(LinuxNamespaceType::Time) {
        return Err(Error::config(PLACE, "the container has no new time namespace"));
    }
    let offsets: BTreeMap<&String, &LinuxTimeOffset> = offsets.iter().collect();
    for (clock, offset) in offsets {
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            let reason =
                format!("{} is no clock with an offset: there are monotonic and boottime", quoted(clock));
            return Err(Error::config(PLACE, reason));
        }
        if let Some(nanoseconds) = offset.nanosecs().filter(|nanoseconds| *nanoseconds > 999_999_999) {
            let path = format!("{}.nanosecs", entry(PLACE, clock));
            return Err(Error::config(path, format!("{nanoseconds} is more than 999999999")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{namespaces, table};

    fn offsets(offsets: Value) -> Value {
        json!({"linux": {"namespaces": namespaces(&["uts", "time"]), "timeOffsets": offsets}})
    }

    #[test]
    fn offsets_belong_to_the_clocks_of_a_new_namespace() {
        table(vec![
            (offsets(json!({"monotonic": {"secs": -5, "nanosecs": 999_999_999}, "boottime": {}})), ""),
            (
                offsets(json!({"realtime": {"secs": 1}})),
                "linux.timeOffsets: \"realtime\" is no clock with an offset: there are monotonic and boottime",
            ),
            (
                offsets(json!({"boottime": {"nanosecs": 1_000_000_000}})),
                "linux.timeOffsets.boottime.nanosecs: 1000000000 is more than 999999999",
            ),
            (
                json!({"linux": {"timeOffsets": {"boottime": {}}}}),
                "linux.timeOffsets: the container has no new time namespace",
            ),
            (
                json!({"hostname": null, "linux": {
                    "namespaces": [{"type": "time", "path": "/proc/1/ns/time"}], "timeOffsets": {"boottime": {}},
                }}),
                "linux.timeOffsets: the container has no new time namespace",
            ),
        ]);
    }
}
