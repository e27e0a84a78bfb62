//! Completes a layer above others.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};
use rustix::io::Errno;

use super::copy::{self, At};
use super::restore::Restore;
use super::view::{Found, Merged, View, is_whiteout};
use super::{Pending, Redirects, Settled};
use crate::Result;
use crate::layer::unpack::fault::{Call, Fault, Result as Outcome};
use crate::layer::unpack::name;
use crate::layer::unpack::notes::LowerLink;
use crate::layer::unpack::{beneath, remove};

pub(super) fn settle(pending: &Pending, layer: BorrowedFd<'_>, lowers: &[BorrowedFd<'_>]) -> Result<Settled> {
    let view = View::new(layer, lowers, pending.marks).map_err(|fault| fault.at(b"."))?;
    let redirects = match pending.opaque_root {
        true => Redirects::default(),
        false => redirects(pending, &view)?,
    };
    if !redirects.0.is_empty() {
        return Ok(Settled::Redirect(redirects));
    }
    let (restore, made, copied) = (Restore::new(layer), BTreeSet::new(), BTreeSet::new());
    let mut work = Work { view, layer, restore, made, copied };
    for link in &pending.links {
        work.link(link).map_err(|fault| fault.at(&link.path))?;
    }
    if pending.opaque_root {
        work.hide_all(pending).map_err(|fault| fault.at(b".wh..wh..opq"))?;
    }
    let Work { view, restore, made, .. } = work;
    restore.finish().map_err(|fault| fault.at(b"."))?;
    // Of a root that hides all below nothing is merged, but it is still the root of what is below.
    let lower_root = view.root().get(1).map(|(_, root)| Rc::clone(root));
    let view = if pending.opaque_root { alone(pending, layer)? } else { view };
    // Those in a directory before it, as its mode may keep the caller out.
    let implicit: BTreeSet<&Vec<u8>> = pending.implicit.iter().chain(&made).collect();
    for path in implicit.into_iter().rev() {
        let inherited = match path.is_empty() {
            true => inherit_root(lower_root.as_deref(), layer),
            false => inherit(&view, layer, path),
        };
        inherited.map_err(|fault| fault.at(path))?;
    }
    Ok(Settled::Complete)
}

/// The layer as if there were none below.
fn alone(pending: &Pending, layer: BorrowedFd<'_>) -> Result<View> {
    View::new(layer, &[], pending.marks).map_err(|fault| fault.at(b"."))
}

/// The directories without an entry that are links below; those in them follow when they are where they belong.
fn redirects(pending: &Pending, view: &View) -> Result<Redirects> {
    let mut redirects = Redirects::default();
    for path in pending.implicit.iter().chain(&pending.late).filter(|path| !path.is_empty()) {
        let target = || {
            let (parent, last) = name::split(path);
            let lower = view.directory(parent)?.into_iter().filter(|(layer, _)| *layer > 0).collect();
            let Found::Other { dir, stat, .. } = view.child(&lower, last)? else { return Ok(None) };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Ok(None);
            }
            let target = rustix::fs::readlinkat(&dir, last, Vec::new()).call("readlinkat")?;
            view.resolve(parent, target.as_bytes()).map(Some)
        };
        if let Some(target) = target().map_err(|fault: Fault| fault.at(path))? {
            redirects.0.insert(path.clone(), target);
        }
    }
    Ok(redirects)
}

/// What the layers below have where the layer has a directory; `None` if it has none there any more.
fn below(view: &View, path: &[u8]) -> Outcome<Option<Found>> {
    let (parent, last) = name::split(path);
    let dirs = view.directory(parent)?;
    let Some((0, own)) = dirs.first() else { return Ok(None) };
    match rustix::fs::statat(own, last, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Fault::Call("fstatat", errno)),
    }
    let lower: Merged = dirs.into_iter().filter(|(layer, _)| *layer > 0).collect();
    view.child(&lower, last).map(Some)
}

fn inherit_root(lower: Option<&OwnedFd>, layer: BorrowedFd<'_>) -> Outcome<()> {
    let Some(lower) = lower else { return Ok(()) };
    let stat = rustix::fs::fstat(lower).call("fstat")?;
    let at = |dir| At { dir, name: b"." };
    copy::attributes(at(lower.as_fd()), &stat, at(layer))
}

/// Gives a directory without an entry what is said of it below.
fn inherit(view: &View, layer: BorrowedFd<'_>, path: &[u8]) -> Outcome<()> {
    let Some(Found::Directory(lower)) = below(view, path)? else { return Ok(()) };
    let Some((_, lower)) = lower.first() else { return Ok(()) };
    let stat = rustix::fs::fstat(lower).call("fstat")?;
    let (parent, last) = name::split(path);
    let parent = beneath::handle(layer, parent).call("open")?;
    let to = At { dir: parent.as_fd(), name: last };
    copy::attributes(At { dir: lower.as_fd(), name: b"." }, &stat, to)
}

struct Work<'f> {
    view: View,
    layer: BorrowedFd<'f>,
    restore: Restore<'f>,
    /// Directories made for copies.
    made: BTreeSet<Vec<u8>>,
    /// Files that were copied up, and links to them.
    copied: BTreeSet<Vec<u8>>,
}

impl Work<'_> {
    /// Copies the file up, as an overlay would, and makes a second name for it.
    fn link(&mut self, link: &LowerLink) -> Outcome<()> {
        let missing = || {
            let target = link.target.escape_ascii();
            Fault::refused(format!("is a hard link to `{target}`, which is not there"))
        };
        let (parent, last) = name::split(&link.target);
        let parent = self.view.resolve(b"", parent)?;
        let dirs = self.view.directory(&parent)?;
        let Found::Other { layer, dir, stat } = self.view.child(&dirs, last)? else {
            return Err(missing());
        };
        let path = name::join(&parent, last);
        // What the layer itself has there came later in the archive, so the link is to nothing.
        if layer == 0 && !self.copied.contains(&path) {
            return Err(missing());
        }
        let target = self.directory(&parent)?;
        if self.copied.insert(path) {
            let to = At { dir: target.as_fd(), name: last };
            copy::file(At { dir: dir.as_fd(), name: last }, &stat, to)?;
        }
        let (parent, name) = name::split(&link.path);
        let parent = match beneath::handle(self.layer, parent) {
            // Replaced by something later in the archive.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Ok(_) => self.restore.open(parent)?,
            Err(errno) => return Err(Fault::Call("open", errno)),
        };
        match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Fault::Call("fstatat", errno)),
            Ok(stat) if is_whiteout(&stat) => {
                rustix::fs::unlinkat(&parent, name, AtFlags::empty()).call("unlinkat")?;
            }
            // Something of this name came later in the archive.
            Ok(_) => return Ok(()),
        }
        rustix::fs::linkat(&target, last, &parent, name, AtFlags::empty()).call("linkat")?;
        // A later link may be to this one.
        self.copied.insert(link.path.clone());
        Ok(())
    }

    /// The directory of this path in the layer, made if it is only below.
    fn directory(&mut self, path: &[u8]) -> Outcome<std::os::fd::OwnedFd> {
        let mut here = Vec::new();
        for part in name::components(path) {
            let next = name::join(&here, part);
            if beneath::handle(self.layer, &next).is_err() {
                let parent = self.restore.open(&here)?;
                rustix::fs::mkdirat(&parent, part, Mode::RWXU).call("mkdirat")?;
                self.made.insert(next.clone());
            }
            here = next;
        }
        self.restore.open(path)
    }

    /// Marks all that is below in the root as deleted, or as not to be merged.
    fn hide_all(&mut self, pending: &Pending) -> Outcome<()> {
        let root = self.restore.open(b"")?;
        for (_, lower) in self.view.root().iter().skip(1) {
            let lower = beneath::directory(lower.as_fd(), b"").call("open")?;
            remove::pass(lower.as_fd(), |name, _| {
                let mode = Mode::empty();
                match rustix::fs::mknodat(&root, name, FileType::CharacterDevice, mode, 0) {
                    Err(Errno::EXIST) => {}
                    result => return result,
                }
                match beneath::directory(root.as_fd(), name.to_bytes()) {
                    Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                    Err(errno) => Err(errno),
                    Ok(fd) => rustix::fs::fsetxattr(fd, pending.marks.opaque(), b"y", XattrFlags::empty()),
                }
            })
            .call("hide")?;
        }
        Ok(())
    }
}
