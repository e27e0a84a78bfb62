//! Cgroups inside that of a container, for processes that join it.

use cofferdam_cgroups::{Cgroup, CgroupPath, Hierarchy, Membership, Outcome};

use super::{ContainerCgroup, record};
use crate::oci::{Error, Result};

impl ContainerCgroup {
    /// A cgroup that the container has made in its own, for `exec --cgroup [CONTROLLERS:]PATH`. An entry with controllers
    /// (`cpu,memory`, `name=systemd`) is for the v1 hierarchies that serve one of these, one without for all others.
    ///
    /// # Errors
    /// [`Error::Config`] for a path that leads out, names a hierarchy that there is not, or is not there.
    pub fn sub_cgroup(&self, entries: &[&str]) -> Result<Self> {
        let refuse = |entry: &str, reason: &dyn std::fmt::Display| {
            Error::config("cgroup", format!("{entry:?}: {reason}"))
        };
        let own = self.required()?;
        let mut paths: Vec<(Option<&str>, CgroupPath)> = Vec::new();
        for entry in entries {
            let (controllers, path) = match entry.split_once(':') {
                Some((controllers, path)) => (Some(controllers), path),
                None => (None, *entry),
            };
            let path = CgroupPath::new(path).map_err(|fault| refuse(entry, &fault))?;
            let mut words = controllers.iter().flat_map(|controllers| controllers.split(','));
            if let Some(word) = words.find(|word| !own.paths().any(|(hierarchy, _)| names(hierarchy, word))) {
                return Err(refuse(entry, &format_args!("the container has no cgroup for {word:?} of v1")));
            }
            paths.push((controllers, path));
        }
        let below = |hierarchy: &Hierarchy| {
            let exact = paths.iter().find(|(name, _)| name.is_some_and(|name| names(hierarchy, name)));
            exact.or(paths.iter().find(|(name, _)| name.is_none())).map(|(_, path)| path)
        };
        let target = |hierarchy: &Hierarchy| {
            let container = path_in(own, hierarchy)?;
            below(hierarchy).map_or(Some(container.clone()), |path| container.join(path.as_path()).ok())
        };
        let found = own.hierarchies().at(target)?;
        // Limits of a hierarchy must not be missed because there is no such cgroup in it.
        if let Some((hierarchy, path)) = own.paths().find_map(|(hierarchy, _)| {
            let there = found.as_ref().is_some_and(|cgroup| path_in(cgroup, hierarchy).is_some());
            (!there).then(|| (hierarchy, target(hierarchy)))
        }) {
            let at = path.unwrap_or_default();
            let place = hierarchy.mount_point().join(at.as_path());
            return Err(refuse(&entries.join(" "), &format_args!("there is no cgroup {}", place.display())));
        }
        Ok(self.with(found))
    }

    /// The cgroup in which the container's process is by now, where that is inside of the container's own: an init such
    /// as systemd moves itself to a cgroup that it made, and on v2 nothing can join the one above any more.
    ///
    /// # Errors
    /// [`Error::Path`] if there is no such process any more; [`Error::Container`].
    pub fn of_process(&self, pid: u32) -> Result<Self> {
        let own = self.required()?;
        let file = format!("/proc/{pid}/cgroup");
        let text = std::fs::read(&file).map_err(|error| Error::Path {
            what: "the cgroups of the container",
            path: file.into(),
            errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
        })?;
        let (memberships, _) = Membership::parse_all(&text);
        let found = own.hierarchies().at(|hierarchy| {
            let container = path_in(own, hierarchy)?;
            let of = memberships.iter().find(|of| is_of(of, hierarchy));
            let at = of.and_then(Membership::cgroup).and_then(|path| path.below(hierarchy.shown()?));
            Some(at.filter(|path| path.below(container).is_some()).unwrap_or_else(|| container.clone()))
        })?;
        Ok(self.with(found))
    }

    fn with(&self, cgroup: Option<Cgroup>) -> Self {
        Self { hierarchies: self.hierarchies.clone(), cgroup, existed: true, outcome: Outcome::default() }
    }
}

fn path_in<'a>(cgroup: &'a Cgroup, hierarchy: &Hierarchy) -> Option<&'a CgroupPath> {
    let mut paths = cgroup.paths();
    paths.find(|(other, _)| other.mount_point() == hierarchy.mount_point()).map(|(_, path)| path)
}

fn is_of(membership: &Membership, hierarchy: &Hierarchy) -> bool {
    membership.version() == hierarchy.version()
        && (hierarchy.version() == cofferdam_cgroups::Version::V2
            || (membership.controllers == hierarchy.controllers()
                && membership.name.as_deref() == hierarchy.name()))
}

/// Whether one of these words, with commas between them, means this v1 hierarchy.
fn names(hierarchy: &Hierarchy, words: &str) -> bool {
    let key = record::key(hierarchy);
    !key.is_empty() && words.split(',').any(|word| key.split(',').any(|known| known == word))
}
