//! What a process may use: Linux control groups.
#![deny(unsafe_code)]

mod cgroup;
mod controller;
mod convert;
mod current;
mod devices;
mod dir;
mod errno;
mod error;
#[cfg(any(feature = "oci", feature = "cgroups-rs"))]
mod foreign;
mod hierarchy;
mod path;
mod resources;
mod setting;
mod stats;
#[allow(unsafe_code)]
mod sys;
mod value;
mod version;
mod watch;

pub use cgroup::{Cgroup, EnableFault, FreezerState, MoveFault};
pub use controller::{Controller, Controllers};
pub use convert::{
    blkio_weight_from_io, io_weight_from_blkio, shares_from_weight, swap_from_sum, weight_from_shares,
};
pub use devices::{
    Access, AccessFault, DeviceKind, DeviceProgramFault, DeviceRule, DeviceRuleFault, DeviceRules,
    DeviceRulesFault, DeviceState,
};
pub use errno::Errno;
pub use error::{Error, Result};
pub use hierarchy::{
    Delegation, Hierarchies, Hierarchy, Membership, Mode, MountEntry, SkipReason, Skipped, Unavailable,
};
pub use path::{CgroupPath, PathFault};
pub use resources::{Applied, LeftOut, Outcome, Require, Resources, Written};
pub use setting::{
    ControlFile, Cpu, CpuSet, HugeTlb, Io, List, ListFault, Memory, Misc, NetCls, NetPrio, Partition, Rate,
    Rdma, Setting, Unified,
};
pub use stats::{
    CgroupStatistics, CpuSetStatistics, CpuStatistics, HugeTlbStatistics, IoStatistics, KernelMemory,
    MemoryEvents, MemoryStat, MemoryStatistics, MiscStatistics, PidsStatistics, PressureStatistics,
    Pressures, RdmaStatistics, Section, Sections, Share, Stall, Statistics, StatisticsReader, SwapStatistics,
};
pub use value::{Bytes, BytesFault, DeviceNumber, DeviceNumberFault, Limit};
pub use version::Version;
#[cfg(feature = "tokio")]
pub use watch::AsyncWatch;
pub use watch::{
    Count, Event, MemoryLevel, Pressure, PressureKind, PressureResource, Scope, Watch, WatchOptions,
};
