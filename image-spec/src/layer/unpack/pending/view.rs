//! The layer and those below it as an overlay would show them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::Marks;
use crate::layer::unpack::beneath;
use crate::layer::unpack::fault::{Call, Fault, Result};
use crate::layer::unpack::name::{self, Path};

/// As many links as the kernel follows.
const LINKS: usize = 40;
const STEPS: usize = 4096;

/// A directory: those of the layers that are merged in it, the topmost first, with the number of their layer.
pub(super) type Merged = Vec<(usize, Rc<OwnedFd>)>;

/// What is there under a name.
pub(super) enum Found {
    Nothing,
    Directory(Merged),
    /// Something else, in this directory of this layer.
    Other {
        layer: usize,
        dir: Rc<OwnedFd>,
        stat: Box<Stat>,
    },
}

pub(super) struct View {
    roots: Merged,
    marks: Marks,
}

impl View {
    pub(super) fn new(layer: BorrowedFd<'_>, lowers: &[BorrowedFd<'_>], marks: Marks) -> Result<Self> {
        let all = std::iter::once(layer).chain(lowers.iter().copied());
        let roots =
            all.enumerate().map(|(number, fd)| Ok((number, Rc::new(beneath::handle(fd, b"").call("open")?))));
        Ok(Self { roots: roots.collect::<Result<_>>()?, marks })
    }

    pub(super) fn root(&self) -> &Merged {
        &self.roots
    }

    /// What lies under a name in a directory.
    pub(super) fn child(&self, dirs: &Merged, name: &[u8]) -> Result<Found> {
        let mut merged = Merged::new();
        for (layer, dir) in dirs {
            let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                result => result.call("fstatat")?,
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory {
                let fd = Rc::new(beneath::handle(dir.as_fd(), name).call("open")?);
                merged.push((*layer, Rc::clone(&fd)));
                if self.is_opaque(&fd)? {
                    break;
                }
            } else if is_whiteout(&stat) || !merged.is_empty() {
                break;
            } else {
                return Ok(Found::Other { layer: *layer, dir: Rc::clone(dir), stat: Box::new(stat) });
            }
        }
        Ok(if merged.is_empty() { Found::Nothing } else { Found::Directory(merged) })
    }

    /// The directory of this path, without links; empty if there is none.
    pub(super) fn directory(&self, path: &[u8]) -> Result<Merged> {
        let mut here = self.roots.clone();
        for part in name::components(path) {
            here = match self.child(&here, part)? {
                Found::Directory(merged) => merged,
                _ => return Ok(Merged::new()),
            };
        }
        Ok(here)
    }

    /// Where a path leads, seen from a directory, when links on the way are resolved below the root. What is not there
    /// is taken as it is.
    pub(super) fn resolve(&self, from: &[u8], path: &[u8]) -> Result<Path> {
        let mut here: Vec<(Vec<u8>, Merged)> = Vec::new();
        let mut todo: Vec<Vec<u8>> = Vec::new();
        let absolute = path.first() == Some(&b'/');
        queue(&mut todo, path);
        if !absolute {
            queue(&mut todo, from);
        }
        let (mut links, mut steps) = (0, 0);
        while let Some(part) = todo.pop() {
            steps += 1;
            if part == b".." {
                here.pop();
                continue;
            }
            let dirs = here.last().map_or(&self.roots, |(_, dirs)| dirs);
            let merged = match self.child(dirs, &part)? {
                Found::Nothing => Merged::new(),
                Found::Directory(merged) => merged,
                Found::Other { dir, .. } => match rustix::fs::readlinkat(&dir, &part, Vec::new()) {
                    Ok(target) => {
                        links += 1;
                        let target = target.into_bytes();
                        if target.first() == Some(&b'/') {
                            here.clear();
                        }
                        queue(&mut todo, &target);
                        if links > LINKS || steps + todo.len() > STEPS {
                            return Err(Fault::Call("resolve a link", Errno::LOOP));
                        }
                        continue;
                    }
                    Err(Errno::INVAL) => Merged::new(),
                    Err(errno) => return Err(Fault::Call("readlinkat", errno)),
                },
            };
            here.push((part, merged));
        }
        let mut path = Path::new();
        here.iter().for_each(|(part, _)| name::push(&mut path, part));
        Ok(path)
    }

    fn is_opaque(&self, dir: &OwnedFd) -> Result<bool> {
        let mut value = [0; 8];
        let path = beneath::proc_path(dir.as_fd());
        match rustix::fs::getxattr(path, self.marks.opaque(), &mut value[..]) {
            Ok(count) => Ok(value[..count] == *b"y"),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(Fault::Call("getxattr", errno)),
        }
    }
}

fn queue(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    todo.extend(name::components(path).rev().map(<[u8]>::to_vec));
}

/// The overlay's mark for something deleted.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
