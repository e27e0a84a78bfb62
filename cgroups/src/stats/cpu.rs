//! Time on the processors.

use super::parse::{Field, Keyed};
use std::time::Duration;

/// Processor time of a cgroup and all below it, and how often it was held back.
///
/// v2 has all of it in `cpu.stat`. v1 has the time in the hierarchy of `cpuacct`, and `cpu.stat` in that of `cpu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuStatistics {
    /// All processor time. v2 `usage_usec`; v1 `cpuacct.usage`.
    pub usage: Option<Duration>,
    /// Of it, in the programs. v2 `user_usec`; v1 `user` of `cpuacct.stat`, which counts ticks of 10 ms.
    pub user: Option<Duration>,
    /// Of it, in the kernel. v2 `system_usec`; v1 `system` of `cpuacct.stat`, which counts ticks of 10 ms.
    pub system: Option<Duration>,
    /// Of it, in programs made less urgent. v2 `nice_usec`, 6.11; not on v1.
    pub nice: Option<Duration>,
    /// Enforcement periods that have passed, with the controller. Both versions `nr_periods`.
    pub periods: Option<u64>,
    /// Of these, periods in which the cgroup had used up its quota. Both versions `nr_throttled`.
    pub throttled_periods: Option<u64>,
    /// How long it was held back, summed over processors. v2 `throttled_usec`; v1 `throttled_time`.
    pub throttled: Option<Duration>,
    /// Periods in which it used more than its quota, saved before. Both versions `nr_bursts`, 5.15.
    pub bursts: Option<u64>,
    /// How much more, summed. v2 `burst_usec`; v1 `burst_time`; 5.15.
    pub burst: Option<Duration>,
}

impl Keyed for CpuStatistics {
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>> {
        Some(match key {
            b"usage_usec" => Field::Micros(&mut self.usage),
            b"user_usec" => Field::Micros(&mut self.user),
            b"system_usec" => Field::Micros(&mut self.system),
            b"nice_usec" => Field::Micros(&mut self.nice),
            b"nr_periods" => Field::Count(&mut self.periods),
            b"nr_throttled" => Field::Count(&mut self.throttled_periods),
            b"throttled_usec" => Field::Micros(&mut self.throttled),
            b"throttled_time" => Field::Nanos(&mut self.throttled),
            b"nr_bursts" => Field::Count(&mut self.bursts),
            b"burst_usec" => Field::Micros(&mut self.burst),
            b"burst_time" => Field::Nanos(&mut self.burst),
            _ => return None,
        })
    }
}

/// `cpuacct.stat` of v1, and how many of its ticks are a second.
pub(crate) struct Ticks<'a>(pub(crate) &'a mut CpuStatistics, pub(crate) u64);

impl Keyed for Ticks<'_> {
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>> {
        match key {
            b"user" => Some(Field::Ticks(&mut self.0.user, self.1)),
            b"system" => Some(Field::Ticks(&mut self.0.system, self.1)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::parse::flat;

    #[test]
    fn both_versions_fill_the_same_fields() {
        let mut v1 = CpuStatistics::default();
        let stat = b"nr_periods 20\nnr_throttled 19\nthrottled_time 1454453000\nnr_bursts 0\nburst_time 0\n";
        flat(stat, &mut v1).unwrap();
        flat(b"user 40\nsystem 1\n", &mut Ticks(&mut v1, 100)).unwrap();
        let mut v2 = CpuStatistics::default();
        let stat =
            b"usage_usec 413444\nuser_usec 400000\nsystem_usec 10000\nnr_periods 20\nnr_throttled 19\n\
            throttled_usec 1454453\nnr_bursts 0\nburst_usec 0\ncore_sched.force_idle_usec x\n";
        flat(stat, &mut v2).unwrap();
        assert_eq!(CpuStatistics { usage: v2.usage, ..v1 }, v2);
        assert_eq!(v2.throttled, Some(Duration::from_micros(1_454_453)));
        assert_eq!(v2.nice, None);
    }

    #[test]
    fn a_known_key_without_its_number_is_a_fault() {
        let fault = flat(b"usage_usec 1\nuser_usec\n", &mut CpuStatistics::default()).unwrap_err();
        assert_eq!((fault.line, fault.expected), (&b"user_usec"[..], "a key and a number"));
    }
}
