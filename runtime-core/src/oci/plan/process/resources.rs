//! Resource limits.

use oci_spec::runtime::Process;

use crate::oci::{Error, Result};
use crate::prepare::{Draft, may};
use crate::{Resource, Step, limit};

/// A limit that is asked for.
struct Limit {
    resource: Resource,
    soft: u64,
    hard: u64,
}

/// The limits.
pub(super) fn set(draft: &mut Draft<'_>, process: &Process) -> Result<()> {
    for Limit { resource, soft, hard } in limits(process)? {
        draft.step(Step::ResourceLimit { resource, soft, hard });
    }
    Ok(())
}

/// Lifts what is limited to less than the process shall have, while it still has the caller's rights: root of another user
/// namespace may only lower limits.
pub(in crate::oci::plan) fn raise(draft: &mut Draft<'_>, process: &Process) -> Result<()> {
    for (resource, hard) in lifted(process)? {
        let soft = limit::own(resource).0.min(hard);
        draft.step(Step::ResourceLimit { resource, soft, hard });
    }
    Ok(())
}

/// The hard limits that are above the caller's own, for a caller who may lift them.
pub(in crate::oci::plan) fn lifted(process: &Process) -> Result<Vec<(Resource, u64)>> {
    if !may(rustix::thread::CapabilitySet::SYS_RESOURCE)? {
        return Ok(Vec::new());
    }
    let above = limits(process)?.into_iter().filter(|limit| limit.hard > limit::own(limit.resource).1);
    Ok(above.map(|limit| (limit.resource, limit.hard)).collect())
}

fn limits(process: &Process) -> Result<Vec<Limit>> {
    let all = process.rlimits().iter().flatten().enumerate().map(|(index, limit)| {
        let wrong = |error| Error::config(format!("process.rlimits[{index}].type"), format!("{error}"));
        let resource = limit.typ().to_string().parse::<Resource>().map_err(wrong)?;
        Ok(Limit { resource, soft: limit.soft(), hard: limit.hard() })
    });
    all.collect()
}
