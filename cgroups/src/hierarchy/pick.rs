//! Which mount of a hierarchy is used, decided from the tables alone.

use super::Membership;
use super::mountinfo::MountEntry;
use super::skipped::{SkipReason, Skipped};
use crate::{CgroupPath, Controller, Controllers, Version};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A hierarchy of the mount table, with its mounts from the best to the worst.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) version: Version,
    /// Of v1 only.
    pub(super) controllers: Controllers,
    pub(super) name: Option<OsString>,
    pub(super) mounts: Vec<Mount>,
}

/// One mount of a hierarchy.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) entry: MountEntry,
    pub(super) shown: Option<CgroupPath>,
    pub(super) own: Option<CgroupPath>,
}

impl Mount {
    /// Smaller is better: the root, then what has this process's own cgroup; what can be written before what cannot.
    fn rank(&self) -> (bool, bool, bool) {
        let shows_root = self.shown.as_ref().is_some_and(CgroupPath::is_root);
        let read_only =
            self.entry.options.as_bytes().split(|byte| *byte == b',').any(|option| option == b"ro");
        (!shows_root, self.own.is_none(), read_only)
    }
}

/// All hierarchies of a table, v2 first.
pub(super) fn hierarchies(
    table: &[MountEntry],
    memberships: &[Membership],
    skipped: &mut Vec<Skipped>,
) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for entry in table {
        let (version, controllers, name) = match identity(entry) {
            Ok(Some(identity)) => identity,
            Ok(None) => continue,
            Err(reason) => {
                skipped.push(Skipped { mount: entry.mount_point.clone().into(), reason });
                continue;
            }
        };
        if entry.is_hidden_in(table) {
            let mount = entry.mount_point.clone().into();
            skipped.push(Skipped { mount, reason: SkipReason::Covered });
            continue;
        }
        let same = |found: &&mut Found| {
            found.version == version && found.controllers == controllers && found.name == name
        };
        let own = memberships.iter().find(|membership| {
            membership.version() == version
                && membership.controllers == controllers
                && membership.name == name
        });
        let mount = mount(entry, own);
        match all.iter_mut().find(same) {
            Some(found) => found.mounts.push(mount),
            None => all.push(Found { version, controllers, name, mounts: vec![mount] }),
        }
    }
    all.iter_mut().for_each(|found| found.mounts.sort_by_key(Mount::rank));
    all.sort_by_key(|found| found.version != Version::V2);
    all
}

fn mount(entry: &MountEntry, own: Option<&Membership>) -> Mount {
    let shown = CgroupPath::new(&entry.root).ok();
    let own = own.and_then(Membership::cgroup).zip(shown.as_ref());
    Mount { entry: entry.clone(), own: own.and_then(|(own, shown)| own.below(shown)), shown }
}

type Identity = (Version, Controllers, Option<OsString>);

/// What tells a hierarchy from others; none for another file system.
fn identity(entry: &MountEntry) -> Result<Option<Identity>, SkipReason> {
    match entry.fs_type.as_bytes() {
        b"cgroup2" => return Ok(Some((Version::V2, Controllers::EMPTY, None))),
        b"cgroup" => {}
        b"cpuset" => return Err(SkipReason::NoPrefix),
        _ => return Ok(None),
    }
    let mut name = None;
    let mut controllers = Controllers::EMPTY;
    for option in entry.super_options() {
        if option == "noprefix" {
            return Err(SkipReason::NoPrefix);
        }
        if let Some(value) = option.as_bytes().strip_prefix(b"name=") {
            name = Some(std::ffi::OsStr::from_bytes(value).to_owned());
        } else if let Some(controller) = option.to_str().and_then(|o| Controller::from_name(o, Version::V1)) {
            controllers = controllers.with(controller);
        }
    }
    if controllers.is_empty() && name.is_none() {
        return Err(SkipReason::Unknown);
    }
    Ok(Some((Version::V1, controllers, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(mounts: &str, own: &str) -> (Vec<Found>, Vec<Skipped>) {
        let mut skipped = Vec::new();
        let table = MountEntry::parse_table(mounts.as_bytes()).0;
        let memberships = Membership::parse_all(own.as_bytes()).0;
        (hierarchies(&table, &memberships, &mut skipped), skipped)
    }

    #[test]
    fn the_mount_that_shows_the_root_is_preferred() {
        let mounts = "2 1 0:2 /job /job rw - cgroup2 c rw\n3 1 0:2 / /all rw - cgroup2 c rw";
        let (found, skipped) = pick(mounts, "0::/job/7");
        assert_eq!(found[0].mounts[0].entry.mount_point.to_str(), Some("/all"));
        assert_eq!(found[0].mounts[0].own, CgroupPath::new("job/7").ok());
        assert_eq!(found[0].mounts[1].own, CgroupPath::new("7").ok());
        assert_eq!((found.len(), skipped), (1, vec![]));
    }

    #[test]
    fn else_one_that_has_the_own_cgroup_and_can_be_written() {
        let mounts = "2 1 0:2 /other /other rw - cgroup2 c rw\n3 1 0:2 /job /ro ro - cgroup2 c rw\n\
                      4 1 0:2 /job /rw rw - cgroup2 c rw\n5 1 0:2 /../.. /outside rw - cgroup2 c rw";
        let (found, _) = pick(mounts, "0::/job/7");
        let order: Vec<_> = found[0].mounts.iter().map(|m| m.entry.mount_point.to_str().unwrap()).collect();
        assert_eq!(order, ["/rw", "/ro", "/other", "/outside"]);
        assert_eq!(found[0].mounts[3].shown, None);
    }

    #[test]
    fn v1_hierarchies_are_told_by_controllers_and_name() {
        let mounts = "2 1 0:2 / /c rw - cgroup c rw,cpu,cpuacct,release_agent=/bin/a\\054memory\n\
                      3 1 0:3 / /s rw - cgroup c rw,xattr,name=systemd\n4 1 0:4 / /u rw - cgroup2 c rw\n\
                      5 1 0:5 / /n rw - cgroup c rw,noprefix,cpuset\n6 1 0:6 / /d rw - cgroup c rw,debug";
        let (found, skipped) = pick(mounts, "5:name=systemd:/x\n4:cpu,cpuacct:/../x\n0::/");
        let versions: Vec<_> = found.iter().map(|found| found.version).collect();
        assert_eq!(versions, [Version::V2, Version::V1, Version::V1]);
        assert_eq!(found[1].controllers.to_string(), "cpu cpuacct");
        assert_eq!((&found[1].mounts[0].own, found[2].name.as_deref()), (&None, Some("systemd".as_ref())));
        assert_eq!(found[2].mounts[0].own, CgroupPath::new("x").ok());
        let skipped: Vec<_> = skipped.iter().map(ToString::to_string).collect();
        assert_eq!(skipped, ["/n: its files have no prefix", "/d: no controller of it is known"]);
    }
}
