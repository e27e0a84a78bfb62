//! When the process runs and where its memory lies: scheduler, io priority, memory policy, execution domain.

use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxMemoryPolicy, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerFlag, LinuxSchedulerPolicy, MemoryPolicyFlagType, MemoryPolicyModeType, Scheduler,
};

use super::{Subject, call};
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Argument, Step};

/// All of them.
pub(super) fn set(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<()> {
    let linux = subject.linux;
    let personality = linux.and_then(|linux| linux.personality().as_ref());
    draft.steps(personality.map(execution_domain));
    let policy = linux.and_then(|linux| linux.memory_policy().as_ref());
    draft.steps(policy.map(memory_policy).transpose()?);
    draft.steps(subject.process.scheduler().as_ref().map(scheduler));
    draft.steps(subject.process.io_priority().as_ref().map(io_priority));
    Ok(())
}

fn execution_domain(personality: &LinuxPersonality) -> Step {
    const PER_LINUX: u64 = 0;
    const PER_LINUX32: u64 = 8;
    let domain = match personality.domain() {
        LinuxPersonalityDomain::PerLinux => PER_LINUX,
        LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
    };
    call("personality", libc::SYS_personality, vec![Argument::Number(domain)])
}

fn io_priority(priority: &LinuxIOPriority) -> Step {
    const WHO_PROCESS: u64 = 1;
    const CLASS_SHIFT: u32 = 13;
    let level = priority.priority().cast_unsigned();
    let class: u64 = match priority.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let arguments = [WHO_PROCESS, 0, class << CLASS_SHIFT | level].map(Argument::Number);
    call("ioprio_set", libc::SYS_ioprio_set, arguments.to_vec())
}

fn scheduler(scheduler: &Scheduler) -> Step {
    let policy: u32 = match scheduler.policy() {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => 4,
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    let deadline =
        [*scheduler.runtime(), *scheduler.deadline(), *scheduler.period()].map(Option::unwrap_or_default);
    let flags = scheduler.flags().iter().flatten().fold(0, |flags, flag| flags | flag_bit(*flag));
    // struct sched_attr, with the two clamps of Linux 5.3, for which the specification has no values.
    let mut attr = Vec::with_capacity(ATTR_SIZE);
    attr.extend(u32::try_from(ATTR_SIZE).unwrap_or(0).to_ne_bytes());
    attr.extend(policy.to_ne_bytes());
    attr.extend(u64::to_ne_bytes(flags));
    attr.extend(scheduler.nice().unwrap_or(0).to_ne_bytes());
    attr.extend(scheduler.priority().unwrap_or(0).to_ne_bytes());
    attr.extend(deadline.iter().flat_map(|value| value.to_ne_bytes()));
    attr.resize(ATTR_SIZE, 0);
    let arguments = vec![Argument::Number(0), Argument::Bytes(attr), Argument::Number(0)];
    call("sched_setattr", libc::SYS_sched_setattr, arguments)
}

const ATTR_SIZE: usize = 56;

fn flag_bit(flag: LinuxSchedulerFlag) -> u64 {
    match flag {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    }
}

/// `set_mempolicy(2)`.
fn memory_policy(policy: &LinuxMemoryPolicy) -> Result<Step> {
    let nodes = policy.nodes().as_deref().unwrap_or_default();
    let mask = bit_list("linux.memoryPolicy.nodes", nodes)?;
    let mode: u64 = match policy.mode() {
        MemoryPolicyModeType::MpolDefault => 0,
        MemoryPolicyModeType::MpolPreferred => 1,
        MemoryPolicyModeType::MpolBind => 2,
        MemoryPolicyModeType::MpolInterleave => 3,
        MemoryPolicyModeType::MpolLocal => 4,
        MemoryPolicyModeType::MpolPreferredMany => 5,
        MemoryPolicyModeType::MpolWeightedInterleave => 6,
    };
    let flags = policy.flags().iter().flatten().fold(0, |flags, flag| {
        flags
            | match flag {
                MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
                MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
                MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
            }
    });
    // The kernel takes one bit less than it is told.
    let bits = if mask.is_empty() { 0 } else { mask.len() as u64 * 8 + 1 };
    let mask = if mask.is_empty() { Argument::Number(0) } else { Argument::Bytes(mask) };
    let arguments = vec![Argument::Number(mode | flags), mask, Argument::Number(bits)];
    Ok(call("set_mempolicy", libc::SYS_set_mempolicy, arguments))
}

/// The processors that the process runs on from here on.
pub(in crate::oci::plan) fn affinity(draft: &mut Draft<'_>, path: &str, list: Option<&str>) -> Result<()> {
    let Some(list) = list else { return Ok(()) };
    let mask = bit_list(path, list)?;
    let arguments = vec![Argument::Number(0), Argument::Number(mask.len() as u64), Argument::Bytes(mask)];
    draft.step(call("sched_setaffinity", libc::SYS_sched_setaffinity, arguments));
    Ok(())
}

/// All processors that the cgroup allows.
pub(in crate::oci::plan) fn any_processor() -> Step {
    let mask = vec![0xff; 1024];
    let arguments = vec![Argument::Number(0), Argument::Number(mask.len() as u64), Argument::Bytes(mask)];
    call("sched_setaffinity", libc::SYS_sched_setaffinity, arguments)
}

/// A list as `0-3,7` as a mask of whole words; empty for an empty list.
fn bit_list(path: &str, text: &str) -> Result<Vec<u8>> {
    /// More than any kernel is built for.
    const BITS: usize = 8192;
    let mut mask = Vec::new();
    for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            return Err(Error::config(path, format!("{text:?} is not a list as 0-3,7")));
        };
        if first > last || last >= BITS {
            return Err(Error::config(path, format!("{part:?} is not a range below {BITS}")));
        }
        mask.resize(mask.len().max((last / 64 + 1) * 8), 0_u8);
        (first..=last).for_each(|bit| set_bit(&mut mask, bit));
    }
    Ok(mask)
}

/// In words of the machine's byte order.
fn set_bit(mask: &mut [u8], bit: usize) {
    let byte = (bit % 64) / 8;
    let byte = if cfg!(target_endian = "little") { byte } else { 7 - byte };
    if let Some(byte) = mask.get_mut(bit / 64 * 8 + byte) {
        *byte |= 1 << (bit % 8);
    }
}
