//! Block devices: shares of them, and limits.

use super::{out_of_range, unsupported};
use crate::convert::{blkio_weight_from_io, io_weight_from_blkio};
use crate::resources::{Operation, Operations, Resources, Write};
use crate::{DeviceNumber, Limit, Result, Version};
use std::fmt;

/// A setting of the io controller, `blkio` on v1.
///
/// Weights need a scheduler of the device that knows them (bfq), or on v2 `io.cost`; otherwise the file is not there.
/// See cgroup-v2 "IO" and cgroup-v1/blkio-controller of the kernel's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Io {
    /// The share beside siblings that compete: `io.weight`, 1 to 10000, without a setting 100. On v1 it is converted to
    /// `blkio.weight`.
    Weight(u16),
    /// The same in the unit of v1: `blkio.weight` or `blkio.bfq.weight`, 10 to 1000. On v2 it is written to
    /// `io.bfq.weight` as it is, else converted to `io.weight`; see [`io_weight_from_blkio`].
    BlkioWeight(u16),
    /// The share at one device, in the unit of v2.
    DeviceWeight(DeviceNumber, u16),
    /// The same in the unit of v1.
    DeviceBlkioWeight(DeviceNumber, u16),
    /// v1 and Linux before 5.0 only: the share of this cgroup's own processes beside its children,
    /// `blkio.leaf_weight`.
    LeafWeight(u16),
    /// The same at one device.
    DeviceLeafWeight(DeviceNumber, u16),
    /// A limit at one device: a key of `io.max`, on v1 a file `blkio.throttle.*`.
    Max(DeviceNumber, Rate, Limit<u64>),
}

/// What is limited at a device, per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Bytes read: `rbps`.
    ReadBytes,
    /// Bytes written: `wbps`.
    WriteBytes,
    /// Requests to read: `riops`.
    Reads,
    /// Requests to write: `wiops`.
    Writes,
}

impl Rate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ReadBytes, Self::WriteBytes, Self::Reads, Self::Writes];

    /// The key in `io.max`.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::ReadBytes => "rbps",
            Self::WriteBytes => "wbps",
            Self::Reads => "riops",
            Self::Writes => "wiops",
        }
    }

    /// The file on v1.
    pub(crate) const fn file_v1(self) -> &'static str {
        match self {
            Self::ReadBytes => "blkio.throttle.read_bps_device",
            Self::WriteBytes => "blkio.throttle.write_bps_device",
            Self::Reads => "blkio.throttle.read_iops_device",
            Self::Writes => "blkio.throttle.write_iops_device",
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Io {
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Weight(_) | Self::BlkioWeight(_) => "io.weight".to_owned(),
            Self::DeviceWeight(device, _) | Self::DeviceBlkioWeight(device, _) => {
                format!("io.weight of {device}")
            }
            Self::LeafWeight(_) => "blkio.leaf_weight".to_owned(),
            Self::DeviceLeafWeight(device, _) => format!("blkio.leaf_weight of {device}"),
            Self::Max(device, rate, _) => format!("io.max {rate} of {device}"),
        }
    }

    pub(super) fn value_text(&self) -> String {
        match self {
            Self::Weight(weight)
            | Self::DeviceWeight(_, weight)
            | Self::LeafWeight(weight)
            | Self::DeviceLeafWeight(_, weight) => weight.to_string(),
            Self::BlkioWeight(weight) | Self::DeviceBlkioWeight(_, weight) => {
                format!("{} (of {weight} on v1)", io_weight_from_blkio(*weight))
            }
            Self::Max(.., limit) => limit.to_string(),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        match self {
            Self::Weight(weight) | Self::DeviceWeight(_, weight) if !(1..=10_000).contains(weight) => {
                out_of_range("io.weight", weight, "1 to 10000")
            }
            Self::BlkioWeight(weight)
            | Self::DeviceBlkioWeight(_, weight)
            | Self::LeafWeight(weight)
            | Self::DeviceLeafWeight(_, weight)
                if !(10..=1000).contains(weight) =>
            {
                out_of_range("blkio.weight", weight, "10 to 1000")
            }
            Self::Max(.., Limit::Value(0)) => out_of_range("io.max", 0, "at least 1, or no limit"),
            _ => Ok(()),
        }
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        Ok(vec![match (self, version) {
            (Self::Weight(weight), Version::V2) => weight_v2("default", *weight),
            (Self::DeviceWeight(device, weight), Version::V2) => weight_v2(device, *weight),
            (Self::BlkioWeight(weight), Version::V2) => blkio_weight_v2("default", *weight),
            (Self::DeviceBlkioWeight(device, weight), Version::V2) => blkio_weight_v2(device, *weight),
            (Self::Weight(weight), Version::V1) => weight_v1(blkio_weight_from_io(*weight)),
            (Self::BlkioWeight(weight), Version::V1) => weight_v1(*weight),
            (Self::DeviceWeight(device, weight), Version::V1) => {
                device_weight_v1(device, blkio_weight_from_io(*weight))
            }
            (Self::DeviceBlkioWeight(device, weight), Version::V1) => device_weight_v1(device, *weight),
            (Self::LeafWeight(weight), Version::V1) => Write::value("blkio.leaf_weight", weight).into(),
            (Self::DeviceLeafWeight(device, weight), Version::V1) => {
                Write::line("blkio.leaf_weight_device", device, weight, "0").into()
            }
            (Self::LeafWeight(_) | Self::DeviceLeafWeight(..), Version::V2) => {
                return unsupported(version, "weight of a cgroup's own processes beside its children");
            }
            (Self::Max(device, rate, limit), Version::V1) => {
                Write::line(rate.file_v1(), device, limit.value().unwrap_or(0), "0").into()
            }
            (Self::Max(device, rate, limit), Version::V2) => {
                let value = format!("{}={limit}", rate.key());
                Write::line("io.max", device, value, "rbps=max wbps=max riops=max wiops=max").into()
            }
        }])
    }
}

/// Files of v2 that a weight can go to: that of the kernel's cost model, then that of bfq, which knows 1 to 1000.
fn weight_v2(key: impl ToString + Copy, weight: u16) -> Operation {
    let bfq = blkio_weight_from_io(weight);
    Operation::First(vec![
        line_of_weight("io.weight", key, weight),
        line_of_weight("io.bfq.weight", key, bfq),
    ])
}

fn blkio_weight_v2(key: impl ToString + Copy, weight: u16) -> Operation {
    let converted = io_weight_from_blkio(weight);
    Operation::First(vec![
        line_of_weight("io.bfq.weight", key, weight),
        line_of_weight("io.weight", key, converted),
    ])
}

fn line_of_weight(file: &'static str, key: impl ToString, weight: u16) -> Write {
    let key = key.to_string();
    let reset = if key == "default" { "100" } else { "default" };
    Write::line(file, key, weight, reset)
}

fn weight_v1(weight: u16) -> Operation {
    Operation::First(vec![Write::value("blkio.bfq.weight", weight), Write::value("blkio.weight", weight)])
}

fn device_weight_v1(device: &DeviceNumber, weight: u16) -> Operation {
    Operation::First(vec![
        Write::line("blkio.bfq.weight_device", device, weight, "0"),
        Write::line("blkio.weight_device", device, weight, "0"),
    ])
}
