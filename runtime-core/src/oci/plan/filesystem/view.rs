//! What a container will see, step by step.

use std::path::{Path, PathBuf};

use super::calls::magic;
use super::destination::{self, relative};
use super::entry::{Entry, What};
use super::root::Directory;
use super::{bind, cgroup, fresh};
use crate::oci::Result;
use crate::oci::plan::{Request, Spaces};
use crate::prepare::Draft;
use crate::{
    Attributes, Expected, Location, MountFlags, Namespaces, Open, Propagation, Slot, Step, TargetKind,
};

/// The files of a container in the making.
pub(super) struct View<'v, 'a> {
    pub(super) draft: &'v mut Draft<'a>,
    pub(super) request: &'v Request<'a>,
    pub(super) spaces: &'v Spaces,
    pub(super) root: Slot,
    pub(super) directory: Directory,
    /// How the events of mounts spread that say nothing themselves.
    pub(super) base: Propagation,
    /// What lies over parts of the root.
    covers: Vec<(PathBuf, Ground)>,
    /// Made read-only once everything is mounted in them.
    late: Vec<Slot>,
}

/// What a part of the view is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// The directory of the root.
    Root,
    /// A file or directory of the host.
    Host(PathBuf),
    /// A file system of the container's own.
    Fresh,
}

/// A directory, through no link at all.
const STRICT_DIRECTORY: Open =
    Open { resolve: Open::DIRECTORY_IN_ROOT.resolve | libc::RESOLVE_NO_SYMLINKS, ..Open::DIRECTORY_IN_ROOT };

impl<'v, 'a> View<'v, 'a> {
    pub(super) fn new(
        draft: &'v mut Draft<'a>,
        request: &'v Request<'a>,
        spaces: &'v Spaces,
        root: Slot,
        directory: Directory,
        base: Propagation,
    ) -> Self {
        Self { draft, request, spaces, root, directory, base, covers: Vec::new(), late: Vec::new() }
    }

    /// One entry of `mounts`.
    pub(super) fn mount(&mut self, entry: &Entry, gathered: Option<Slot>) -> Result<()> {
        let ground = match &entry.what {
            What::Bind { source, .. } => Ground::Host(source.path.clone()),
            What::New { .. } | What::Cgroup => Ground::Fresh,
            What::Change => self.ground(&entry.destination).0,
        };
        match &entry.what {
            What::Bind { source, recursive } => bind::mount(self, entry, source, *recursive, gathered),
            What::New { filesystem } => fresh::mount(self, entry, filesystem)?,
            What::Cgroup => cgroup::mount(self, entry)?,
            What::Change => fresh::change(self, entry),
        }
        self.covers.push((entry.destination.clone(), ground));
        Ok(())
    }

    /// What a path is made of by now, as far as its words tell, and the rest of the path in that.
    pub(super) fn ground(&self, path: &Path) -> (Ground, PathBuf) {
        let cover = self.covers.iter().rev().find_map(|(covered, ground)| {
            path.strip_prefix(covered).ok().map(|rest| (ground.clone(), rest.to_owned()))
        });
        cover.unwrap_or_else(|| (Ground::Root, relative(path).to_owned()))
    }

    /// Whether a directory belongs to the host, so that nothing may be replaced in it.
    pub(super) fn is_hosts(&self, path: &Path) -> bool {
        match self.ground(path).0 {
            Ground::Host(_) => true,
            Ground::Root => self.directory.is_hosts,
            Ground::Fresh => false,
        }
    }

    /// A handle on the place of a mount, which is made where it is missing.
    pub(super) fn place(&mut self, entry: &Entry, kind: TargetKind) -> Slot {
        let path = &entry.destination;
        let slot = self.draft.plan.slot(path.display().to_string());
        let inside = relative(path);
        if !entry.is_strict() {
            self.draft.step(Step::MakeTarget { root: self.root, path: path.clone(), kind, into: slot });
            if destination::in_proc(path).is_none() {
                // A link may lead there, and what is written in procfs must get there.
                let expected = Expected { other_filesystem: Some(magic::PROC), ..Expected::default() };
                self.draft.step(Step::Verify { file: slot, expected });
            }
            return slot;
        }
        let location = Location::at(self.root, inside);
        if inside.components().count() == 1 {
            self.draft.step(Step::Directory { location: location.clone(), mode: 0o755 });
        } else {
            self.draft.step(Step::MakeTarget { root: self.root, path: path.clone(), kind, into: slot });
            self.draft.step(Step::Close(slot));
        }
        self.draft.step(Step::Open { location, how: STRICT_DIRECTORY, into: slot });
        slot
    }

    /// A handle on a directory of the root, which is made where it is missing.
    pub(super) fn directory(&mut self, path: &Path) -> Slot {
        let slot = self.draft.plan.slot(path.display().to_string());
        let kind = TargetKind::Directory;
        self.draft.step(Step::MakeTarget { root: self.root, path: path.to_owned(), kind, into: slot });
        slot
    }

    /// A mount that is read-only at last.
    pub(super) fn read_only_later(&mut self, mount: Slot) {
        self.late.push(mount);
    }

    pub(super) fn has_own(&self, kind: Namespaces) -> bool {
        self.spaces.has_own(kind)
    }

    /// What had to wait.
    pub(super) fn finish(self) {
        for mount in self.late {
            let attributes = Attributes::set(MountFlags::RDONLY);
            self.draft.step(Step::MountAttributes { mount: Location::at(mount, ""), attributes });
            self.draft.step(Step::Close(mount));
        }
    }
}
