//! Looking at what is used before a limit is lowered.

use super::Resources;
use crate::{Bytes, Cgroup, Controller, Error, Limit, Memory, Result, Setting, Version};

/// With [`Resources::check_before_update`], refuses a limit of memory below the present use.
pub(super) fn check_usage(cgroup: &Cgroup, resources: &Resources) -> Result<()> {
    let limit = resources.settings().find_map(|setting| match setting {
        Setting::Memory(Memory::Max(Limit::Value(limit))) => Some(*limit),
        _ => None,
    });
    let (true, Some(limit)) = (resources.checks_before_update(), limit) else {
        return Ok(());
    };
    let Some(part) = cgroup.part_of(Controller::Memory) else {
        return Ok(());
    };
    let file = match part.version {
        Version::V1 => "memory.usage_in_bytes",
        Version::V2 => "memory.current",
    };
    // Without the file there is no controller, and applying will say so.
    if !part.dir.has(file) {
        return Ok(());
    }
    let text = part.dir.read(file)?;
    let usage = text.trim().parse().map(Bytes).map_err(|_| Error::Parse {
        path: part.dir.path_of(file),
        line: text.clone(),
        expected: "a number of bytes",
    })?;
    if usage <= limit {
        return Ok(());
    }
    Err(Error::InUse { what: "memory.max", limit, usage })
}
