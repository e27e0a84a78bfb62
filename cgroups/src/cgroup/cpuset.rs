//! A new cpuset of v1 has no processor and no memory node, and takes no process before it has some.

use super::Part;
use crate::{Hierarchy, Result};

const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// Gives a new cpuset what the one above has. One above that has nothing itself gets it from there first.
pub(super) fn inherit(hierarchy: &Hierarchy, above: &Part, made: &Part) -> Result<()> {
    for file in FILES {
        let value = value_of(hierarchy, above, file)?;
        if !value.is_empty() {
            made.dir.write(file, &value)?;
        }
    }
    Ok(())
}

fn value_of(hierarchy: &Hierarchy, part: &Part, file: &str) -> Result<String> {
    let value = part.dir.read(file)?.trim_ascii().to_owned();
    let Some(parent) = part.path.parent().filter(|_| value.is_empty()) else { return Ok(value) };
    let value = value_of(hierarchy, &hierarchy.part(part.hierarchy, &parent)?, file)?;
    if !value.is_empty() {
        part.dir.write(file, &value)?;
    }
    Ok(value)
}
