//! Block devices.

use cofferdam_cgroups::{Cgroup, Controller, Statistics};

use super::collect::stalls;
use super::stats::{BlockDevices, BlockEntry};
use super::v1;
use crate::oci::Result;

/// On v1 the kernel's lines as they are, on v2 those that `io.stat` makes.
pub(super) fn read(cgroup: &Cgroup, read: &Statistics) -> Result<BlockDevices> {
    let psi = stalls(read.pressure.and_then(|all| all.io));
    if v1::is_v1(cgroup, Controller::Io) {
        return Ok(BlockDevices { psi, ..of_v1(&|name| v1::file(cgroup, Controller::Io, name))? });
    }
    let mut blocks = BlockDevices { psi, ..BlockDevices::default() };
    for device in read.io.iter().flatten() {
        let (major, minor) = (u64::from(device.device.major), u64::from(device.device.minor));
        let entry = |op: &str, value| BlockEntry { major, minor, op: op.to_owned(), value };
        let bytes = &mut blocks.io_service_bytes_recursive;
        bytes.extend([entry("Read", device.read.0), entry("Write", device.written.0)]);
        bytes.extend(device.discarded.map(|discarded| entry("Discard", discarded.0)));
        let operations = &mut blocks.io_serviced_recursive;
        operations.extend([entry("Read", device.reads), entry("Write", device.writes)]);
        operations.extend(device.discards.map(|discards| entry("Discard", discards)));
    }
    Ok(blocks)
}

/// A scheduler that accounts for cgroups knows more than what throttles them.
fn of_v1(file: &impl Fn(&str) -> Result<String>) -> Result<BlockDevices> {
    let first = |names: [&str; 2]| -> Result<Vec<BlockEntry>> {
        for name in names {
            let found = entries(&file(name)?);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    };
    let bfq = |name: &str| -> Result<Vec<BlockEntry>> { Ok(entries(&file(name)?)) };
    Ok(BlockDevices {
        io_service_bytes_recursive: first([
            "blkio.bfq.io_service_bytes_recursive",
            "blkio.throttle.io_service_bytes_recursive",
        ])?,
        io_serviced_recursive: first([
            "blkio.bfq.io_serviced_recursive",
            "blkio.throttle.io_serviced_recursive",
        ])?,
        io_queue_recursive: bfq("blkio.bfq.io_queued_recursive")?,
        io_service_time_recursive: bfq("blkio.bfq.io_service_time_recursive")?,
        io_wait_time_recursive: bfq("blkio.bfq.io_wait_time_recursive")?,
        io_merged_recursive: bfq("blkio.bfq.io_merged_recursive")?,
        io_time_recursive: bfq("blkio.bfq.time_recursive")?,
        sectors_recursive: bfq("blkio.bfq.sectors_recursive")?,
        psi: None,
    })
}

/// Lines such as `8:0 Read 4096` and `8:0 4096`; the total of all devices is left out.
fn entries(text: &str) -> Vec<BlockEntry> {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (device, op, value) = match words[..] {
            [device, op, value] => (device, op, value),
            [device, value] => (device, "", value),
            _ => return None,
        };
        let (major, minor) = device.split_once(':')?;
        let op = op.to_owned();
        Some(BlockEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            op,
            value: value.parse().ok()?,
        })
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_v1_become_entries_without_the_total() {
        let found = entries("8:0 Read 4096\n8:0 Discard 0\n259:1 7\nTotal 4103\n\nodd\n");
        let json = serde_json::to_value(found).unwrap();
        let expected = serde_json::json!([
            {"major": 8, "op": "Read", "value": 4096},
            {"major": 8, "op": "Discard"},
            {"major": 259, "minor": 1, "value": 7},
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn what_a_scheduler_counts_comes_before_what_is_throttled() {
        let file = |name: &str| {
            Ok(match name {
                "blkio.bfq.io_serviced_recursive" => "8:0 Read 3\n".to_owned(),
                "blkio.throttle.io_serviced_recursive" => "8:0 Read 1\n".to_owned(),
                "blkio.throttle.io_service_bytes_recursive" => "8:0 Read 512\nTotal 512\n".to_owned(),
                _ => String::new(),
            })
        };
        let blocks = of_v1(&file).unwrap();
        assert_eq!(blocks.io_serviced_recursive[0].value, 3);
        assert_eq!(blocks.io_service_bytes_recursive[0].value, 512);
    }
}
