//! A layer's directories, reached again and again from its root, at any depth, with at most two descriptors.

use super::trail::Trail;
use crate::Result;
use crate::whiteout::fault;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How far apart the directory that is held on the way and the one in use may be, at least.
const SPAN: usize = 256;
/// Bytes of a path that one call takes: the kernel's limit is 4096.
const PATH_BYTES: usize = 4000;

/// A directory of a layer, so many levels below its root.
struct At {
    depth: usize,
    fd: OwnedFd,
}

pub(super) struct Layer<'a> {
    root: BorrowedFd<'a>,
    current: Option<At>,
    /// Only in deep trees: reached from here, all directories of such a tree cost a time that grows with its depth, not with
    /// the square.
    anchor: Option<At>,
}

impl<'a> Layer<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, current: None, anchor: None }
    }

    /// The walk left what is deeper than this.
    pub(super) fn leave(&mut self, depth: usize) {
        self.current.take_if(|at| at.depth > depth);
        self.anchor.take_if(|at| at.depth > depth);
    }

    /// The directory at the end of a trail, by `O_PATH`. The trails of two calls are one on the way to the other, unless there was a
    /// call of `leave` between them.
    pub(super) fn directory(&mut self, trail: &Trail) -> Result<BorrowedFd<'_>> {
        let depth = trail.depth();
        if depth == 0 {
            return Ok(self.root);
        }
        self.leave(depth);
        if depth - self.anchor.as_ref().map_or(0, |at| at.depth) > 2 * SPAN {
            let anchor = self.descend(self.anchor.as_ref(), trail, depth - SPAN)?;
            self.anchor = Some(anchor);
        }
        let at = match self.current.take() {
            Some(at) if at.depth == depth => at,
            current => self.descend(current.as_ref().or(self.anchor.as_ref()), trail, depth)?,
        };
        Ok(self.current.insert(at).fd.as_fd())
    }

    /// Opens a directory from one on the way, or the root, in as few steps as the length of the names allows.
    fn descend(&self, from: Option<&At>, trail: &Trail, depth: usize) -> Result<At> {
        let start = from.map_or(self.root, |at| at.fd.as_fd());
        let step = |from: BorrowedFd<'_>, here: usize| -> Result<At> {
            if here == depth {
                return Ok(At { depth, fd: open(from, OsStr::new("."))? });
            }
            let (part, depth) = trail.part(here, depth, PATH_BYTES);
            Ok(At { depth, fd: open(from, part)? })
        };
        let mut at = step(start, from.map_or(0, |at| at.depth))?;
        while at.depth < depth {
            at = step(at.fd.as_fd(), at.depth)?;
        }
        Ok(at)
    }
}

fn open(from: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // What is mounted on a layer is no part of it for overlayfs either.
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(from, path, flags, Mode::empty(), resolve).map_err(|raw| fault("openat2", path, raw))
}
