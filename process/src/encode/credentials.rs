//! Ids, groups and capabilities.

use super::builder::Builder;
use super::program::{Operation, Value};
use crate::Error;
use crate::init::format::code;
use crate::plan::{Capabilities, CapabilitySet, Credentials};

const PR_SET_KEEPCAPS: u64 = 8;
const PR_CAP_AMBIENT: u64 = 47;
const PR_CAP_AMBIENT_RAISE: u64 = 2;
const PR_CAP_AMBIENT_CLEAR_ALL: u64 = 4;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// Nobody may look into the process. The kernel may allow it again (`fs.suid_dumpable`) with every change of ids and of
/// the user namespace.
pub(super) fn hide(builder: &mut Builder<'_>) {
    const PR_SET_DUMPABLE: u64 = 4;
    builder.call("prctl", libc::SYS_prctl, [Value::Number(PR_SET_DUMPABLE), Value::Number(0)]);
}

/// Takes back what carried the capabilities over the exec of the init.
pub(super) fn clear_raised(builder: &mut Builder<'_>) {
    if let Some(kept) = builder.context.raised {
        ambient(builder, PR_CAP_AMBIENT_CLEAR_ALL, 0);
        capset(builder, kept, kept, 0);
    }
}

pub(super) fn credentials(builder: &mut Builder<'_>, credentials: &Credentials) -> Result<(), Error> {
    let last = builder.context.last_capability;
    let valid = if last >= 63 { u64::MAX } else { (1 << (last + 1)) - 1 };
    if let Some(capabilities) = &credentials.capabilities {
        drop_bounding(builder, capabilities.bounding, last);
        let kept = (capabilities.permitted.bits() | capabilities.ambient.bits()) & valid;
        if credentials.uid.is_some_and(|uid| uid != 0) && kept != 0 {
            let zero = || Value::Number(0);
            let values = [Value::Number(PR_SET_KEEPCAPS), Value::Number(1), zero(), zero(), zero()];
            builder.call("prctl", libc::SYS_prctl, values);
        }
    }
    ids(builder, credentials);
    if let Some(capabilities) = &credentials.capabilities {
        set_capabilities(builder, capabilities, valid);
    }
    hide(builder);
    Ok(())
}

fn drop_bounding(builder: &mut Builder<'_>, keep: CapabilitySet, last: u32) {
    let operation = Operation { number: last, ..Operation::new(code::BOUNDING) };
    builder.push(operation.value(Value::Number(keep.bits())), Some("prctl"));
}

fn ids(builder: &mut Builder<'_>, credentials: &Credentials) {
    if let Some(groups) = &credentials.groups {
        let bytes = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        let values = [Value::Number(groups.len() as u64), Value::Bytes(bytes)];
        builder.call("setgroups", libc::SYS_setgroups, values);
    }
    let thrice = |id: u32| [(); 3].map(|()| Value::Number(u64::from(id)));
    if let Some(gid) = credentials.gid {
        builder.call("setresgid", libc::SYS_setresgid, thrice(gid));
    }
    if let Some(uid) = credentials.uid {
        builder.call("setresuid", libc::SYS_setresuid, thrice(uid));
    }
}

fn set_capabilities(builder: &mut Builder<'_>, capabilities: &Capabilities, valid: u64) {
    let set = |set: CapabilitySet| set.bits() & valid;
    capset(builder, set(capabilities.effective), set(capabilities.permitted), set(capabilities.inheritable));
    for number in (0..64).filter(|number| set(capabilities.ambient) >> number & 1 == 1) {
        ambient(builder, PR_CAP_AMBIENT_RAISE, number);
    }
}

fn ambient(builder: &mut Builder<'_>, operation: u64, capability: u64) {
    let values = [PR_CAP_AMBIENT, operation, capability, 0, 0].map(Value::Number);
    builder.call("prctl", libc::SYS_prctl, values);
}

fn capset(builder: &mut Builder<'_>, effective: u64, permitted: u64, inheritable: u64) {
    let header = [CAPABILITY_VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let sets = [effective, permitted, inheritable];
    let data = [0, 32]
        .iter()
        .flat_map(|shift| sets.map(|set| u32::try_from(set >> shift & 0xffff_ffff).unwrap_or(0)))
        .flat_map(u32::to_ne_bytes)
        .collect();
    builder
        .push(Operation::call(libc::SYS_capset, [Value::Bytes(header), Value::Bytes(data)]), Some("capset"));
}
