//! Mounts of the type `cgroup`: what the container sees of its cgroups.

use std::path::Path;

use super::calls::{link, magic};
use super::entry::Entry;
use super::view::View;
use crate::oci::Result;
use crate::oci::plan::CgroupHierarchy;
use crate::{Attributes, Expected, Location, Mount, MountFlags, Namespaces, Slot, Step, TargetKind};

/// Where the hierarchies of the host are.
const HOSTS: &str = "/sys/fs/cgroup";

/// Mounts them: on cgroup v2 the only hierarchy, else a directory with each of them.
pub(super) fn mount(view: &mut View<'_, '_>, entry: &Entry) -> Result<()> {
    if let Some((option, _)) = entry.options.data.first() {
        return Err(entry.wrong(&format!("options[{option}]"), "is no option of a cgroup mount"));
    }
    if entry.options.is_shared() {
        return Err(entry.wrong("options", "a cgroup mount cannot be shared"));
    }
    let place = view.place(entry, TargetKind::Directory);
    let hierarchies = &view.request.cgroup.hierarchies;
    match hierarchies.as_slice() {
        [] => whole(view, entry, place),
        [only] if only.v1_options.is_none() => {
            let mount = hierarchy(view, entry, only);
            view.draft.step(Step::Mount(mount.target(Some(place), "", None)));
        }
        all => several(view, entry, place, all),
    }
    view.draft.step(Step::Close(place));
    Ok(())
}

/// What the options say about each mount. Without a cgroup namespace nothing is written there unless it was asked for.
fn flags(view: &View<'_, '_>, entry: &Entry) -> MountFlags {
    let flags = entry.options.fresh();
    match view.has_own(Namespaces::CGROUP) || entry.options.writable {
        true => flags,
        false => flags | MountFlags::RDONLY,
    }
}

/// One hierarchy. In a cgroup namespace of its own the container sees its cgroup as the top; else it is shown that part.
fn hierarchy(view: &mut View<'_, '_>, entry: &Entry, one: &CgroupHierarchy) -> Mount {
    let attributes = Attributes::set(flags(view, entry));
    if view.has_own(Namespaces::CGROUP) {
        let Some(options) = &one.v1_options else { return Mount::new("cgroup2").attributes(attributes) };
        let mut mount = Mount::new("cgroup");
        for option in options.split(',') {
            mount = match option.split_once('=') {
                Some((key, value)) => mount.option(key, value),
                None => flag(mount, option),
            };
        }
        return mount.attributes(attributes);
    }
    let copy = view.draft.copy(&one.directory, false);
    let filesystem = if one.v1_options.is_some() { magic::CGROUP } else { magic::CGROUP2 };
    let expected = Expected { filesystem: Some(filesystem), ..Expected::default() };
    view.draft.step(Step::Verify { file: copy, expected });
    let attributes = Attributes { propagation: Some(view.base), ..attributes };
    Mount::detached(copy).attributes(attributes)
}

fn flag(mut mount: Mount, name: &str) -> Mount {
    if let crate::Source::New { options, .. } = &mut mount.source {
        options.push(crate::MountOption::Flag(name.into()));
    }
    mount
}

/// A directory for each hierarchy, as on the host, and links for controllers that share one.
fn several(view: &mut View<'_, '_>, entry: &Entry, place: Slot, all: &[CgroupHierarchy]) {
    let top = view.draft.plan.slot("the cgroup hierarchies");
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let attributes = Attributes::set(safe);
    let tmpfs = Mount::new("tmpfs").option("source", "tmpfs").option("mode", "0755").attributes(attributes);
    view.draft.step(Step::Mount(tmpfs.target(Some(place), "", None).into_slot(top)));
    for one in all {
        let Some(name) = one.mount_point.file_name() else { continue };
        view.draft.step(Step::Directory { location: Location::at(top, name), mode: 0o755 });
        let mount = hierarchy(view, entry, one);
        view.draft.step(Step::Mount(mount.target_in_fresh(top, name)));
        let Some(name) = name.to_str().filter(|name| name.contains(',')) else { continue };
        for controller in name.split(',') {
            view.draft.step(link(top, controller, name));
        }
    }
    if flags(view, entry).contains(MountFlags::RDONLY) {
        let attributes = Attributes::set(MountFlags::RDONLY);
        view.draft.step(Step::MountAttributes { mount: Location::at(top, ""), attributes });
    }
    view.draft.step(Step::Close(top));
}

/// The container has no cgroup of its own: it sees the host's, and can change nothing.
fn whole(view: &mut View<'_, '_>, entry: &Entry, place: Slot) {
    let copy = view.draft.copy(Path::new(HOSTS), true);
    let attributes = Attributes {
        propagation: Some(view.base),
        ..Attributes::set_recursive(entry.options.fresh() | MountFlags::RDONLY)
    };
    view.draft.step(Step::Mount(Mount::detached(copy).attributes(attributes).target(Some(place), "", None)));
    view.draft.step(Step::Close(copy));
}
