//! The walk through the upper directory.

use super::change::{Change, ChangeKind, EntryType};
use super::compare::{Place, same_content};
use super::layer::Layer;
use super::lookup::{Below, LowerDir, Lowers, is_metacopy, is_redirected, is_whiteout, refuse_redirect};
use super::metadata::same_metadata;
use super::trail::Trail;
use crate::whiteout::{Opacity, XattrNamespace, fault, opacity, stat};
use crate::{Error, Result};
use rustix::fs::{Dir, Mode, OFlags, Stat, openat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

/// An iterator of what an upper directory changes.
///
/// It goes through the upper directory depth first, a directory before what is in it, in the order of the bytes of names; so
/// the same directories give the same items. A file is read only if there is one of the same size below it. What was
/// copied up and is as it is below is no change, nor is a file of which only metadata was copied (`metacopy`) if that is the
/// same. The root directory itself is not compared.
///
/// What cannot be read or compared is an item, too, and the walk goes on beside it. Such is a directory that was renamed
/// with the option `redirect_dir`.
///
/// It takes memory for the names of directories on the way, and at most two descriptors for each layer, so depth is not
/// limited.
///
/// ```
/// use cofferdam_overlay::{ChangeKind, Changes, XattrNamespace, make_whiteout};
/// use std::fs::{self, File};
///
/// let (upper, lower) = (tempfile::tempdir()?, tempfile::tempdir()?);
/// fs::write(lower.path().join("old"), "1")?;
/// fs::write(upper.path().join("new"), "2")?;
/// let (upper, lowers) = (File::open(&upper)?, [File::open(&lower)?]);
/// make_whiteout(&upper, "old")?;
///
/// let changes = Changes::new(&upper, &lowers, XattrNamespace::Trusted);
/// let found: Vec<_> = changes.map(|change| change.map(|change| (change.path, change.kind))).collect::<Result<_, _>>()?;
/// assert_eq!(found, [("new".into(), ChangeKind::Added), ("old".into(), ChangeKind::Deleted)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Items are [`Error::Path`] with the path below the root, or [`Error::Invalid`].
///
/// # Privileges
///
/// Those to read the directories. Marks of [`XattrNamespace::Trusted`] are seen with `CAP_SYS_ADMIN` of the host only: without it,
/// opaque directories look as if they were merged.
pub struct Changes<'a> {
    upper: Layer<'a>,
    lowers: Lowers<'a>,
    stack: Vec<Frame>,
    /// Names from the root to the directory of the last frame.
    path: Trail,
    ready: VecDeque<Result<Change>>,
    begun: bool,
}

/// A directory that is walked through.
struct Frame {
    /// What is left of it.
    names: std::vec::IntoIter<OsString>,
    /// Whether empty files with an attribute may be whiteouts in it.
    holds_whiteouts: bool,
    /// What it is merged with.
    merged: Vec<LowerDir>,
}

impl<'a> Changes<'a> {
    /// The changes of an upper directory against lower ones, topmost first: the directories as they were given to overlayfs.
    pub fn new(upper: &'a impl AsFd, lowers: &'a [impl AsFd], xattrs: XattrNamespace) -> Self {
        let layers = lowers.iter().map(|lower| Layer::new(lower.as_fd())).collect();
        Self {
            upper: Layer::new(upper.as_fd()),
            lowers: Lowers { layers, xattrs },
            stack: Vec::new(),
            path: Trail::default(),
            ready: VecDeque::new(),
            begun: false,
        }
    }

    /// The root's frame.
    fn root(&mut self) -> Result<Frame> {
        let xattrs = self.lowers.xattrs;
        let holds = |dir: BorrowedFd<'_>| Ok(opacity(dir, ".", xattrs)? == Opacity::HoldsWhiteouts);
        let mut merged = Vec::new();
        for (layer, lower) in self.lowers.layers.iter_mut().enumerate() {
            merged.push(LowerDir { layer, holds_whiteouts: holds(lower.directory(&self.path)?)? });
        }
        let dir = self.upper.directory(&self.path)?;
        Ok(Frame { names: list(dir, OsStr::new("."))?.into_iter(), holds_whiteouts: holds(dir)?, merged })
    }

    fn push(&mut self, name: &OsStr, kind: ChangeKind, entry: EntryType) {
        self.ready.push_back(Ok(Change { path: self.path.join(name), kind, entry }));
    }

    /// Looks at one entry of the directory of a frame; the frame of a directory that is to be walked through.
    fn visit(&mut self, frame: &Frame, name: &OsStr) -> Result<Option<Frame>> {
        let xattrs = self.lowers.xattrs;
        let dir = self.upper.directory(&self.path)?;
        let found = stat(dir, name)?;
        let whiteout = is_whiteout(dir, name, &found, frame.holds_whiteouts, xattrs)?;
        let below = self.lowers.find(&frame.merged, &self.path, name)?;
        let entry = EntryType::of(found.st_mode);
        if whiteout {
            if let Some(below) = below.stat() {
                self.push(name, ChangeKind::Deleted, EntryType::of(below.st_mode));
            }
        } else if entry == EntryType::Directory {
            return self.directory(name, &found, below).map(Some);
        } else if let Some(kind) = self.file(frame, name, &found, &below)? {
            self.push(name, kind, entry);
        }
        Ok(None)
    }

    /// How a directory changed, and its frame.
    fn directory(&mut self, name: &OsStr, found: &Stat, below: Below) -> Result<Frame> {
        let xattrs = self.lowers.xattrs;
        let dir = self.upper.directory(&self.path)?;
        let opacity = opacity(dir, name, xattrs)?;
        if opacity != Opacity::Opaque {
            refuse_redirect(dir, name, xattrs)?;
        }
        let (kind, merged) = match below {
            Below::Nothing => (Some(ChangeKind::Added), Vec::new()),
            Below::Directories { merged, top } if opacity != Opacity::Opaque => {
                let upper = Place { dir, name, stat: found };
                let dir = self.lowers.directory(merged[0], &self.path)?;
                let same = same_metadata(&upper, &Place { dir, name, stat: &top }, xattrs)?;
                ((!same).then_some(ChangeKind::MetadataOnly), merged)
            }
            Below::File { .. } | Below::Directories { .. } => (Some(ChangeKind::Modified), Vec::new()),
        };
        if let Some(kind) = kind {
            self.push(name, kind, EntryType::Directory);
        }
        let names = list(self.upper.directory(&self.path)?, name)?;
        let holds_whiteouts = opacity == Opacity::HoldsWhiteouts;
        Ok(Frame { names: names.into_iter(), holds_whiteouts, merged })
    }

    /// How something else than a directory changed, if it did.
    fn file(
        &mut self,
        frame: &Frame,
        name: &OsStr,
        found: &Stat,
        below: &Below,
    ) -> Result<Option<ChangeKind>> {
        let xattrs = self.lowers.xattrs;
        let (at, stat) = match below {
            Below::Nothing => return Ok(Some(ChangeKind::Added)),
            Below::Directories { .. } => return Ok(Some(ChangeKind::Modified)),
            Below::File { at, stat } => (*at, stat),
        };
        if EntryType::of(found.st_mode) != EntryType::of(stat.st_mode) || found.st_size != stat.st_size {
            return Ok(Some(ChangeKind::Modified));
        }
        if !self.has_same_content(frame, name, found, (at, stat))? {
            return Ok(Some(ChangeKind::Modified));
        }
        let upper = Place { dir: self.upper.directory(&self.path)?, name, stat: found };
        let dir = self.lowers.directory(frame.merged[at], &self.path)?;
        let same = same_metadata(&upper, &Place { dir, name, stat }, xattrs)?;
        Ok((!same).then_some(ChangeKind::MetadataOnly))
    }

    /// Compares something with what is below, of the same type and size.
    fn has_same_content(
        &mut self,
        frame: &Frame,
        name: &OsStr,
        found: &Stat,
        (at, stat): (usize, &Stat),
    ) -> Result<bool> {
        let upper = Place { dir: self.upper.directory(&self.path)?, name, stat: found };
        let mut data = at;
        if upper.entry() == EntryType::File {
            let xattrs = self.lowers.xattrs;
            if is_metacopy(upper.dir, name, xattrs)? {
                return Ok(!is_redirected(upper.dir, name, xattrs)?);
            }
            match self.lowers.data(&frame.merged, at, &self.path, name)? {
                Some(found) => data = found,
                None => return Ok(false),
            }
        }
        let dir = self.lowers.directory(frame.merged[data], &self.path)?;
        same_content(&upper, &Place { dir, name, stat })
    }

    /// An error about an entry, with its path.
    fn located(&self, error: Error, name: &OsStr) -> Error {
        let path = self.path.join(name);
        match error {
            Error::Call { call, errno, .. } => Error::Path { what: call, path, errno },
            Error::Invalid { what, reason, .. } => {
                Error::Invalid { what, value: path.to_string_lossy().into_owned(), reason }
            }
            other => other,
        }
    }

    fn leave(&mut self) {
        self.path.pop();
        let depth = self.path.depth();
        self.upper.leave(depth);
        self.lowers.layers.iter_mut().for_each(|layer| layer.leave(depth));
    }

    /// One step: an entry, or the end of a directory. False at the end of all.
    fn step(&mut self) -> bool {
        let Some(mut frame) = self.stack.pop() else { return false };
        let Some(name) = frame.names.next() else {
            self.leave();
            return true;
        };
        let visited = self.visit(&frame, &name);
        self.stack.push(frame);
        match visited {
            Ok(Some(frame)) => {
                self.path.push(&name);
                self.stack.push(frame);
            }
            Ok(None) => {}
            Err(error) => {
                let error = self.located(error, &name);
                self.ready.push_back(Err(error));
            }
        }
        true
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.begun {
            self.begun = true;
            match self.root() {
                Ok(frame) => self.stack.push(frame),
                Err(error) => return Some(Err(self.located(error, OsStr::new(".")))),
            }
        }
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if !self.step() {
                return None;
            }
        }
    }
}

impl std::iter::FusedIterator for Changes<'_> {}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = self.lowers.layers.len();
        f.debug_struct("Changes").field("path", &self.path).field("lowers", &layers).finish_non_exhaustive()
    }
}

/// The names in a directory of a directory, sorted by their bytes.
fn list(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Vec<OsString>> {
    let failed = |raw| fault("readdir", name, raw);
    let mut names = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(dir, name, flags, Mode::empty()).map_err(failed)?;
    for entry in Dir::new(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_owned().into_bytes();
        if !matches!(&name[..], b"." | b"..") {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}
