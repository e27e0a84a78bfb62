//! `update`.

use std::path::PathBuf;

use clap::Args as Group;

use super::values;

#[derive(Debug, Group)]
pub struct Update {
    /// A file with resources as the runtime-spec has them, or - for standard input; the other flags do not count then
    #[arg(short, long, value_name = "FILE")]
    pub resources: Option<PathBuf>,
    /// The weight of block devices, from 10 to 1000
    #[arg(long, value_name = "N")]
    pub blkio_weight: Option<u16>,
    /// The period of the processors' time, in microseconds
    #[arg(long, value_name = "N")]
    pub cpu_period: Option<u64>,
    /// The processors' time in a period, in microseconds; -1: no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,
    /// How much time can be saved up, in microseconds
    #[arg(long, value_name = "N")]
    pub cpu_burst: Option<u64>,
    /// The share of the processors' time
    #[arg(long, value_name = "N", alias = "cpu-shares")]
    pub cpu_share: Option<u64>,
    /// The period of real-time scheduling, in microseconds
    #[arg(long, value_name = "N")]
    pub cpu_rt_period: Option<u64>,
    /// The real-time scheduling in a period, in microseconds
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_rt_runtime: Option<i64>,
    /// The processors: 0-2,7
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// The memory nodes
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// 1: run only when nothing else does
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub cpu_idle: Option<i64>,
    /// The kernel's memory for the container; Linux no longer limits it
    #[arg(long, value_name = "SIZE", value_parser = values::memory, hide = true, allow_hyphen_values = true)]
    pub kernel_memory: Option<i64>,
    /// The kernel's memory for TCP buffers
    #[arg(long, value_name = "SIZE", value_parser = values::memory, allow_hyphen_values = true)]
    pub kernel_memory_tcp: Option<i64>,
    /// Memory, such as 64M; -1: no limit
    #[arg(short, long, value_name = "SIZE", value_parser = values::memory, allow_hyphen_values = true)]
    pub memory: Option<i64>,
    /// The memory that it keeps when the host has little
    #[arg(long, value_name = "SIZE", value_parser = values::memory, allow_hyphen_values = true)]
    pub memory_reservation: Option<i64>,
    /// Memory and swap together; -1: no limit
    #[arg(long, value_name = "SIZE", value_parser = values::memory, allow_hyphen_values = true)]
    pub memory_swap: Option<i64>,
    /// Processes and threads together; -1: no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,
    /// The schema of the level 3 cache
    #[arg(long, value_name = "SCHEMA")]
    pub l3_cache_schema: Option<String>,
    /// The schema of the memory bandwidth
    #[arg(long, value_name = "SCHEMA")]
    pub mem_bw_schema: Option<String>,
    /// The name of the container
    pub id: String,
}
