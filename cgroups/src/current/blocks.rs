//! Block devices.

use super::{Files, LIMIT};
use crate::{DeviceNumber, Io, Limit, Rate, Result, Setting, Version};

pub(super) fn read(files: &Files<'_>) -> Result<Vec<Setting>> {
    let found = match files.version() {
        Version::V1 => read_v1(files)?,
        Version::V2 => read_v2(files)?,
    };
    Ok(found.into_iter().map(Setting::Io).collect())
}

fn read_v1(files: &Files<'_>) -> Result<Vec<Io>> {
    let mut found = Vec::new();
    for (file, of_devices) in
        [("blkio.bfq.weight", "blkio.bfq.weight_device"), ("blkio.weight", "blkio.weight_device")]
    {
        if let Some(weight) = files.value(file, "a weight")? {
            found.push(Io::BlkioWeight(weight));
            found.extend(lines(files, of_devices)?.into_iter().filter_map(|(device, weight)| {
                Some(Io::DeviceBlkioWeight(device?, u16::try_from(weight.value()?).ok()?))
            }));
            break;
        }
    }
    for rate in Rate::ALL {
        let limits = lines(files, rate.file_v1())?;
        found.extend(limits.into_iter().filter_map(|(device, limit)| Some(Io::Max(device?, rate, limit))));
    }
    Ok(found)
}

/// Lines of a device and a number; without a device where it says `default`.
fn lines(files: &Files<'_>, file: &str) -> Result<Vec<(Option<DeviceNumber>, Limit<u64>)>> {
    let text = files.text(file)?.unwrap_or_default();
    let line = |line: &str| {
        let (device, number) =
            line.split_once(' ').ok_or_else(|| files.fault(file, line, "a device and a number"))?;
        Ok((device_of(files, file, device)?, files.parse(file, number.trim(), LIMIT)?))
    };
    text.lines().map(line).collect()
}

fn device_of(files: &Files<'_>, file: &str, word: &str) -> Result<Option<DeviceNumber>> {
    if word == "default" { Ok(None) } else { files.parse(file, word, "a device such as 8:0").map(Some) }
}

fn read_v2(files: &Files<'_>) -> Result<Vec<Io>> {
    let mut found = Vec::new();
    for (file, unit) in [("io.weight", false), ("io.bfq.weight", true)] {
        for (device, weight) in lines(files, file)? {
            let weight = weight.value().and_then(|weight| u16::try_from(weight).ok());
            found.extend(weight.map(|weight| match (device, unit) {
                (None, false) => Io::Weight(weight),
                (None, true) => Io::BlkioWeight(weight),
                (Some(device), false) => Io::DeviceWeight(device, weight),
                (Some(device), true) => Io::DeviceBlkioWeight(device, weight),
            }));
        }
        if !found.is_empty() {
            break;
        }
    }
    for line in files.text("io.max")?.unwrap_or_default().lines() {
        found.extend(read_max(files, line)?);
    }
    Ok(found)
}

/// A line of `io.max`: a device, and keys with limits.
fn read_max(files: &Files<'_>, line: &str) -> Result<Vec<Io>> {
    const FILE: &str = "io.max";
    let mut words = line.split_whitespace();
    let device: DeviceNumber = files.parse(FILE, words.next().unwrap_or_default(), "a device such as 8:0")?;
    let mut found = Vec::new();
    for word in words {
        let (key, limit) = word.split_once('=').ok_or_else(|| files.fault(FILE, line, "keys with limits"))?;
        // A key of a later kernel is not ours to judge.
        if let Some(rate) = Rate::ALL.into_iter().find(|rate| rate.key() == key) {
            found.push(Io::Max(device, rate, files.parse(FILE, limit, LIMIT)?));
        }
    }
    Ok(found)
}
