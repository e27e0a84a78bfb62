//! What a cgroup used, and what happened to it, in one snapshot.

mod cgroup;
mod cpu;
mod files;
mod hugetlb;
mod io;
mod keyed;
mod memory;
mod memory_stat;
mod named;
pub(crate) mod parse;
mod pids;
mod pressure;
mod reader;
mod section;
mod take;

pub use cgroup::{CgroupStatistics, CpuSetStatistics};
pub use cpu::CpuStatistics;
pub use hugetlb::HugeTlbStatistics;
pub use io::IoStatistics;
pub use memory::{KernelMemory, MemoryEvents, MemoryStatistics, SwapStatistics};
pub use memory_stat::MemoryStat;
pub use named::{MiscStatistics, RdmaStatistics};
pub use pids::PidsStatistics;
pub use pressure::{PressureStatistics, Pressures, Share, Stall};
pub use reader::StatisticsReader;
pub(crate) use reader::{duplicate, is_there, is_there_for_good};
pub use section::{Section, Sections};

use crate::{Cgroup, Result};

/// Statistics of all controllers of a cgroup, with the same meaning on v1 and v2.
///
/// A section is none where the cgroup has no file of it: the controller is not enabled, the version does not know it,
/// or it was not asked for. Within a section, a value is none where the kernel does not give it; it is never 0 for
/// that. Sums include the cgroups below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Time on the processors.
    pub cpu: Option<CpuStatistics>,
    /// Memory and swap.
    pub memory: Option<MemoryStatistics>,
    /// Block devices, in the order of the kernel.
    pub io: Option<Vec<IoStatistics>>,
    /// Processes and threads.
    pub pids: Option<PidsStatistics>,
    /// Huge pages by size, small ones first.
    pub hugetlb: Option<Vec<HugeTlbStatistics>>,
    /// Devices of remote direct memory access, in the order of the kernel.
    pub rdma: Option<Vec<RdmaStatistics>>,
    /// Scalar resources, in the order of the kernel.
    pub misc: Option<Vec<MiscStatistics>>,
    /// Time lost by waiting; v2 only.
    pub pressure: Option<Pressures>,
    /// The processors and memory nodes that may be used.
    pub cpuset: Option<CpuSetStatistics>,
    /// The cgroup as such; v2 only.
    pub cgroup: Option<CgroupStatistics>,
}

impl Cgroup {
    /// Reads all statistics once. To read them again and again, or to leave some out, use a [`StatisticsReader`].
    ///
    /// # Errors
    ///
    /// As [`StatisticsReader::new`] and [`StatisticsReader::read`].
    pub fn statistics(&self) -> Result<Statistics> {
        let mut statistics = Statistics::default();
        StatisticsReader::new(self)?.read(&mut statistics)?;
        Ok(statistics)
    }
}
