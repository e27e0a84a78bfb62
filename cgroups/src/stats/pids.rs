//! The number of processes and threads.

use super::parse::{Field, Keyed};
use crate::Limit;

/// Processes and threads of a cgroup and all below it, each thread counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PidsStatistics {
    /// How many there are. Both versions `pids.current`.
    pub current: Option<u64>,
    /// How many there were at most. Both versions `pids.peak`, 6.1.
    pub peak: Option<u64>,
    /// How many there may be. Both versions `pids.max`.
    pub limit: Option<Limit<u64>>,
    /// How often a fork was refused: on v2 from 6.11 on because of the limit of this cgroup or of one below, else
    /// those forks that were tried in this cgroup. Both versions `max` of `pids.events`.
    pub refused: Option<u64>,
}

impl Keyed for PidsStatistics {
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>> {
        (key == b"max").then_some(Field::Count(&mut self.refused))
    }
}
