//! Block devices.

use super::parse::{Fault, Parsed, device, lines, nested, number, words};
use crate::{Bytes, DeviceNumber};

/// What a cgroup and all below it read from and wrote to one device.
///
/// On v1 from `blkio.throttle.*_recursive`, and for devices that are not there from `blkio.bfq.*_recursive`. From 6.10
/// on the kernel counts for the former only once a limit was set for the device somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IoStatistics {
    /// The device.
    pub device: DeviceNumber,
    /// Read. v2 `rbytes` of `io.stat`; v1 `Read` of `io_service_bytes`.
    pub read: Bytes,
    /// Written. v2 `wbytes`; v1 `Write`.
    pub written: Bytes,
    /// Discarded. v2 `dbytes`; v1 `Discard`.
    pub discarded: Option<Bytes>,
    /// Operations that read. v2 `rios`; v1 `Read` of `io_serviced`.
    pub reads: u64,
    /// Operations that wrote. v2 `wios`; v1 `Write`.
    pub writes: u64,
    /// Operations that discarded. v2 `dios`; v1 `Discard`.
    pub discards: Option<u64>,
}

impl IoStatistics {
    pub(crate) fn new(device: DeviceNumber) -> Self {
        let (read, written, discarded) = (Bytes(0), Bytes(0), None);
        Self { device, read, written, discarded, reads: 0, writes: 0, discards: None }
    }
}

/// `io.stat` of v2, appended to the list.
pub(crate) fn v2<'a>(content: &'a [u8], list: &mut Vec<IoStatistics>) -> Parsed<'a> {
    // All words about a device follow each other.
    let mut last: Option<&[u8]> = None;
    nested(content, |name, key, value| {
        if last != Some(name) {
            list.push(IoStatistics::new(device(name).ok_or("a device number such as 8:0")?));
            last = Some(name);
        }
        let Some(entry) = list.last_mut() else { return Ok(()) };
        let number = || number(value).ok_or("a number behind each known key");
        match key {
            b"rbytes" => entry.read = Bytes(number()?),
            b"wbytes" => entry.written = Bytes(number()?),
            b"dbytes" => entry.discarded = Some(Bytes(number()?)),
            b"rios" => entry.reads = number()?,
            b"wios" => entry.writes = number()?,
            b"dios" => entry.discards = Some(number()?),
            _ => {}
        }
        Ok(())
    })
}

/// What a file of `blkio` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    Bytes,
    Operations,
}

/// Lines such as `8:0 Read 4096` of v1. Devices before `from` are those of files that came first: they stay as they
/// are.
pub(crate) fn v1<'a>(
    content: &'a [u8],
    counts: Counts,
    list: &mut Vec<IoStatistics>,
    from: usize,
) -> Parsed<'a> {
    for line in lines(content) {
        let mut words = words(line);
        // The last line is the total of all devices.
        let Some(name) = words.next().filter(|name| *name != b"Total") else { continue };
        let expected = "a device number such as 8:0, a word and a number";
        let fault = Fault { line, expected };
        let device = device(name).ok_or(fault)?;
        let (Some(what), Some(value)) = (words.next(), words.next()) else { return Err(fault) };
        if !matches!(what, b"Read" | b"Write" | b"Discard") {
            continue;
        }
        let value = number(value).ok_or(fault)?;
        let at = list.iter().position(|entry| entry.device == device).unwrap_or_else(|| {
            list.push(IoStatistics::new(device));
            list.len() - 1
        });
        if let Some(entry) = list.get_mut(at).filter(|_| at >= from) {
            set(entry, what, counts, value);
        }
    }
    Ok(())
}

fn set(entry: &mut IoStatistics, what: &[u8], counts: Counts, value: u64) {
    match (what, counts) {
        (b"Read", Counts::Bytes) => entry.read = Bytes(value),
        (b"Read", Counts::Operations) => entry.reads = value,
        (b"Write", Counts::Bytes) => entry.written = Bytes(value),
        (b"Write", Counts::Operations) => entry.writes = value,
        (_, Counts::Bytes) => entry.discarded = Some(Bytes(value)),
        (_, Counts::Operations) => entry.discards = Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDA: DeviceNumber = DeviceNumber::new(8, 0);

    #[test]
    fn both_versions_fill_the_same_fields() {
        let mut one = Vec::new();
        let bytes =
            b"8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Async 2\n8:0 Discard 0\n8:0 Total 3\nTotal 3\n";
        v1(bytes, Counts::Bytes, &mut one, 0).unwrap();
        v1(b"8:0 Read 1\n8:0 Write 2\n8:0 Discard 0\nTotal 3\n", Counts::Operations, &mut one, 0).unwrap();
        let mut two = Vec::new();
        v2(b"8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0 cost.vrate=x\n", &mut two).unwrap();
        assert_eq!(one, two);
        assert_eq!((two[0].device, two[0].written, two[0].discards), (SDA, Bytes::kib(8), Some(0)));
    }

    #[test]
    fn devices_known_already_are_left_alone() {
        let mut list = Vec::new();
        v1(b"8:0 Read 5\nTotal 5\n", Counts::Bytes, &mut list, 0).unwrap();
        v1(b"8:0 Read 9\n8:16 Read 7\n", Counts::Bytes, &mut list, 1).unwrap();
        assert_eq!((list[0].read, list[1].read, list.len()), (Bytes(5), Bytes(7), 2));
    }

    #[test]
    fn faults_name_the_line() {
        let fault = v2(b"8:0 rbytes=1\nsda rbytes=1\n", &mut Vec::new()).unwrap_err();
        assert_eq!((fault.line, fault.expected), (&b"sda rbytes=1"[..], "a device number such as 8:0"));
        for content in ["8:0", "8:0 Read", "8:0 Read x", "8:0:1 Read 1"] {
            assert!(v1(content.as_bytes(), Counts::Bytes, &mut Vec::new(), 0).is_err(), "{content}");
        }
    }
}
