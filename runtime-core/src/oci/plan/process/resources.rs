//! Resource limits.

use oci_spec::runtime::Process;

use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Resource, Step};

/// The limits, each once.
pub(super) fn set(draft: &mut Draft<'_>, process: &Process) -> Result<()> {
    let mut seen = Vec::new();
    for (index, limit) in process.rlimits().as_deref().unwrap_or_default().iter().enumerate() {
        let path = |field: &str| format!("process.rlimits[{index}].{field}");
        let name = limit.typ().to_string();
        let resource: Resource =
            name.parse().map_err(|error| Error::config(path("type"), format!("{error}")))?;
        if seen.contains(&resource) {
            return Err(Error::config(path("type"), format!("{resource} is limited twice")));
        }
        seen.push(resource);
        let (soft, hard) = (limit.soft(), limit.hard());
        if soft > hard {
            return Err(Error::config(path("soft"), format!("{soft} is above the hard limit {hard}")));
        }
        draft.step(Step::ResourceLimit { resource, soft, hard });
    }
    Ok(())
}
