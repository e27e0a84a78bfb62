//! Resource Director Technology: `linux.intelRdt`, by the file system `resctrl`.
//!
//! A group is a directory: its `schemata` say which parts of caches and which share of the bandwidth of memory its processes
//! may use, and `tasks` which processes these are. See config-linux.md of the runtime-spec, "IntelRdt", and resctrl.rst of
//! the kernel's documentation.

mod files;
mod group;
mod schemata;
mod stats;

pub use group::{RdtRecord, ResourceGroup};
pub use stats::{CacheInfo, MemoryBandwidthInfo, Monitored, Occupancy, RdtStats};
