//! The entries of one layer, one after another, into a directory.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::archive::{Archive, Entry, Kind};
use super::attributes::timestamps;
use super::fault::{Call, Fault, Result};
use super::name::{self, Path, Role};
use super::notes::{Later, LowerLink, Notes};
use super::parents::{Cache, Dir};
use super::pending::Pending;
use super::plan::{Form, Skipped, Unpack, Unpacked};
use super::stream::{Chunks, WithDiffId};
use super::{beneath, remove};
use crate::layer::ids::has;
use crate::{Digest, Error};

/// A layer on its way into a directory.
pub(super) struct Extract<'a> {
    pub(super) unpack: &'a Unpack,
    pub(super) root: Rc<Dir>,
    pub(super) cache: Cache,
    /// The directory was empty, so all that is in it is of this layer.
    pub(super) fresh: bool,
    /// Whether modes keep the caller out of directories.
    pub(super) bound_by_modes: bool,
    pub(super) notes: Notes,
    pub(super) skipped: Skipped,
    pub(super) entries: u64,
    pub(super) written: u64,
    /// Bytes of files with their holes.
    pub(super) apparent: u64,
    /// Directories without an entry of their own.
    pub(super) implicit: BTreeSet<Path>,
    /// Those that got one after something was put into them.
    pub(super) late: BTreeSet<Path>,
    pub(super) links: Vec<LowerLink>,
    pub(super) opaque_root: bool,
    /// Components that were looked up one by one.
    pub(super) steps: u64,
}

impl WithDiffId for Unpacked {
    fn set_diff_id(&mut self, diff_id: Digest) {
        self.diff_id = diff_id;
    }
}

/// Whether a layer may be unpacked into a directory, and whether it is empty.
pub(super) fn is_fresh(unpack: &Unpack, root: BorrowedFd<'_>) -> crate::Result<bool> {
    let check = || {
        let fd = beneath::directory(root, b"").call("open")?;
        let mut fresh = true;
        let listed = remove::pass(fd.as_fd(), |_, _| {
            fresh = false;
            Err(Errno::CANCELED)
        });
        if fresh {
            listed.call("getdents")?;
        } else if unpack.form != Form::Plain {
            return Err(Fault::Call("unpack a layer of its own", Errno::NOTEMPTY));
        }
        Ok(fresh)
    };
    check().map_err(|fault| fault.at(b"."))
}

/// Unpacks one layer from its decompressed stream.
pub(super) fn layer(
    unpack: &Unpack,
    root: BorrowedFd<'_>,
    fresh: bool,
    chunks: Chunks,
) -> crate::Result<Unpacked> {
    Extract::new(unpack, root, fresh).map_err(|fault| fault.at(b"."))?.run(chunks)
}

impl<'a> Extract<'a> {
    fn new(unpack: &'a Unpack, root: BorrowedFd<'_>, fresh: bool) -> Result<Self> {
        let fd = beneath::directory(root, b"").call("open")?;
        Ok(Self {
            unpack,
            root: Rc::new(Dir { path: Path::new(), fd }),
            cache: Cache::default(),
            fresh,
            bound_by_modes: !has(CapabilitySet::DAC_OVERRIDE),
            notes: Notes::new(unpack.limits.notes_bytes),
            skipped: Skipped::default(),
            entries: 0,
            written: 0,
            apparent: 0,
            implicit: BTreeSet::from([Path::new()]),
            late: BTreeSet::new(),
            links: Vec::new(),
            opaque_root: false,
            steps: 0,
        })
    }

    fn run(&mut self, chunks: Chunks) -> crate::Result<Unpacked> {
        let mut archive = Archive::new(chunks, &self.unpack.limits);
        let root = Rc::clone(&self.root);
        self.make_usable(&root).map_err(|fault| fault.at(b"."))?;
        while let Some(entry) = archive.next().map_err(|(name, fault)| fault.at(&name))? {
            self.entries += 1;
            if self.entries > self.unpack.limits.entries {
                return Err(Error::Limit { what: "layer entries", limit: self.unpack.limits.entries });
            }
            self.entry(&mut archive, &entry).map_err(|fault| fault.at(&entry.name))?;
        }
        archive.drain();
        for later in self.notes.take_later() {
            self.complete(&later).map_err(|fault| fault.at(&later.path))?;
        }
        Ok(Unpacked {
            diff_id: Digest::sha256(b""),
            entries: self.entries,
            bytes: self.written,
            end_marker: archive.end_marker,
            skipped: self.skipped,
            pending: self.pending(),
        })
    }

    fn pending(&mut self) -> Pending {
        let Form::Overlay(xattrs) = self.unpack.form else { return Pending::default() };
        Pending {
            implicit: std::mem::take(&mut self.implicit).into_iter().collect(),
            late: std::mem::take(&mut self.late).into_iter().collect(),
            links: std::mem::take(&mut self.links),
            opaque_root: self.opaque_root,
            marks: xattrs.into(),
        }
    }

    fn entry(&mut self, archive: &mut Archive<'_>, entry: &Entry) -> Result<()> {
        let path = name::clean(&entry.name, &self.unpack.limits)?;
        let (parent, last) = name::split(&path);
        let role = name::role(&path)?;
        if role == Role::Ignored {
            return Ok(());
        }
        if path.is_empty() {
            return match entry.kind {
                Kind::Directory => self.root_directory(entry),
                _ => Err(Fault::refused("would replace the root")),
            };
        }
        let Some(parent) = self.parent(parent, true)? else {
            return Err(Fault::Call("open its directory", Errno::NOENT));
        };
        match role {
            Role::Whiteout(deleted) => self.whiteout(&parent, deleted),
            Role::Opaque => self.opaque(&parent),
            _ => self.thing(archive, &parent, last, entry),
        }
    }

    /// What a directory gets when nothing is made in it any more. It may be gone, or something else by now.
    fn complete(&self, later: &Later) -> Result<()> {
        let root = self.root.fd.as_fd();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match beneath::open(root, &later.path, flags) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            result => result.call("open")?,
        };
        if let Some(mode) = later.mode {
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).call("fchmod")?;
        }
        rustix::fs::futimens(&fd, &timestamps(later.atime, later.mtime)).call("futimens")
    }
}
