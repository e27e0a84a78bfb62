//! Deletions of what lower layers have (image-spec, layer.md "Whiteouts"). Nothing of the layer itself is deleted by
//! them, wherever in the archive they stand.

use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, XattrFlags};
use rustix::io::Errno;

use super::extract::Extract;
use super::fault::{Call, Fault, Result};
use super::name::{self, Path};
use super::notes::Fact;
use super::parents::Dir;
use super::plan::{Form, OverlayXattrs};
use super::{beneath, remove};

impl Extract<'_> {
    /// Hides what lower layers have under a name.
    pub(super) fn whiteout(&mut self, dir: &Rc<Dir>, deleted: &[u8]) -> Result<()> {
        let path = name::join(&dir.path, deleted);
        name::check_length(&path, &self.unpack.limits)?;
        // What lower layers have cannot come back, so once is enough, however often it is said.
        if !self.notes.learn(Fact::Hidden, &path)? {
            return Ok(());
        }
        if self.unpack.form == Form::Plain {
            return match self.fresh {
                true if self.is_hollow(&path) => self.displace(dir, deleted),
                true => self.remove_hollow(&path),
                false => self.delete(dir, deleted, path),
            };
        }
        self.notes.learn(Fact::Deleted, &path)?;
        let mode = Mode::empty();
        match rustix::fs::mknodat(&dir.fd, deleted, FileType::CharacterDevice, mode, 0) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => self.cover(dir, deleted, &path),
            Err(errno) => Err(Fault::Call("mknodat", errno)),
        }
    }

    /// The layer has something of that name. If that is a directory, it must not be merged with a lower one.
    fn cover(&mut self, dir: &Rc<Dir>, name: &[u8], path: &[u8]) -> Result<()> {
        match beneath::directory(dir.fd.as_fd(), name) {
            Ok(_) if self.is_hollow(path) => {
                self.not_implicit(path);
                self.displace(dir, name)?;
                let (kind, mode) = (FileType::CharacterDevice, Mode::empty());
                rustix::fs::mknodat(&dir.fd, name, kind, mode, 0).call("mknodat")
            }
            Ok(fd) => {
                self.remove_hollow(path)?;
                self.not_implicit(path);
                self.mark_opaque(fd.as_fd())
            }
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(errno) => Err(Fault::Call("open", errno)),
        }
    }

    /// Hides all that lower layers have in a directory.
    pub(super) fn opaque(&mut self, dir: &Rc<Dir>) -> Result<()> {
        // Once is enough for this as well.
        if !self.notes.learn(Fact::Cleared, &dir.path)? {
            return Ok(());
        }
        self.remove_hollow(&dir.path)?;
        if self.unpack.form == Form::Plain {
            return if self.fresh { Ok(()) } else { self.clear(dir.path.clone()) };
        }
        if dir.path.is_empty() {
            // An overlay merges the roots of its layers whatever is set on them.
            self.opaque_root = true;
            return Ok(());
        }
        let fd = beneath::directory(dir.fd.as_fd(), b"").call("open")?;
        self.mark_opaque(fd.as_fd())
    }

    /// Removes the directories below one that are there only for what is to be deleted in them.
    fn remove_hollow(&mut self, path: &[u8]) -> Result<()> {
        let prefix = if path.is_empty() { Path::new() } else { [path, b"/"].concat() };
        let below = self.implicit.range(prefix.clone()..).take_while(|other| other.starts_with(&prefix));
        let hollow = below.filter(|other| !other.is_empty() && self.is_hollow(other));
        let all: Vec<Path> = hollow.cloned().collect();
        for path in all {
            let (parent, last) = name::split(&path);
            match beneath::handle(self.root.fd.as_fd(), parent) {
                Ok(fd) => self.displace(&Rc::new(Dir { path: parent.to_vec(), fd }), last)?,
                // It was in one of the others.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(Fault::Call("open", errno)),
            }
            self.not_implicit(&path);
        }
        Ok(())
    }

    pub(super) fn mark_opaque(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let name = match self.unpack.form {
            Form::Overlay(OverlayXattrs::Trusted) => "trusted.overlay.opaque",
            Form::Overlay(OverlayXattrs::User) => "user.overlay.opaque",
            Form::Plain => return Ok(()),
        };
        rustix::fs::fsetxattr(fd, name, b"y", XattrFlags::empty()).call("setxattr")
    }

    /// Deletes what lower layers left under a name.
    fn delete(&mut self, dir: &Rc<Dir>, name: &[u8], path: Path) -> Result<()> {
        let stat = match rustix::fs::statat(&dir.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            result => result.call("fstatat")?,
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let made = self.notes.knows(Fact::Made, &path) && !self.is_hollow(&path);
        if is_directory && (made || self.leads_to_new(&path)) {
            if !made {
                self.reset(&path)?;
            }
            return self.clear(path);
        }
        if made {
            return Ok(());
        }
        self.touch(dir)?;
        self.displace(dir, name)
    }

    /// Whether a directory of lower layers holds something of this one.
    fn leads_to_new(&self, path: &[u8]) -> bool {
        self.notes.knows(Fact::Passed, path)
    }

    /// Deletes what lower layers left in a directory, and in those of this layer in it.
    fn clear(&mut self, path: Path) -> Result<()> {
        let mut todo = vec![path];
        while let Some(path) = todo.pop() {
            let fd = beneath::directory(self.root.fd.as_fd(), &path).call("open")?;
            let dir = Rc::new(Dir { path, fd });
            self.touch(&dir)?;
            let mut kept = Vec::new();
            remove::pass(dir.fd.as_fd(), |name, is_directory| {
                let path = name::join(&dir.path, name.to_bytes());
                let made = self.notes.knows(Fact::Made, &path) && !self.is_hollow(&path);
                if is_directory && (made || self.leads_to_new(&path)) {
                    kept.push((path, made));
                    return Ok(());
                }
                match (made, is_directory) {
                    (true, _) => Ok(()),
                    (false, true) => remove::tree(dir.fd.as_fd(), name),
                    (false, false) => rustix::fs::unlinkat(&dir.fd, name, AtFlags::empty()),
                }
            })
            .call("remove")?;
            for (path, made) in kept {
                if !made {
                    self.reset(&path)?;
                }
                todo.push(path);
            }
        }
        self.cache.clear();
        Ok(())
    }

    /// A directory whose lower form is deleted, and that this layer has no entry for.
    fn reset(&mut self, path: &[u8]) -> Result<()> {
        let fd = beneath::directory(self.root.fd.as_fd(), path).call("open")?;
        self.notes.learn(Fact::Made, path)?;
        self.make_default(&fd, path)
    }
}
