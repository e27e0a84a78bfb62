//! Files and directories of the host.

use super::calls::magic;
use super::entry::{Entry, Source, What};
use super::options::Options;
use super::root::identity;
use super::view::View;
use crate::prepare::Draft;
use crate::{Attributes, Expected, Location, Mount, Propagation, Slot, Step, TargetKind};

/// Copies of what stays shared with the host, made while the host's mounts still are.
pub(super) fn gather_shared(draft: &mut Draft<'_>, entries: &[Entry]) -> Vec<Option<Slot>> {
    let gather = |entry: &Entry| match &entry.what {
        What::Bind { source, recursive } if entry.options.is_shared() => {
            Some(copy(draft, entry, source, *recursive))
        }
        _ => None,
    };
    entries.iter().map(gather).collect()
}

/// A copy of the mount, which is the one that was looked at.
fn copy(draft: &mut Draft<'_>, entry: &Entry, source: &Source, recursive: bool) -> Slot {
    let slot = match &entry.mapping {
        None => draft.copy(&source.path, recursive),
        Some(mapping) => draft.mapped(&source.path, recursive, mapping.ids.clone(), mapping.recursive),
    };
    let mut expected = identity(&source.stat);
    if source.filesystem == magic::PROC {
        expected = Expected { filesystem: Some(magic::PROC), ..expected };
    }
    draft.step(Step::Verify { file: slot, expected });
    slot
}

/// Mounts it.
pub(super) fn mount(
    view: &mut View<'_, '_>,
    entry: &Entry,
    source: &Source,
    recursive: bool,
    gathered: Option<Slot>,
) {
    let copy = gathered.unwrap_or_else(|| copy(view.draft, entry, source, recursive));
    let kind = if source.is_directory() { TargetKind::Directory } else { TargetKind::File };
    let place = view.place(entry, kind);
    let mut changes = changes(&entry.options, recursive, view.base);
    // The last of them goes with the step that attaches it.
    let last = changes.pop().unwrap_or_default();
    for attributes in changes {
        view.draft.step(Step::MountAttributes { mount: Location::at(copy, ""), attributes });
    }
    view.draft.step(Step::Mount(Mount::detached(copy).attributes(last).target(Some(place), "", None)));
    view.draft.steps([Step::Close(place), Step::Close(copy)]);
}

/// What is changed on the copy, before anybody sees it.
fn changes(options: &Options, recursive: bool, base: Propagation) -> Vec<Attributes> {
    let whole = |propagation: &&(Propagation, bool)| propagation.1;
    let mut all = Attributes {
        set: options.all.set,
        clear: options.all.clear,
        recursive,
        propagation: (!options.is_shared()).then_some(base),
        idmap: None,
    };
    let mut rest: Vec<(Propagation, bool)> = options.propagation.clone();
    if let Some(first) = options.propagation.first().filter(|first| whole(first) || !recursive) {
        // It replaces what all have otherwise.
        all.propagation = Some(first.0);
        rest.remove(0);
    }
    let top = Attributes { set: options.top.set, clear: options.top.clear, ..Attributes::default() };
    let mut changes: Vec<Attributes> = [all, top].into_iter().filter(|change| !change.is_empty()).collect();
    if let ([first, second], false) = (changes.as_mut_slice(), recursive) {
        // One mount alone: one call says all, the more special last.
        first.set = crate::MountFlags::from_bits(first.set.bits() & !second.clear.bits() | second.set.bits());
        first.clear =
            crate::MountFlags::from_bits(first.clear.bits() & !second.set.bits() | second.clear.bits());
        changes.truncate(1);
    }
    changes.extend(rest.into_iter().map(|(propagation, all)| Attributes {
        propagation: Some(propagation),
        recursive: all && recursive,
        ..Attributes::default()
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MountFlags;

    fn of(list: &[&str], recursive: bool) -> Vec<Attributes> {
        let list: Vec<String> = list.iter().map(|option| (*option).to_owned()).collect();
        changes(&Options::parse(&list).unwrap(), recursive, Propagation::Slave)
    }

    fn spread(propagation: Propagation, recursive: bool) -> Attributes {
        Attributes { propagation: Some(propagation), recursive, ..Attributes::default() }
    }

    #[test]
    fn a_bind_hears_of_the_hosts_mounts_unless_it_says_otherwise() {
        assert_eq!(of(&["bind"], false), [spread(Propagation::Slave, false)]);
        assert_eq!(of(&["rbind"], true), [spread(Propagation::Slave, true)]);
        assert_eq!(of(&["rbind", "rprivate"], true), [spread(Propagation::Private, true)]);
        assert_eq!(of(&["rbind", "rshared"], true), [spread(Propagation::Shared, true)]);
        let both = [spread(Propagation::Slave, true), spread(Propagation::Private, false)];
        assert_eq!(of(&["rbind", "private"], true), both);
        let both = [spread(Propagation::Slave, true), spread(Propagation::Shared, false)];
        assert_eq!(of(&["rbind", "rslave", "shared"], true), both);
    }

    #[test]
    fn read_only_is_the_top_alone_unless_it_is_recursive() {
        let top = Attributes::set(MountFlags::RDONLY);
        assert_eq!(of(&["rbind", "ro"], true), [spread(Propagation::Slave, true), top]);
        let all = Attributes { set: MountFlags::RDONLY, ..spread(Propagation::Slave, true) };
        assert_eq!(of(&["rbind", "rro"], true), [all]);
    }

    #[test]
    fn a_single_mount_takes_one_call() {
        let both = Attributes {
            set: MountFlags::RDONLY | MountFlags::NOSUID,
            ..spread(Propagation::Private, false)
        };
        assert_eq!(of(&["bind", "private", "rnosuid", "ro"], false), [both]);
        let cleared = Attributes { clear: MountFlags::RDONLY, ..spread(Propagation::Slave, false) };
        assert_eq!(of(&["bind", "rro", "rw"], false), [cleared]);
    }
}
