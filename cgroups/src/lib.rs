//! What a process may use: Linux control groups.
#![deny(unsafe_code)]

mod cgroup;
mod controller;
mod devices;
mod dir;
mod errno;
mod error;
mod hierarchy;
mod path;
mod stats;
#[allow(unsafe_code)]
mod sys;
mod value;
mod version;

pub use cgroup::{Cgroup, EnableFault, FreezerState, MoveFault};
pub use controller::{Controller, Controllers};
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
pub use stats::{
    CgroupStatistics, CpuSetStatistics, CpuStatistics, HugeTlbStatistics, IoStatistics, KernelMemory, MemoryEvents,
    MemoryStat, MemoryStatistics, MiscStatistics, PidsStatistics, PressureStatistics, Pressures, RdmaStatistics,
    Section, Sections, Share, Stall, Statistics, StatisticsReader, SwapStatistics,
};
pub use value::{Bytes, BytesFault, DeviceNumber, DeviceNumberFault, Limit};
pub use version::Version;
