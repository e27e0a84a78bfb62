//! The root of the program.

use std::path::Path;

use super::draft::Draft;
use super::paths::Tree;
use super::union;
use crate::{
    Attributes, Changes, Error, Expected, Location, Mount, MountFlags, Namespaces, Open, Propagation, Root,
    Slot, Step,
};

/// Which root, and how it becomes the root.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRoot {
    /// A handle on its top.
    pub(super) slot: Slot,
    how: How,
}

/// How a new root becomes the root.
#[derive(Clone, Copy, Debug)]
enum How {
    /// It is the root.
    InPlace,
    /// It lies over the host's, which must go.
    Pivot,
    /// It lies over the empty root of the template, behind which there is nothing.
    Change,
}

impl NewRoot {
    /// The step that makes it the root.
    pub(super) fn change(self) -> Option<Step> {
        let root = self.slot;
        match self.how {
            How::InPlace => None,
            How::Pivot => Some(Step::PivotRoot { root }),
            How::Change => Some(Step::ChangeRoot { root }),
        }
    }

    /// What is done once everything is mounted in it: only then it can be made read-only, as the mount points of a
    /// union are made in it.
    pub(super) fn close(self, draft: &mut Draft<'_>, root: &Root) {
        if matches!(root, Root::Stack(stack) if stack.changes() == Changes::Refuse) {
            let attributes = Attributes::set(MountFlags::RDONLY);
            draft.step(Step::MountAttributes { mount: Location::at(self.slot, ""), attributes });
        }
    }
}

/// Mount events of the copied mounts stay in this mount namespace.
pub(super) fn separate(draft: &mut Draft<'_>) {
    let attributes =
        Attributes { recursive: true, propagation: Some(Propagation::Private), ..Attributes::default() };
    draft.step(Step::MountAttributes { mount: Location::path("/"), attributes });
}

/// Makes the new root ready for mounts. Everything of the host that is needed later must have been copied before.
///
/// In a new user namespace the host's files are restricted where they are: there the kernel has made sure that the
/// caller's root is that of its mount namespace, so there is nothing behind it. That saves a second copy of the
/// host's mounts, and taking the first one down.
pub(super) fn attach<'a>(
    draft: &mut Draft<'a>,
    root: &'a Root,
    tree: Option<&Tree>,
    new: Namespaces,
) -> Result<NewRoot, Error> {
    let in_place = *root == Root::Host && new.contains(Namespaces::USER | Namespaces::MNT);
    let attributes =
        Attributes { propagation: Some(Propagation::Private), ..Attributes::set_recursive(flags(root)) };
    if in_place {
        let slot = draft.plan.slot("/");
        draft.step(Step::MountAttributes { mount: Location::path("/"), attributes });
        draft.step(Step::Open { location: Location::path("/"), how: Open::PATH, into: slot });
        return Ok(NewRoot { slot, how: How::InPlace });
    }
    let slot = match root {
        Root::Stack(stack) => union::make(draft, stack, new)?,
        Root::Host => draft.copy(Path::new("/"), true),
        Root::Directory(path) | Root::ReadOnlyDirectory(path) => draft.copy(path, true),
    };
    if let Some(tree) = tree {
        let (dev, ino) = tree.identity();
        let expected = Expected { dev: Some(dev), ino: Some(ino), ..Expected::default() };
        draft.step(Step::Verify { file: slot, expected });
    }
    draft.step(Step::Mount(Mount::detached(slot).attributes(attributes).target(None, "/", None)));
    Ok(NewRoot { slot, how: if draft.outside { How::Change } else { How::Pivot } })
}

fn flags(root: &Root) -> MountFlags {
    match root {
        Root::Host => MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV,
        Root::Directory(_) | Root::Stack(_) => MountFlags::NODEV,
        Root::ReadOnlyDirectory(_) => MountFlags::RDONLY | MountFlags::NODEV,
    }
}
