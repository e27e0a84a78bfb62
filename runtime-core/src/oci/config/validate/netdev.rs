//! `linux.netDevices`.

use std::collections::{BTreeMap, HashMap};

use oci_spec::runtime::{LinuxNamespaceType, LinuxNetDevice};

use super::super::place::{entry, quoted};
use super::spaces::Spaces;
use crate::oci::{Error, Result};

/// The longest name of a device.
const MAX: usize = 15;

const PLACE: &str = "linux.netDevices";

pub(super) fn check(devices: Option<&HashMap<String, LinuxNetDevice>>, spaces: Spaces<'_>) -> Result<()> {
    let Some(devices) = devices.filter(|devices| !devices.is_empty()) else { return Ok(()) };
    spaces.require(LinuxNamespaceType::Network, PLACE)?;
    let devices: BTreeMap<&String, &LinuxNetDevice> = devices.iter().collect();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, device) in devices {
        is_name(name, PLACE)?;
        if name.contains('%') {
            return Err(Error::config(
                PLACE,
                format!("{} is no name of a device: it has a `%`", quoted(name)),
            ));
        }
        let place = format!("{}.name", entry(PLACE, name));
        let inside = device.name().as_deref().unwrap_or(name);
        is_name(inside, &place)?;
        // The kernel puts the first free number there.
        let pattern = inside.contains('%');
        if pattern && (inside.matches('%').count() > 1 || !inside.contains("%d")) {
            return Err(Error::config(place, format!("{} may have one `%`, as `%d`", quoted(inside))));
        }
        if let Some(other) = seen.insert(inside, name).filter(|_| !pattern) {
            let reason = format!("{} is the name of {} too", quoted(inside), quoted(other));
            return Err(Error::config(place, reason));
        }
    }
    Ok(())
}

/// A name as the kernel takes it for devices.
fn is_name(name: &str, place: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX {
        "it has more than 15 bytes"
    } else if matches!(name, "." | "..") || name.contains(['/', ':']) || name.bytes().any(is_space) {
        "it is `.` or `..`, or has a `/`, a `:` or a space"
    } else {
        return Ok(());
    };
    Err(Error::config(place, format!("{} is no name of a device: {reason}", quoted(name))))
}

/// A space for the kernel, which takes the bytes as Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{namespaces, table};

    fn devices(devices: Value) -> Value {
        json!({"linux": {"netDevices": devices}})
    }

    #[test]
    fn devices_go_into_a_namespace_of_the_containers_own() {
        table(vec![
            (devices(json!({"eth0": {}, "eth1": {"name": "net%d"}, "eth2": {"name": "net%d"}})), ""),
            (
                json!({"linux": {"netDevices": {"eth0": {}}, "namespaces": namespaces(&["uts"])}}),
                "linux.netDevices: the container has no network namespace of its own",
            ),
            (json!({"linux": {"netDevices": {}, "namespaces": namespaces(&["uts"])}}), ""),
        ]);
    }

    #[test]
    fn names_of_devices_are_such_and_stand_there_once() {
        let rules = "it is `.` or `..`, or has a `/`, a `:` or a space";
        table(vec![
            (devices(json!({"": {}})), "linux.netDevices: \"\" is no name of a device: it is empty"),
            (devices(json!({"a".repeat(15): {}})), ""),
            (
                devices(json!({"a".repeat(16): {}})),
                "linux.netDevices: \"aaaaaaaaaaaaaaaa\" is no name of a device: it has more than 15 bytes",
            ),
            (
                devices(json!({"a/b": {}})),
                &format!("linux.netDevices: \"a/b\" is no name of a device: {rules}"),
            ),
            (
                devices(json!({"eth%d": {}})),
                "linux.netDevices: \"eth%d\" is no name of a device: it has a `%`",
            ),
            (
                devices(json!({"eth0": {"name": ".."}})),
                &format!("linux.netDevices.eth0.name: \"..\" is no name of a device: {rules}"),
            ),
            (
                devices(json!({"eth0": {"name": "a b"}})),
                &format!("linux.netDevices.eth0.name: \"a b\" is no name of a device: {rules}"),
            ),
            (
                devices(json!({"eth0.1": {"name": "a:b"}})),
                &format!("linux.netDevices[\"eth0.1\"].name: \"a:b\" is no name of a device: {rules}"),
            ),
            (
                devices(json!({"eth0": {"name": "a%d%d"}})),
                "linux.netDevices.eth0.name: \"a%d%d\" may have one `%`, as `%d`",
            ),
            (
                devices(json!({"eth0": {"name": "a%s"}})),
                "linux.netDevices.eth0.name: \"a%s\" may have one `%`, as `%d`",
            ),
            (
                devices(json!({"eth0": {"name": "x"}, "eth1": {"name": "x"}})),
                "linux.netDevices.eth1.name: \"x\" is the name of \"eth0\" too",
            ),
            (
                devices(json!({"eth0": {"name": "eth1"}, "eth1": {}})),
                "linux.netDevices.eth1.name: \"eth1\" is the name of \"eth0\" too",
            ),
            (devices(json!({"eth0": {"name": ""}})), ""),
        ]);
    }
}
