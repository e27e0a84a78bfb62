//! When the process runs: `process.scheduler`, `process.ioPriority` and `process.execCPUAffinity`.

use oci_spec::runtime::{LinuxSchedulerPolicy as Policy, Process, Scheduler};

use super::super::place::quoted;
use super::super::text::is_cpu_list;
use crate::oci::{Error, Result};

pub(super) fn check(process: &Process) -> Result<()> {
    if let Some(scheduler) = process.scheduler() {
        let policy = *scheduler.policy();
        nice(scheduler)?;
        priority(scheduler, policy)?;
        if policy == Policy::SchedIso {
            return wrong("policy", "SCHED_ISO is not implemented by Linux");
        }
        deadline(scheduler, policy)?;
    }
    if let Some(priority) = process.io_priority().as_ref().map(|io| io.priority())
        && !(0..=7).contains(&priority)
    {
        let reason = format!("{priority} is not between 0 and 7");
        return Err(Error::config("process.ioPriority.priority", reason));
    }
    let Some(affinity) = process.exec_cpu_affinity() else { return Ok(()) };
    for (name, list) in [("initial", affinity.initial()), ("final", affinity.cpu_affinity_final())] {
        if let Some(list) = list.as_deref().filter(|list| !is_cpu_list(list)) {
            let path = format!("process.execCPUAffinity.{name}");
            return Err(Error::config(path, format!("{} is no list of processors", quoted(list))));
        }
    }
    Ok(())
}

fn wrong(field: &str, reason: impl Into<String>) -> Result<()> {
    Err(Error::config(format!("process.scheduler.{field}"), reason))
}

fn nice(scheduler: &Scheduler) -> Result<()> {
    match scheduler.nice() {
        Some(nice) if !(-20..=19).contains(nice) => {
            wrong("nice", format!("{nice} is not between -20 and 19"))
        }
        _ => Ok(()),
    }
}

/// The real-time policies have a priority, the others none.
fn priority(scheduler: &Scheduler, policy: Policy) -> Result<()> {
    let real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    match scheduler.priority().unwrap_or(0) {
        1..=99 if real_time => Ok(()),
        0 if !real_time => Ok(()),
        priority if real_time => {
            wrong("priority", format!("{priority} is not between 1 and 99, as {policy} needs it"))
        }
        priority => wrong("priority", format!("{priority} has no meaning for {policy}")),
    }
}

/// The times of the deadline scheduler, as the kernel takes them.
fn deadline(scheduler: &Scheduler, policy: Policy) -> Result<()> {
    let times = [
        ("runtime", scheduler.runtime()),
        ("deadline", scheduler.deadline()),
        ("period", scheduler.period()),
    ];
    let given = times.map(|(name, value)| (name, value.unwrap_or(0)));
    if policy != Policy::SchedDeadline {
        return match given.into_iter().find(|(_, value)| *value != 0) {
            Some((name, value)) => wrong(name, format!("{value} has no meaning for {policy}")),
            None => Ok(()),
        };
    }
    let [(_, runtime), (_, deadline), (_, period)] = given;
    let period = if period == 0 { deadline } else { period };
    if runtime < 1024 {
        return wrong("runtime", format!("{runtime} is less than 1024 nanoseconds"));
    }
    if runtime > deadline {
        return wrong("runtime", format!("{runtime} is more than the deadline {deadline}"));
    }
    if deadline > period {
        return wrong("deadline", format!("{deadline} is more than the period {period}"));
    }
    if period > i64::MAX.unsigned_abs() {
        return wrong("period", format!("{period} is more than {}", i64::MAX));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn scheduler(scheduler: Value) -> Value {
        json!({"process": {"scheduler": scheduler}})
    }

    #[test]
    fn each_policy_has_the_values_that_mean_something_to_it() {
        table(vec![
            (scheduler(json!({"policy": "SCHED_OTHER", "nice": -20})), ""),
            (
                scheduler(json!({"policy": "SCHED_BATCH", "nice": 20})),
                "process.scheduler.nice: 20 is not between -20 and 19",
            ),
            (
                scheduler(json!({"policy": "SCHED_OTHER", "priority": 1})),
                "process.scheduler.priority: 1 has no meaning for SCHED_OTHER",
            ),
            (
                scheduler(json!({"policy": "SCHED_FIFO", "priority": 99, "flags": ["SCHED_RESET_ON_FORK"]})),
                "",
            ),
            (
                scheduler(json!({"policy": "SCHED_FIFO"})),
                "process.scheduler.priority: 0 is not between 1 and 99, as SCHED_FIFO needs it",
            ),
            (
                scheduler(json!({"policy": "SCHED_RR", "priority": 100})),
                "process.scheduler.priority: 100 is not between 1 and 99, as SCHED_RR needs it",
            ),
            (
                scheduler(json!({"policy": "SCHED_RR", "priority": 1, "period": 1})),
                "process.scheduler.period: 1 has no meaning for SCHED_RR",
            ),
            (
                scheduler(json!({"policy": "SCHED_ISO"})),
                "process.scheduler.policy: SCHED_ISO is not implemented by Linux",
            ),
            (
                scheduler(json!({"policy": "SCHED_X"})),
                "process.scheduler.policy: \"SCHED_X\" is unknown: known are SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE",
            ),
            (scheduler(json!({"nice": 1})), "process.scheduler.policy: is required and missing"),
            (scheduler(json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_DL_OVERRUN"]})), ""),
        ]);
    }

    #[test]
    fn a_deadline_is_between_the_runtime_and_the_period() {
        let deadline = |runtime: u64, deadline: u64, period: u64| {
            scheduler(
                json!({"policy": "SCHED_DEADLINE", "runtime": runtime, "deadline": deadline, "period": period}),
            )
        };
        table(vec![
            (deadline(1024, 1024, 1024), ""),
            (deadline(1024, 2048, 0), ""),
            (deadline(1023, 1024, 1024), "process.scheduler.runtime: 1023 is less than 1024 nanoseconds"),
            (deadline(2049, 2048, 0), "process.scheduler.runtime: 2049 is more than the deadline 2048"),
            (deadline(1024, 2048, 2047), "process.scheduler.deadline: 2048 is more than the period 2047"),
            (
                deadline(1024, 2048, 1 << 63),
                "process.scheduler.period: 9223372036854775808 is more than 9223372036854775807",
            ),
        ]);
    }

    #[test]
    fn priorities_of_io_and_processors_are_in_their_range() {
        let io = |class: &str, priority: i64| json!({"process": {"ioPriority": {"class": class, "priority": priority}}});
        table(vec![
            (io("IOPRIO_CLASS_RT", 7), ""),
            (io("IOPRIO_CLASS_BE", 8), "process.ioPriority.priority: 8 is not between 0 and 7"),
            (io("IOPRIO_CLASS_IDLE", -1), "process.ioPriority.priority: -1 is not between 0 and 7"),
            (
                io("IOPRIO_CLASS_NONE", 0),
                "process.ioPriority.class: \"IOPRIO_CLASS_NONE\" is unknown: known are IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE",
            ),
            (json!({"process": {"execCPUAffinity": {"initial": "0", "final": "0-3,7"}}}), ""),
            (
                json!({"process": {"execCPUAffinity": {"initial": "0-"}}}),
                "process.execCPUAffinity.initial: \"0-\" is no list of processors",
            ),
        ]);
    }
}
