//! Mounts through which ids appear as others.

use cofferdam_overlay::{IdMapping, MappedRange};
use oci_spec::runtime::{LinuxIdMapping, Mount};

use super::options::Options;
use crate::oci::plan::Request;
use crate::oci::{Error, Result};

/// Which ids appear as which.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) ids: IdMapping,
    /// On all mounts of the tree.
    pub(super) recursive: bool,
}

/// The mapping of an entry of `mounts`: its own, or else that of the container's user namespace.
pub(super) fn of(
    index: usize,
    given: &Mount,
    options: &Options,
    request: &Request<'_>,
) -> Result<Option<Mapping>> {
    let own = [given.uid_mappings(), given.gid_mappings()].map(|list| list.as_deref().unwrap_or_default());
    let linux = request.spec.linux().as_ref();
    let containers = [
        linux.and_then(|linux| linux.uid_mappings().as_deref()),
        linux.and_then(|linux| linux.gid_mappings().as_deref()),
    ]
    .map(Option::unwrap_or_default);
    let recursive = match (options.mapped, own) {
        (None, [[], []]) => return Ok(None),
        (recursive, _) => recursive.unwrap_or(false),
    };
    let at = |field: &str| format!("mounts[{index}].{field}");
    let [users, groups] = match own {
        [[], []] => match containers {
            [[], _] | [_, []] => {
                let reason = "ids are to be mapped, but there is neither a mapping nor a user namespace";
                return Err(Error::config(at("options"), reason));
            }
            containers => containers,
        },
        own => own,
    };
    let ids = IdMapping::new(ranges(users), ranges(groups))
        .map_err(|error| Error::config(at("uidMappings"), error.to_string()))?;
    Ok(Some(Mapping { ids, recursive }))
}

/// What is a container's id on the file system appears as the host's.
fn ranges(list: &[LinuxIdMapping]) -> Vec<MappedRange> {
    list.iter().map(|map| MappedRange::new(map.container_id(), map.host_id(), map.size())).collect()
}
