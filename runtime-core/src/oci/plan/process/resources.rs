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

/// The limits, each once.
fn limits(process: &Process) -> Result<Vec<Limit>> {
    let mut limits: Vec<Limit> = Vec::new();
    for (index, limit) in process.rlimits().as_deref().unwrap_or_default().iter().enumerate() {
        let path = |field: &str| format!("process.rlimits[{index}].{field}");
        let parsed = limit.typ().to_string().parse::<Resource>();
        let resource = parsed.map_err(|error| Error::config(path("type"), error.to_string()))?;
        if limits.iter().any(|known| known.resource == resource) {
            return Err(Error::config(path("type"), format!("{resource} is limited twice")));
        }
        let (soft, hard) = (limit.soft(), limit.hard());
        if soft > hard {
            return Err(Error::config(path("soft"), format!("{soft} is above the hard limit {hard}")));
        }
        limits.push(Limit { resource, soft, hard });
    }
    Ok(limits)
}
