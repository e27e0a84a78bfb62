//! The files of a container: its root, what is mounted in it, its devices, its console, and what of it is protected.
//!
//! The root is hostile, and may change while this goes on. So nothing in it is looked at beforehand for a decision that
//! protects: every path in it is resolved by the init, inside the root, into a descriptor, and what is done is done to that.
//! What comes from the host is named by paths that the configuration gives, looked at once, and verified to be that file when
//! it is used.

mod bind;
mod calls;
mod cgroup;
mod console;
mod copy_up;
mod cover;
mod destination;
mod devices;
mod entry;
mod fresh;
mod mapped;
mod options;
mod root;
mod view;

pub(crate) use console::open as open_terminal;
pub(crate) use cover::cover;
pub(crate) use options::names as mount_options;
pub(crate) use root::NewRoot;

use std::path::Path;

use super::{Request, Spaces};
use crate::oci::Result;
use crate::prepare::Draft;
use crate::{Attributes, Location, MountFlags, Namespaces, Step, template};

use entry::Entry;
use root::{Directory, Spread};
use view::View;

/// Everything that is mounted, in a root that is not yet the root.
pub(crate) fn make<'a>(draft: &mut Draft<'a>, request: &Request<'a>, spaces: &Spaces) -> Result<NewRoot> {
    let linux = request.spec.linux().as_ref();
    let spread = Spread::of(linux)?;
    let directory = Directory::open(request)?;
    let entries = Entry::all(request, spaces)?;
    cover::check(linux)?;
    fresh::check_label(linux)?;
    draft.outside |= is_shown_by_caller(spaces);
    // Modes are what is written here, not what the caller's umask leaves of it.
    draft.step(Step::Umask(0));
    let shared = bind::gather_shared(draft, &entries);
    root::separate(draft, spaces, spread);
    let root = root::attach(draft, request, &directory, spread);
    let mut view = View::new(draft, request, spaces, root.slot, directory, spread.base);
    for (entry, gathered) in entries.iter().zip(shared) {
        view.mount(entry, gathered)?;
    }
    devices::make(&mut view)?;
    console::make(&mut view)?;
    view.finish();
    Ok(root)
}

/// Whether the caller copies what is shown of the host: root of a new user namespace may not reach it by its path, and in a
/// mount namespace that is joined the path may be another file. A caller without the right to copy is the user who may.
fn is_shown_by_caller(spaces: &Spaces) -> bool {
    (spaces.other_user || spaces.joined.contains(Namespaces::MNT))
        && template::copy(Path::new("/"), false).is_ok()
}

/// It becomes the root.
pub(crate) fn enter(draft: &mut Draft<'_>, request: &Request<'_>, root: NewRoot) -> Result<()> {
    root::enter(draft, root);
    if request.spec.root().as_ref().is_some_and(|root| root.readonly() == Some(true)) {
        let attributes = Attributes::set(MountFlags::RDONLY);
        draft.step(Step::MountAttributes { mount: Location::at(root.slot, ""), attributes });
    }
    draft.step(Step::Close(root.slot));
    Ok(())
}

#[cfg(test)]
mod tests;
