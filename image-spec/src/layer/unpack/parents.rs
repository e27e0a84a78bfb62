//! The directories that entries lie in: found, resolved below the root, made if they are missing.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid};
use rustix::io::Errno;

use super::attributes::time_of;
use super::extract::Extract;
use super::fault::{Call, Fault, Result};
use super::name::{self, Path};
use super::notes::{Fact, above};
use super::pax::Time;
use super::plan::Form;
use super::{beneath, remove};

/// As many links as the kernel follows.
const LINKS: usize = 40;
/// Components that one path may have with what its links lead through.
const STEPS: usize = 4096;
/// Steps for all paths of a layer. Most paths take none; links can make each take as many as one may.
const ALL_STEPS: u64 = 1 << 26;

/// An open directory.
pub(super) struct Dir {
    /// Where it is, without links.
    pub(super) path: Path,
    pub(super) fd: OwnedFd,
}

/// The directories used last, by the paths in the archive.
#[derive(Default)]
pub(super) struct Cache {
    dirs: HashMap<Path, (Rc<Dir>, u64)>,
    clock: u64,
}

impl Cache {
    const MOST: usize = 64;

    fn get(&mut self, path: &[u8]) -> Option<Rc<Dir>> {
        self.clock += 1;
        let (dir, used) = self.dirs.get_mut(path)?;
        *used = self.clock;
        Some(Rc::clone(dir))
    }

    pub(super) fn put(&mut self, path: &[u8], dir: &Rc<Dir>) {
        if self.dirs.len() >= Self::MOST {
            let oldest = self.dirs.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            if let Some(oldest) = oldest {
                self.dirs.remove(&oldest);
            }
        }
        self.clock += 1;
        self.dirs.insert(path.to_vec(), (Rc::clone(dir), self.clock));
    }

    /// Something was removed: any of them may have been that, or have been reached through it.
    pub(super) fn clear(&mut self) {
        self.dirs.clear();
    }
}

enum Step {
    Into(Rc<Dir>),
    Link(Vec<u8>),
    Missing,
}

impl Extract<'_> {
    /// The directory of this path. Symbolic links on the way are resolved as if the root were `/`. What is missing is
    /// made if `make` is set; otherwise there may be none.
    pub(super) fn parent(&mut self, path: &[u8], make: bool) -> Result<Option<Rc<Dir>>> {
        if path.is_empty() {
            return Ok(Some(Rc::clone(&self.root)));
        }
        if let Some(dir) = self.cache.get(path) {
            return Ok(Some(dir));
        }
        let found = match self.straight(path) {
            Some(dir) => Some(dir),
            None => self.walk(path, make)?,
        };
        if let Some(dir) = &found {
            self.cache.put(path, dir);
        }
        Ok(found)
    }

    /// The usual case in one call: all components are directories. What cannot be had so is walked to.
    fn straight(&self, path: &[u8]) -> Option<Rc<Dir>> {
        if self.bound_by_modes && !self.fresh {
            return None;
        }
        let fd = beneath::handle(self.root.fd.as_fd(), path).ok()?;
        Some(Rc::new(Dir { path: path.to_vec(), fd }))
    }

    fn walk(&mut self, path: &[u8], make: bool) -> Result<Option<Rc<Dir>>> {
        let mut todo: Vec<Vec<u8>> = Vec::new();
        let mut here = self.begin(path, &mut todo);
        let (mut links, mut steps) = (0, 0);
        while let Some(part) = todo.pop() {
            steps += 1;
            self.steps += 1;
            if self.steps > ALL_STEPS {
                return Err(Fault::limit("steps to the directories of a layer", ALL_STEPS));
            }
            if part == b".." {
                let above = name::split(&here.path).0.to_vec();
                here = self.reopen(above)?;
                continue;
            }
            match self.step(&here, &part, make)? {
                Step::Into(dir) => here = dir,
                Step::Missing => return Ok(None),
                Step::Link(target) => {
                    links += 1;
                    if target.first() == Some(&b'/') {
                        here = Rc::clone(&self.root);
                    }
                    todo.extend(name::components(&target).rev().map(<[u8]>::to_vec));
                }
            }
            if links > LINKS || steps + todo.len() > STEPS {
                return Err(Fault::Call("resolve its directory", Errno::LOOP));
            }
        }
        Ok(Some(here))
    }

    /// The nearest directory on the way that is open, and what is left of the way.
    fn begin(&mut self, path: &[u8], todo: &mut Vec<Vec<u8>>) -> Rc<Dir> {
        let mut known = path;
        loop {
            let (parent, last) = name::split(known);
            todo.push(last.to_vec());
            if parent.is_empty() {
                return Rc::clone(&self.root);
            }
            if let Some(dir) = self.cache.get(parent) {
                return dir;
            }
            known = parent;
        }
    }

    fn reopen(&self, path: Path) -> Result<Rc<Dir>> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        let fd = beneath::handle(self.root.fd.as_fd(), &path).call("openat2")?;
        Ok(Rc::new(Dir { path, fd }))
    }

    fn step(&mut self, here: &Rc<Dir>, part: &[u8], make: bool) -> Result<Step> {
        let path = name::join(&here.path, part);
        name::check_length(&path, &self.unpack.limits)?;
        match beneath::handle(here.fd.as_fd(), part) {
            Ok(fd) => {
                let dir = Rc::new(Dir { path, fd });
                self.make_usable(&dir)?;
                Ok(Step::Into(dir))
            }
            Err(Errno::NOENT) if self.unpack.redirects.0.contains_key(&path) => {
                let target = &self.unpack.redirects.0[&path];
                Ok(Step::Link([b"/", target.as_slice()].concat()))
            }
            Err(Errno::NOENT) if make => self.implicit(here, part, path).map(Step::Into),
            Err(Errno::NOENT) => Ok(Step::Missing),
            Err(Errno::NOTDIR | Errno::LOOP) => self.not_a_directory(here, part, path, make),
            Err(errno) => Err(Fault::Call("openat2", errno)),
        }
    }

    fn not_a_directory(&mut self, here: &Rc<Dir>, part: &[u8], path: Path, make: bool) -> Result<Step> {
        match rustix::fs::readlinkat(&here.fd, part, Vec::new()) {
            Ok(target) => return Ok(Step::Link(target.into_bytes())),
            Err(Errno::INVAL) if make => {}
            Err(Errno::INVAL) => return Ok(Step::Missing),
            Err(errno) => return Err(Fault::Call("readlinkat", errno)),
        }
        // What lower layers have there is covered; what this one has is a contradiction.
        let of_this_layer = match self.fresh {
            true => !self.is_whiteout(here, part)?,
            false => self.notes.knows(Fact::Made, &path),
        };
        if of_this_layer {
            let path = path.escape_ascii();
            return Err(Fault::refused(format!("lies below `{path}`, which is not a directory")));
        }
        self.touch(here)?;
        self.displace(here, part)?;
        self.implicit(here, part, path).map(Step::Into)
    }

    /// Makes a directory that has no entry: nothing is known of it but that it is there.
    fn implicit(&mut self, here: &Rc<Dir>, part: &[u8], path: Path) -> Result<Rc<Dir>> {
        self.touch(here)?;
        rustix::fs::mkdirat(&here.fd, part, Mode::RWXU).call("mkdirat")?;
        let fd = beneath::directory(here.fd.as_fd(), part).call("open")?;
        self.make_default(&fd, &path)?;
        if self.notes.knows(Fact::Deleted, &path) {
            self.mark_opaque(fd.as_fd())?;
        } else {
            self.notes.pay(path.len() + 64)?;
            self.implicit.insert(path.clone());
        }
        if !self.fresh {
            self.notes.learn(Fact::Made, &path)?;
        }
        Ok(Rc::new(Dir { path, fd }))
    }

    /// The directory is not without an entry any more. What was put into it before may have belonged elsewhere.
    pub(super) fn not_implicit(&mut self, path: &[u8]) {
        if let Some(path) = self.implicit.take(path) {
            self.late.insert(path);
        }
    }

    /// What a directory is of which nothing is said: root's, for all to read, as old as can be.
    pub(super) fn make_default(&mut self, fd: &OwnedFd, path: &[u8]) -> Result<()> {
        if let Some((uid, gid)) = self.unpack.ids.of(0, 0).map_err(Fault::Refused)? {
            rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).call("fchown")?;
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(0o755)).call("fchmod")?;
        self.notes.later(path, None, Time::default(), Time::default())
    }

    /// Something is about to change in this directory. If it is one of lower layers, its times are to stay.
    pub(super) fn touch(&mut self, dir: &Rc<Dir>) -> Result<()> {
        let path = &dir.path;
        if self.fresh || self.notes.knows(Fact::Made, path) || !self.notes.learn(Fact::Touched, path)? {
            return Ok(());
        }
        let stat = rustix::fs::fstat(&dir.fd).call("fstat")?;
        let (atime, mtime) = time_of(&stat);
        self.notes.later(path, None, atime, mtime)
    }

    /// Something of this layer is to lie in this directory, which therefore stays if it is deleted below.
    pub(super) fn lead(&mut self, dir: &Rc<Dir>) -> Result<()> {
        for path in std::iter::once(&dir.path[..]).chain(above(&dir.path)) {
            if !self.notes.learn(Fact::Passed, path)? {
                break;
            }
        }
        Ok(())
    }

    /// A directory that is there only as something in it was to be deleted.
    pub(super) fn is_hollow(&self, path: &[u8]) -> bool {
        self.implicit.contains(path) && !self.notes.knows(Fact::Passed, path)
    }

    /// Gives the caller access to a directory of a lower layer, until the end.
    pub(super) fn make_usable(&mut self, dir: &Rc<Dir>) -> Result<()> {
        if !self.bound_by_modes || self.fresh {
            return Ok(());
        }
        let stat = rustix::fs::fstat(&dir.fd).call("fstat")?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.contains(Mode::RWXU) {
            return Ok(());
        }
        let (atime, mtime) = time_of(&stat);
        // Its times are noted with its mode.
        self.notes.learn(Fact::Touched, &dir.path)?;
        self.notes.later(&dir.path, Some(mode.as_raw_mode()), atime, mtime)?;
        beneath::chmod(dir.fd.as_fd(), mode | Mode::RWXU).call("chmod")
    }

    /// Removes what has the name of something new.
    pub(super) fn displace(&mut self, dir: &Rc<Dir>, name: &[u8]) -> Result<()> {
        self.cache.clear();
        match rustix::fs::unlinkat(&dir.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => {
                let name = std::ffi::CString::new(name).map_err(|_| Fault::refused("holds a zero byte"))?;
                remove::tree(dir.fd.as_fd(), &name).call("remove")
            }
            Err(errno) => Err(Fault::Call("unlinkat", errno)),
        }
    }

    /// Whether this is the overlay's mark for something deleted.
    pub(super) fn is_whiteout(&self, dir: &Rc<Dir>, name: &[u8]) -> Result<bool> {
        let stat = rustix::fs::statat(&dir.fd, name, AtFlags::SYMLINK_NOFOLLOW).call("fstatat")?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        Ok(self.unpack.form != Form::Plain && is_device && stat.st_rdev == 0)
    }
}
