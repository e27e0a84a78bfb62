//! What is kept of a cgroup between one process and the next.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cofferdam_cgroups::{Cgroup, CgroupPath, Hierarchies, Hierarchy, Outcome, SkipReason, Version};
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use super::ContainerCgroup;
use super::place::Place;
use crate::oci::{Error, Result};
use crate::{Errno, LimitPolicy};

/// Where the cgroup of a container is, as a plain value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupRecord {
    /// Its path in each hierarchy, from the mount point. Hierarchies are named as in `/proc/PID/cgroup`: by their
    /// controllers or name (`cpu,cpuacct`, `name=systemd`), and v2 by nothing. None if the container has no cgroup.
    pub paths: BTreeMap<String, PathBuf>,
    /// Whether it was there before the container.
    #[serde(default)]
    pub existed: bool,
}

/// What names a hierarchy in a record.
pub(super) fn key(hierarchy: &Hierarchy) -> String {
    if hierarchy.version() == Version::V2 {
        return String::new();
    }
    let mut words: Vec<String> =
        hierarchy.controllers().iter().filter_map(|c| c.name(Version::V1)).map(str::to_owned).collect();
    words.extend(hierarchy.name().map(|name| format!("name={}", name.to_string_lossy())));
    words.join(",")
}

/// Where a cgroup will be, by what its path in each hierarchy will be.
pub(super) fn planned(
    hierarchies: &Hierarchies,
    path: impl Fn(&Hierarchy) -> Option<CgroupPath>,
) -> CgroupRecord {
    let entry =
        |hierarchy: &Hierarchy| Some((key(hierarchy), PathBuf::from("/").join(path(hierarchy)?.as_path())));
    CgroupRecord { paths: hierarchies.iter().filter_map(entry).collect(), existed: false }
}

/// A hierarchy that is mounted and cannot be opened, as for want of descriptors, is not one that is gone: what the container
/// has in it would stay for ever.
fn look_for_lost(hierarchies: &Hierarchies, paths: &BTreeMap<&str, CgroupPath>) -> Result<()> {
    let is_there = |name: &&str| hierarchies.iter().any(|hierarchy| key(hierarchy) == *name);
    if paths.keys().all(is_there) {
        return Ok(());
    }
    let unusable = hierarchies.skipped().iter().find_map(|skipped| match skipped.reason {
        SkipReason::Open(errno) | SkipReason::Read(errno) => Some((skipped, errno.number())),
        SkipReason::NotCgroup => Some((skipped, libc::ENODEV)),
        _ => None,
    });
    match unusable {
        Some((skipped, number)) => {
            let (path, errno) = (skipped.mount.clone().into(), Errno::new(number));
            Err(Error::Path { what: "hierarchy of cgroups", path, errno })
        }
        None => Ok(()),
    }
}

impl ContainerCgroup {
    /// Where [`create`](Self::create) will make it, for who cleans up after a creator that was killed: nothing is made.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn planned(spec: &Spec, id: &str, policy: LimitPolicy) -> Result<CgroupRecord> {
        let place = Place::of(spec, id)?;
        let hierarchies = match Hierarchies::discover() {
            Ok(hierarchies) if policy != LimitPolicy::None => hierarchies,
            // Without one there is nothing to clean up.
            Ok(_) | Err(_) => return Ok(CgroupRecord::default()),
        };
        Ok(planned(&hierarchies, place.resolve(&hierarchies)?))
    }

    /// What [`open`](Self::open) needs to find it again.
    pub fn record(&self) -> CgroupRecord {
        let paths = self.cgroup.iter().flat_map(Cgroup::paths);
        let entry = |(hierarchy, path): (&Hierarchy, &CgroupPath)| {
            (key(hierarchy), PathBuf::from("/").join(path.as_path()))
        };
        CgroupRecord { paths: paths.map(entry).collect(), existed: self.existed }
    }

    /// Finds the cgroup of a container again. What is gone of it, or in a hierarchy that is not mounted any more, is left
    /// out.
    ///
    /// # Errors
    /// [`Error::Container`] for a record that names no cgroup, and if a part is there and cannot be opened; [`Error::Path`] for
    /// a hierarchy that cannot be opened.
    pub fn open(record: &CgroupRecord) -> Result<Self> {
        let checked: Result<BTreeMap<&str, CgroupPath>, _> =
            record.paths.iter().map(|(key, path)| Ok((key.as_str(), CgroupPath::new(path)?))).collect();
        let paths = checked.map_err(|fault: cofferdam_cgroups::PathFault| {
            Error::from(cofferdam_cgroups::Error::from(fault))
        })?;
        let (existed, outcome) = (record.existed, Outcome::default());
        let hierarchies = match Hierarchies::discover() {
            Ok(hierarchies) => hierarchies,
            Err(cofferdam_cgroups::Error::NotMounted) => {
                return Ok(Self { hierarchies: None, cgroup: None, existed, outcome });
            }
            Err(error) => return Err(error.into()),
        };
        look_for_lost(&hierarchies, &paths)?;
        let cgroup = hierarchies.at(|hierarchy| paths.get(key(hierarchy).as_str()).cloned())?;
        Ok(Self { hierarchies: Some(hierarchies), cgroup, existed, outcome })
    }
}
