//! The entries of a directory tree, or of an upper directory of overlay.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, openat, readlinkat};
use rustix::io::Errno;

use super::archive::Archive;
use super::header::{Entry, Kind, refused};
use super::walk::{DIRECTORY, Name, Walk, failed, file_type, inode, list, stat};
use super::xattrs::{ACCESS_LIST, CAPABILITY, Inode, Marks, Xattrs, is_whiteout, read, unbound};
use super::{CreateLayer, Form};
use crate::Result;

/// What deletions begin with (image-spec, layer.md "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Makes the entries of a tree.
pub(super) struct Tree<'a, 'b> {
    options: &'a CreateLayer,
    archive: Archive<'b>,
    walk: Walk,
    /// Where files with several names came first.
    links: HashMap<(u64, u64), Box<[u8]>>,
    sockets: u64,
    buffer: Box<[u8]>,
}

impl<'a, 'b> Tree<'a, 'b> {
    pub(super) fn new(options: &'a CreateLayer, archive: Archive<'b>) -> Self {
        let buffer = vec![0; 1 << 17].into_boxed_slice();
        Self { options, archive, walk: Walk::new(), links: HashMap::new(), sockets: 0, buffer }
    }

    /// Writes the archive. Tells how many entries it has, and how many sockets were left out.
    pub(super) fn write(mut self, root: BorrowedFd<'_>) -> Result<(u64, u64)> {
        self.directory(openat(root, c".", DIRECTORY, Mode::empty()).map_err(self.failed("openat"))?)?;
        while let Some(name) = self.walk.next()? {
            if !self.options.excluded(self.walk.path()) {
                self.name(&name)?;
            }
        }
        Ok((self.archive.end()?, self.sockets))
    }

    fn upper(&self) -> bool {
        self.options.form == Form::Upper
    }

    fn failed(&self, call: &'static str) -> impl Fn(Errno) -> crate::Error + '_ {
        failed(self.walk.path(), call)
    }

    fn refused(&self, reason: &str) -> crate::Error {
        refused(self.walk.path(), reason)
    }

    fn name(&mut self, name: &Name) -> Result<()> {
        let dir = self.walk.dir()?;
        let found = stat(dir, &name.name, AtFlags::empty()).map_err(self.failed("statx"))?;
        let kind = file_type(&found);
        if !name.kept || (kind == FileType::CharacterDevice && device(&found) == (0, 0)) {
            return self.whiteout(&name.name);
        }
        if name.name.to_bytes().starts_with(WHITEOUT) {
            return Err(self.refused("has a name that means a deletion in a layer"));
        }
        match kind {
            FileType::Directory => self
                .directory(openat(dir, &name.name, DIRECTORY, Mode::empty()).map_err(self.failed("openat"))?),
            FileType::Socket => {
                self.sockets += 1;
                Ok(())
            }
            _ if found.stx_nlink > 1 && self.link(&found)? => Ok(()),
            FileType::RegularFile => self.file(&name.name, &found),
            _ => self.special(&name.name, &found),
        }
    }

    /// A deletion.
    fn whiteout(&mut self, name: &CStr) -> Result<()> {
        if !self.upper() {
            return Err(self.refused("is a whiteout: the tree is an upper directory of overlay"));
        }
        let path = self.walk.path();
        let parent = &path[..path.len() - name.to_bytes().len()];
        let path = [parent, WHITEOUT, name.to_bytes()].concat();
        self.archive.head(&Entry::new(path, Kind::File { size: 0 }, 0))
    }

    /// A file that has an entry already. Notes one that has none.
    fn link(&mut self, found: &Statx) -> Result<bool> {
        let Some(first) = self.links.get(&inode(found)) else {
            self.links.insert(inode(found), self.walk.path().into());
            return Ok(false);
        };
        let kind = Kind::Link { target: first.to_vec() };
        let entry = self.entry(kind, found, Xattrs::default())?;
        self.archive.head(&entry)?;
        Ok(true)
    }

    fn directory(&mut self, dir: OwnedFd) -> Result<()> {
        let found = stat(dir.as_fd(), c"", AtFlags::EMPTY_PATH).map_err(self.failed("statx"))?;
        let xattrs = self.xattrs(&Inode::Open(dir.as_fd()))?;
        let marks = xattrs.marks;
        if marks.redirect {
            return Err(self.refused("was renamed: what is in it is in a lower directory of another name"));
        }
        let root = self.walk.path().is_empty();
        if !root || self.options.root {
            let mut entry = self.entry(Kind::Directory, &found, xattrs)?;
            if root {
                entry.path = b".".to_vec();
            }
            self.archive.head(&entry)?;
        }
        if marks.opaque {
            let path = [self.walk.path(), if root { b"" } else { b"/" }, OPAQUE].concat();
            self.archive.head(&Entry::new(path, Kind::File { size: 0 }, 0))?;
        }
        let names = self.names(&dir, marks).map_err(self.failed("list"))?;
        self.walk.enter(dir, &found, names);
        Ok(())
    }

    /// The names in a directory, with those known that stand for deletions.
    fn names(&self, dir: &OwnedFd, marks: Marks) -> rustix::io::Result<Vec<Name>> {
        let names = list(dir.as_fd())?.into_iter().map(|(name, kind)| {
            let deleted = self.upper() && deleted(dir.as_fd(), &name, kind, marks.whiteouts_inside)?;
            Ok(Name { kept: !deleted, name })
        });
        names.collect()
    }

    fn file(&mut self, name: &CStr, found: &Statx) -> Result<()> {
        // A name that became a fifo in the meantime does not block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(self.walk.dir()?, name, flags, Mode::empty()).map_err(self.failed("openat"))?;
        let before = stat(file.as_fd(), c"", AtFlags::EMPTY_PATH).map_err(self.failed("statx"))?;
        if inode(&before) != inode(found) || file_type(&before) != FileType::RegularFile {
            return Err(self.refused("was replaced while it was read"));
        }
        let xattrs = self.xattrs(&Inode::Open(file.as_fd()))?;
        if xattrs.marks.metacopy {
            return Err(self.refused("has its content in a lower directory (metacopy)"));
        }
        let entry = self.entry(Kind::File { size: before.stx_size }, &before, xattrs)?;
        self.archive.head(&entry)?;
        self.content(file.as_fd(), &before)?;
        self.archive.pad(before.stx_size)
    }

    fn content(&mut self, file: BorrowedFd<'_>, before: &Statx) -> Result<()> {
        let mut left = before.stx_size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let count =
                rustix::io::read(file, &mut self.buffer[..most]).map_err(failed(self.walk.path(), "read"))?;
            if count == 0 {
                return Err(self.refused("became shorter while it was read"));
            }
            self.archive.content(&self.buffer[..count])?;
            left -= count as u64;
        }
        let after = stat(file, c"", AtFlags::EMPTY_PATH).map_err(self.failed("statx"))?;
        let state = |stat: &Statx| (stat.stx_size, stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec);
        if state(&after) != state(before) {
            return Err(self.refused("changed while it was read"));
        }
        Ok(())
    }

    /// A link, a fifo or a device.
    fn special(&mut self, name: &CStr, found: &Statx) -> Result<()> {
        let dir = self.walk.dir()?;
        let (major, minor) = device(found);
        let kind = match file_type(found) {
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new()).map_err(self.failed("readlinkat"))?;
                Kind::Symlink { target: target.into_bytes() }
            }
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::Character { major, minor },
            FileType::BlockDevice => Kind::Block { major, minor },
            _ => return Err(self.refused("is of a type that no layer can hold")),
        };
        let xattrs = self.xattrs(&Inode::at(dir, name))?;
        let entry = self.entry(kind, found, xattrs)?;
        self.archive.head(&entry)
    }

    fn xattrs(&self, inode: &Inode<'_>) -> Result<Xattrs> {
        let mut found = read(inode).map_err(self.failed("listxattr"))?;
        if !self.upper() && found.marks.any() {
            return Err(self.refused("has marks of overlay: the tree is an upper directory"));
        }
        if self.options.ids != super::LayerIds::Keep {
            self.renumber(&mut found);
        }
        Ok(found)
    }

    /// Access control lists name owners, and capabilities of files can be bound to one.
    fn renumber(&self, found: &mut Xattrs) {
        found.kept.retain(|(name, _)| !name.starts_with(ACCESS_LIST));
        for (_, value) in found.kept.iter_mut().filter(|(name, _)| name == CAPABILITY) {
            if let Some(plain) = unbound(value, |id| self.options.ids.uid(id)) {
                *value = plain;
            }
        }
    }

    /// The entry of what is at the walk's path.
    fn entry(&self, kind: Kind, found: &Statx, xattrs: Xattrs) -> Result<Entry> {
        let ids = &self.options.ids;
        let unmapped = |what, id: u32| self.refused(&format!("belongs to {what} {id}, which is not mapped"));
        Ok(Entry {
            path: self.walk.path().to_vec(),
            kind,
            mode: found.stx_mode & 0o7777,
            uid: ids.uid(found.stx_uid).ok_or_else(|| unmapped("user", found.stx_uid))?,
            gid: ids.gid(found.stx_gid).ok_or_else(|| unmapped("group", found.stx_gid))?,
            mtime: self.options.times.of(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
            xattrs: xattrs.kept,
        })
    }
}

/// Whether a name stands for a deletion: a device 0:0, or a marked file in a directory that says that it has such.
fn deleted(dir: BorrowedFd<'_>, name: &CStr, kind: FileType, marked: bool) -> rustix::io::Result<bool> {
    let found = match kind {
        FileType::CharacterDevice | FileType::Unknown => stat(dir, name, AtFlags::empty())?,
        FileType::RegularFile if marked => return is_whiteout(&Inode::at(dir, name)),
        _ => return Ok(false),
    };
    match file_type(&found) {
        FileType::CharacterDevice => Ok(device(&found) == (0, 0)),
        FileType::RegularFile if marked => is_whiteout(&Inode::at(dir, name)),
        _ => Ok(false),
    }
}

fn device(stat: &Statx) -> (u32, u32) {
    (stat.stx_rdev_major, stat.stx_rdev_minor)
}
