//! Where the cgroup of a container is.

use std::path::Path;

use cofferdam_cgroups::{CgroupPath, Hierarchies, Hierarchy};
use oci_spec::runtime::Spec;

use crate::oci::{Error, Result};

/// The property that says it.
pub(super) const PROPERTY: &str = "linux.cgroupsPath";

/// The place that a configuration names, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The same path in each hierarchy, from its mount point.
    FromRoot(CgroupPath),
    /// Below the cgroup where the caller's containers belong, which can differ from hierarchy to hierarchy.
    InNest(CgroupPath),
}

impl Place {
    /// As other runtimes have it: an absolute path is below the mount points, a relative one, and that of a container
    /// that does not name one, which is its id, below the caller's own cgroup; on v2 beside it, as a cgroup with processes
    /// cannot have limited ones in it.
    pub(super) fn of(spec: &Spec, id: &str) -> Result<Self> {
        let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
            let fault =
                |reason: &dyn std::fmt::Display| Error::config(PROPERTY, format!("by the id: {reason}"));
            let path = CgroupPath::new(id).map_err(|reason| fault(&reason))?;
            let single = path.name() == Some(id.as_ref());
            return single.then_some(Self::InNest(path)).ok_or_else(|| fault(&format!("{id:?} is no name")));
        };
        Self::parse(path)
    }

    fn parse(path: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::config(PROPERTY, reason);
        let checked = CgroupPath::new(path).map_err(|fault| refuse(fault.to_string()))?;
        if checked.is_root() {
            return Err(refuse(format!("{} is the root of the hierarchy", path.display())));
        }
        if path.is_absolute() {
            return Ok(Self::FromRoot(checked));
        }
        if path.to_str().is_some_and(|text| text.split(':').count() == 3) {
            let reason =
                "is for the systemd cgroup driver (slice:prefix:name), which this runtime does not have";
            return Err(refuse(format!("{:?} {reason}", path.display().to_string())));
        }
        Ok(Self::InNest(checked))
    }

    /// The path in a hierarchy, from its mount point; none where the caller is outside of what is mounted.
    pub(super) fn resolve(
        &self,
        hierarchies: &Hierarchies,
    ) -> Result<impl Fn(&Hierarchy) -> Option<CgroupPath>> {
        let (below, nest) = match self {
            Self::FromRoot(path) => (path.clone(), None),
            Self::InNest(path) => (path.clone(), Some(hierarchies.nest()?)),
        };
        Ok(move |hierarchy: &Hierarchy| {
            let Some(nest) = &nest else { return Some(below.clone()) };
            let mut paths = nest.paths();
            let known = paths.find(|(other, _)| other.mount_point() == hierarchy.mount_point());
            // The nest leaves hierarchies without a controller out.
            let parent = known.map(|(_, path)| path).or(hierarchy.own())?;
            parent.join(below.as_path()).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(path: &str) -> Spec {
        let json = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"cgroupsPath": {path:?}}}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn refused(path: &str) -> String {
        Place::of(&spec(path), "c").unwrap_err().to_string()
    }

    #[test]
    fn an_absolute_path_is_below_the_mount_points_and_a_relative_one_below_the_caller() {
        let path = |text| CgroupPath::new(text).unwrap();
        assert_eq!(Place::of(&spec("/a/b"), "c").unwrap(), Place::FromRoot(path("a/b")));
        assert_eq!(Place::of(&spec("a/b"), "c").unwrap(), Place::InNest(path("a/b")));
        assert_eq!(Place::of(&spec(""), "c").unwrap(), Place::InNest(path("c")));
        assert_eq!(Place::of(&Spec::default(), "c").unwrap(), Place::InNest(path("c")));
    }

    #[test]
    fn what_leads_elsewhere_is_refused_with_the_property() {
        let prefix = "config.json: linux.cgroupsPath: ";
        for path in ["..", "/a/../../b", "a/../b", "/a/./b"] {
            let text = refused(path);
            assert!(text.starts_with(&format!("{prefix}{path:?} has the component ")), "{text}");
        }
        assert_eq!(refused("/"), format!("{prefix}/ is the root of the hierarchy"));
        assert_eq!(refused("//"), format!("{prefix}// is the root of the hierarchy"));
        let id = Place::of(&Spec::default(), "../x").unwrap_err().to_string();
        assert_eq!(id, format!("{prefix}by the id: \"../x\" has the component \"..\""));
        let id = Place::of(&Spec::default(), "a/b").unwrap_err().to_string();
        assert_eq!(id, format!("{prefix}by the id: \"a/b\" is no name"));
    }

    #[test]
    fn a_path_for_systemd_is_refused_as_what_it_is() {
        let expected = "config.json: linux.cgroupsPath: \"system.slice:runc:c\" is for the systemd cgroup driver \
                        (slice:prefix:name), which this runtime does not have";
        assert_eq!(refused("system.slice:runc:c"), expected);
        assert!(Place::of(&spec("/odd/a:b:c"), "c").is_ok());
    }
}
