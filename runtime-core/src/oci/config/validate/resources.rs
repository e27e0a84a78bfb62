//! `linux.resources`: what is wrong whatever the host has. The values of the controllers are for the cgroups.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};

use super::super::place::{entry, quoted};
use super::super::text::is_cpu_list;
use super::devices;
use crate::oci::{Error, Result};

pub(super) fn check(resources: &LinuxResources) -> Result<()> {
    for (index, rule) in resources.devices().iter().flatten().enumerate() {
        device(rule, &format!("linux.resources.devices[{index}]"))?;
    }
    if let Some(swappiness) = resources.memory().as_ref().and_then(|memory| memory.swappiness())
        && swappiness > 100
    {
        let reason = format!("{swappiness} is more than 100");
        return Err(Error::config("linux.resources.memory.swappiness", reason));
    }
    processors(resources)?;
    blocks(resources)?;
    let mut names: Vec<&String> = resources.unified().iter().flat_map(|files| files.keys()).collect();
    names.sort();
    for name in names {
        file(name)?;
    }
    let mut adapters: Vec<_> = resources.rdma().iter().flatten().collect();
    adapters.sort_by_key(|(name, _)| *name);
    for (name, limits) in adapters {
        if limits.hca_handles().is_none() && limits.hca_objects().is_none() {
            let path = entry("linux.resources.rdma", name);
            return Err(Error::config(path, "has neither `hcaHandles` nor `hcaObjects`"));
        }
    }
    Ok(())
}

fn device(rule: &LinuxDeviceCgroup, path: &str) -> Result<()> {
    if let Some(kind) = rule.typ()
        && matches!(kind, LinuxDeviceType::U | LinuxDeviceType::P)
    {
        let reason = format!("{} is no type of a rule: there are a, c and b", quoted(kind.as_str()));
        return Err(Error::config(format!("{path}.type"), reason));
    }
    for ((name, max), number) in devices::MAX.into_iter().zip([rule.major(), rule.minor()]) {
        // Engines write -1 for all.
        if let Some(number) = number.filter(|number| !(-1..=max).contains(number)) {
            let reason = format!("{number} is not between 0 and {max}, nor -1 for all");
            return Err(Error::config(format!("{path}.{name}"), reason));
        }
    }
    if let Some(access) = rule.access()
        && !access.bytes().all(|letter| b"rwm".contains(&letter))
    {
        let reason = format!("{} has other letters than r, w and m", quoted(access));
        return Err(Error::config(format!("{path}.access"), reason));
    }
    Ok(())
}

fn processors(resources: &LinuxResources) -> Result<()> {
    let Some(cpu) = resources.cpu() else { return Ok(()) };
    for (name, list, what) in [("cpus", cpu.cpus(), "processors"), ("mems", cpu.mems(), "memory nodes")] {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty() && !is_cpu_list(list.trim())) {
            let path = format!("linux.resources.cpu.{name}");
            return Err(Error::config(path, format!("{} is no list of {what}", quoted(list))));
        }
    }
    match cpu.idle() {
        Some(idle) if !(0..=1).contains(&idle) => {
            Err(Error::config("linux.resources.cpu.idle", format!("{idle} is neither 0 nor 1")))
        }
        _ => Ok(()),
    }
}

fn blocks(resources: &LinuxResources) -> Result<()> {
    let devices = resources.block_io().as_ref().and_then(|blocks| blocks.weight_device().as_deref());
    for (index, device) in devices.unwrap_or_default().iter().enumerate() {
        if device.weight().is_none() && device.leaf_weight().is_none() {
            let path = format!("linux.resources.blockIO.weightDevice[{index}]");
            return Err(Error::config(path, "has neither `weight` nor `leafWeight`"));
        }
    }
    Ok(())
}

/// The name of a file of a cgroup: it does not lead out of it.
fn file(name: &str) -> Result<()> {
    if name.contains('/') || matches!(name, "" | "." | "..") {
        let reason = format!("{} is no name of a file", quoted(name));
        return Err(Error::config("linux.resources.unified", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;
    use crate::oci::{Config, validate_resources};

    fn resources(resources: Value) -> Value {
        json!({"linux": {"resources": resources}})
    }

    #[test]
    fn rules_of_devices_are_such() {
        let rule = |rule: Value| resources(json!({"devices": [{"allow": false}, rule]}));
        table(vec![
            (rule(json!({"allow": true, "type": "c", "major": -1, "minor": 1_048_575, "access": "rwm"})), ""),
            (rule(json!({"allow": true, "access": ""})), ""),
            (
                rule(json!({"allow": true, "type": "p"})),
                "linux.resources.devices[1].type: \"p\" is no type of a rule: there are a, c and b",
            ),
            (
                rule(json!({"allow": true, "major": -2})),
                "linux.resources.devices[1].major: -2 is not between 0 and 4095, nor -1 for all",
            ),
            (
                rule(json!({"allow": true, "minor": 1_048_576})),
                "linux.resources.devices[1].minor: 1048576 is not between 0 and 1048575, nor -1 for all",
            ),
            (
                rule(json!({"allow": true, "access": "rx"})),
                "linux.resources.devices[1].access: \"rx\" has other letters than r, w and m",
            ),
        ]);
    }

    #[test]
    fn files_of_a_cgroup_lie_in_it() {
        let unified = |name: &str| resources(json!({"unified": {name: "1"}}));
        table(vec![
            (unified("memory.max"), ""),
            (unified("../memory.max"), "linux.resources.unified: \"../memory.max\" is no name of a file"),
            (unified("a/memory.max"), "linux.resources.unified: \"a/memory.max\" is no name of a file"),
            (unified(".."), "linux.resources.unified: \"..\" is no name of a file"),
            (unified(""), "linux.resources.unified: \"\" is no name of a file"),
        ]);
    }

    #[test]
    fn values_that_no_kernel_takes_are_refused() {
        table(vec![
            (resources(json!({"memory": {"swappiness": 100}})), ""),
            (
                resources(json!({"memory": {"swappiness": 101}})),
                "linux.resources.memory.swappiness: 101 is more than 100",
            ),
            (resources(json!({"cpu": {"cpus": "", "mems": "0-1", "idle": 1}})), ""),
            (
                resources(json!({"cpu": {"cpus": "a"}})),
                "linux.resources.cpu.cpus: \"a\" is no list of processors",
            ),
            (
                resources(json!({"cpu": {"mems": "1-0"}})),
                "linux.resources.cpu.mems: \"1-0\" is no list of memory nodes",
            ),
            (resources(json!({"cpu": {"idle": 2}})), "linux.resources.cpu.idle: 2 is neither 0 nor 1"),
            (
                resources(json!({"rdma": {"mlx5_1": {}}})),
                "linux.resources.rdma.mlx5_1: has neither `hcaHandles` nor `hcaObjects`",
            ),
            (resources(json!({"rdma": {"mlx5_1": {"hcaObjects": 0}}})), ""),
            (
                resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}})),
                "linux.resources.blockIO.weightDevice[0]: has neither `weight` nor `leafWeight`",
            ),
            (
                resources(json!({"memory": {"limit": "1G"}})),
                "linux.resources.memory.limit: \"1G\" is not a whole number from -9223372036854775808 to 9223372036854775807",
            ),
        ]);
    }

    #[test]
    fn resources_by_themselves_are_checked_the_same() {
        let resources = Config::resources_from_slice(br#"{"cpu": {"idle": 7}}"#).unwrap();
        let error = validate_resources(&resources).unwrap_err();
        assert_eq!(error.to_string(), "config.json: linux.resources.cpu.idle: 7 is neither 0 nor 1");
    }
}
