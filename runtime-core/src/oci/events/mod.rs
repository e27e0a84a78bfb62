//! What a container uses and what happens to it, in the words of `runc events`.

mod blocks;
mod collect;
mod stats;
mod v1;
mod watch;

pub(crate) use stats::is_zero;
pub use stats::{
    BlockDevices, BlockEntry, CpuSets, CpuUsage, EventCount, HugePages, MemoryEntry, MemoryUsage,
    NetworkInterface, Pids, Processors, Stall, Stalls, Stats, Throttling,
};
pub use watch::{Event, Events};
