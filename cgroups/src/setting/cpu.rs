//! Processor time: shares of it, and limits.

use super::{out_of_range, unsupported};
use crate::convert::{shares_from_weight, weight_from_shares};
use crate::resources::{Operation, Operations, Resources, Write, microseconds};
use crate::{Limit, Result, Version};
use std::time::Duration;

/// A setting of the cpu controller.
///
/// See cgroup-v2 "CPU", and scheduler/sched-bwc of the kernel's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cpu {
    /// The share beside siblings that compete: `cpu.weight`, 1 to 10000, without a setting 100. On v1 it becomes
    /// `cpu.shares`, see [`shares_from_weight`].
    Weight(u64),
    /// The same in the unit of v1: `cpu.shares`, 2 to 262144, without a setting 1024. On v2 it becomes `cpu.weight`, see
    /// [`weight_from_shares`].
    Shares(u64),
    /// At most so much time of processors in each period: `cpu.max`, on v1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    /// A quota of twice the period is two processors. What is left out stays as it is; a new cgroup has no quota and a
    /// period of 100 ms. The kernel takes quotas from 1 ms and periods from 1 ms to 1 s.
    Max {
        /// Time that may be used within each period.
        quota: Option<Limit<Duration>>,
        /// The period.
        period: Option<Duration>,
    },
    /// How much unused quota may be saved up for later periods: `cpu.max.burst`, on v1 `cpu.cfs_burst_us`; at most the
    /// quota. Linux 5.14.
    Burst(Duration),
    /// Whether it runs only when nothing else wants to: `cpu.idle`. Linux 5.15.
    Idle(bool),
    /// v1 only: time that realtime threads may use in each period, `cpu.rt_runtime_us`.
    RealtimeRuntime(Duration),
    /// v1 only: that period, `cpu.rt_period_us`.
    RealtimePeriod(Duration),
}

impl Cpu {
    /// At most so many processors, as for `docker run --cpus`: a quota within the default period of 100 ms.
    ///
    /// ```
    /// use cofferdam_cgroups::{Cpu, Setting};
    ///
    /// assert_eq!(Setting::from(Cpu::cpus(0.5)).to_string(), "cpu.max 50000 100000");
    /// ```
    ///
    /// What is no sensible number (not positive, not finite, above a million) makes a setting that
    /// [`Setting::validate`](crate::Setting::validate) refuses.
    pub fn cpus(count: f64) -> Self {
        const PERIOD: Duration = Duration::from_millis(100);
        let sensible = count.is_finite() && count > 0.0 && count <= 1e6;
        let quota = if sensible { PERIOD.mul_f64(count) } else { Duration::ZERO };
        Self::Max { quota: Some(Limit::Value(quota)), period: Some(PERIOD) }
    }

    pub(super) fn subject(&self) -> String {
        match self {
            // Two units of one thing.
            Self::Weight(_) | Self::Shares(_) => "cpu.weight",
            Self::Max { .. } => "cpu.max",
            Self::Burst(_) => "cpu.max.burst",
            Self::Idle(_) => "cpu.idle",
            Self::RealtimeRuntime(_) => "cpu.rt_runtime_us",
            Self::RealtimePeriod(_) => "cpu.rt_period_us",
        }
        .to_owned()
    }

    pub(super) fn value_text(&self) -> String {
        match self {
            Self::Weight(weight) => weight.to_string(),
            Self::Shares(shares) => format!("{} (of {shares} shares)", weight_from_shares(*shares)),
            Self::Max { quota, period } => {
                let quota = quota.map(|quota| quota.map(microseconds).to_string());
                let period = period.map(|period| format!(" {}", microseconds(period)));
                quota.unwrap_or_else(|| "(as it is)".to_owned()) + period.as_deref().unwrap_or_default()
            }
            Self::Burst(time) | Self::RealtimeRuntime(time) | Self::RealtimePeriod(time) => {
                microseconds(*time).to_string()
            }
            Self::Idle(idle) => u8::from(*idle).to_string(),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        match self {
            Self::Weight(weight) if !(1..=10_000).contains(weight) => {
                out_of_range("cpu.weight", weight, "1 to 10000")
            }
            Self::Shares(shares) if *shares < 2 => {
                out_of_range("cpu.shares", shares, "2 to 262144, more counts as that")
            }
            Self::Max { quota: Some(Limit::Value(quota)), .. } if *quota < Duration::from_millis(1) => {
                out_of_range("the quota of cpu.max", format_args!("{quota:?}"), "at least 1 ms, or no limit")
            }
            Self::Max { period: Some(period), .. }
                if *period < Duration::from_millis(1) || *period > Duration::from_secs(1) =>
            {
                out_of_range("the period of cpu.max", format_args!("{period:?}"), "1 ms to 1 s")
            }
            _ => Ok(()),
        }
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        let write = |v1: &'static str, v2: &'static str, value: String| {
            vec![Write::value(if version == Version::V1 { v1 } else { v2 }, value).into()]
        };
        Ok(match (self, version) {
            (Self::Weight(weight), Version::V1) => {
                write("cpu.shares", "", shares_from_weight(*weight).to_string())
            }
            (Self::Weight(weight), Version::V2) => write("", "cpu.weight", weight.to_string()),
            (Self::Shares(shares), Version::V1) => write("cpu.shares", "", shares.to_string()),
            (Self::Shares(shares), Version::V2) => {
                write("", "cpu.weight", weight_from_shares(*shares).to_string())
            }
            (Self::Max { quota, period }, Version::V1) => lower_max_v1(*quota, *period),
            (Self::Max { quota, period }, Version::V2) => lower_max_v2(*quota, *period),
            (Self::Burst(burst), _) => {
                write("cpu.cfs_burst_us", "cpu.max.burst", microseconds(*burst).to_string())
            }
            (Self::Idle(idle), _) => write("cpu.idle", "cpu.idle", u8::from(*idle).to_string()),
            (Self::RealtimeRuntime(time), Version::V1) => {
                write("cpu.rt_runtime_us", "", microseconds(*time).to_string())
            }
            (Self::RealtimePeriod(time), Version::V1) => {
                write("cpu.rt_period_us", "", microseconds(*time).to_string())
            }
            (Self::RealtimeRuntime(_) | Self::RealtimePeriod(_), Version::V2) => {
                return unsupported(version, "limit of realtime threads");
            }
        })
    }
}

fn lower_max_v1(quota: Option<Limit<Duration>>, period: Option<Duration>) -> Operations {
    let period = period.map(|period| Write::value("cpu.cfs_period_us", microseconds(period)));
    let quota = quota.map(|quota| match quota {
        Limit::Value(quota) => Write::value("cpu.cfs_quota_us", microseconds(quota)),
        Limit::Max => Write::value("cpu.cfs_quota_us", "-1"),
    });
    period.into_iter().chain(quota).map(Operation::Write).collect()
}

fn lower_max_v2(quota: Option<Limit<Duration>>, period: Option<Duration>) -> Operations {
    match (quota.map(|quota| quota.map(microseconds)), period) {
        (Some(quota), Some(period)) => {
            vec![Write::value("cpu.max", format!("{quota} {}", microseconds(period))).into()]
        }
        // Without a period the kernel keeps the one there is.
        (Some(quota), None) => vec![Write::value("cpu.max", quota).into()],
        (None, Some(period)) => vec![Operation::Period(period)],
        (None, None) => Vec::new(),
    }
}
