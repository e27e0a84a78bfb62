//! `linux.devices`.

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::paths::absolute;
use crate::oci::{Error, Result};

/// The numbers that the kernel has for devices: 12 and 20 bits.
pub(super) const MAX: [(&str, i64); 2] = [("major", 0xfff), ("minor", 0xf_ffff)];

/// The bits of a mode, and those of the type, which some engines leave in it.
const MODE: u32 = 0o177_777;

pub(super) fn check(devices: &[LinuxDevice]) -> Result<()> {
    for (index, device) in devices.iter().enumerate() {
        let place = |field: &str| format!("linux.devices[{index}].{field}");
        absolute(device.path(), &place("path"))?;
        if device.typ() == LinuxDeviceType::A {
            return Err(Error::config(
                place("type"),
                "\"a\" is no type of a device: there are c, b, u and p",
            ));
        }
        for ((name, max), number) in MAX.into_iter().zip([device.major(), device.minor()]) {
            if device.typ() != LinuxDeviceType::P && !(0..=max).contains(&number) {
                return Err(Error::config(place(name), format!("{number} is not between 0 and {max}")));
            }
        }
        if let Some(mode) = device.file_mode().filter(|mode| *mode > MODE) {
            return Err(Error::config(
                place("fileMode"),
                format!("{mode} is no mode: it is more than {MODE}"),
            ));
        }
        for (name, id) in [("uid", device.uid()), ("gid", device.gid())] {
            if id == Some(u32::MAX) {
                return Err(Error::config(place(name), format!("{} is no id: it means none", u32::MAX)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn device(kind: &str, major: i64, minor: i64, more: Value) -> Value {
        let mut device = json!({"path": "/dev/x", "type": kind, "major": major, "minor": minor});
        device.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        json!({"linux": {"devices": [device]}})
    }

    #[test]
    fn a_device_has_a_path_a_type_and_numbers_that_exist() {
        let none = || json!({});
        table(vec![
            (device("c", 0, 0, none()), ""),
            (device("u", 4095, 1_048_575, json!({"fileMode": 0o20666, "uid": 0, "gid": 0})), ""),
            (device("p", -1, -1, none()), ""),
            (json!({"linux": {"devices": [{"path": "/p", "type": "p"}]}}), ""),
            (device("b", 4096, 0, none()), "linux.devices[0].major: 4096 is not between 0 and 4095"),
            (device("c", 0, -1, none()), "linux.devices[0].minor: -1 is not between 0 and 1048575"),
            (
                device("c", 0, 1 << 32, none()),
                "linux.devices[0].minor: 4294967296 is not between 0 and 1048575",
            ),
            (
                device("a", 0, 0, none()),
                "linux.devices[0].type: \"a\" is no type of a device: there are c, b, u and p",
            ),
            (device("x", 0, 0, none()), "linux.devices[0].type: \"x\" is unknown: known are a, b, c, u, p"),
            (device("c", 0, 0, json!({"path": "dev/x"})), "linux.devices[0].path: \"dev/x\" is not absolute"),
            (
                device("c", 0, 0, json!({"fileMode": 65536})),
                "linux.devices[0].fileMode: 65536 is no mode: it is more than 65535",
            ),
            (
                device("c", 0, 0, json!({"gid": 4_294_967_295_u32})),
                "linux.devices[0].gid: 4294967295 is no id: it means none",
            ),
        ]);
    }
}
