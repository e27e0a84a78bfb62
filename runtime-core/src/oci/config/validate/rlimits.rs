//! `process.rlimits`.

use oci_spec::runtime::PosixRlimit;

use crate::oci::{Error, Result};

/// Each resource has one limit, and a soft one that is below the hard one.
pub(super) fn check(limits: &[PosixRlimit]) -> Result<()> {
    for (index, limit) in limits.iter().enumerate() {
        if let Some(first) = limits[..index].iter().position(|other| other.typ() == limit.typ()) {
            let path = format!("process.rlimits[{index}].type");
            return Err(Error::config(path, format!("{} stands already at {first}", limit.typ())));
        }
        if limit.soft() > limit.hard() {
            let reason =
                format!("{} of {} is more than the hard limit {}", limit.soft(), limit.typ(), limit.hard());
            return Err(Error::config(format!("process.rlimits[{index}].soft"), reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn limits(limits: Value) -> Value {
        json!({"process": {"rlimits": limits}})
    }

    #[test]
    fn each_resource_has_one_limit_in_the_right_order() {
        let core = |soft: u64, hard: u64| json!({"type": "RLIMIT_CORE", "soft": soft, "hard": hard});
        table(vec![
            (limits(json!([])), ""),
            (limits(json!([core(0, u64::MAX), {"type": "RLIMIT_AS", "soft": 1, "hard": 1}])), ""),
            (
                limits(json!([core(1, 1), core(1, 1)])),
                "process.rlimits[1].type: RLIMIT_CORE stands already at 0",
            ),
            (
                limits(json!([core(2, 1)])),
                "process.rlimits[0].soft: 2 of RLIMIT_CORE is more than the hard limit 1",
            ),
            (
                limits(json!([{"type": "RLIMIT_CORES", "soft": 1, "hard": 1}])),
                "process.rlimits[0].type: \"RLIMIT_CORES\" is unknown: known are RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME",
            ),
        ]);
    }
}
