//! The files of the host, or of a tree that looks like one: paths followed step by step.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use super::plan::{FileState, HostEntry, HostSource};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Where the files are. Absolute paths and links begin there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    root: PathBuf,
}

/// A path that exists.
pub(super) struct Found {
    /// Without links.
    pub(super) path: PathBuf,
    pub(super) meta: Metadata,
    /// The directories and links on the way, and the last one if it is a directory.
    pub(super) way: Vec<HostEntry>,
}

impl Found {
    pub(super) fn is_program(&self) -> bool {
        self.meta.is_file() && self.meta.mode() & 0o111 != 0
    }

    /// The entries of the file and of the way to it.
    pub(super) fn into_entries(self) -> Vec<HostEntry> {
        let mut entries = self.way;
        if self.meta.is_file() {
            let state = FileState::of(&self.meta);
            // Nothing in an image gives rights by itself.
            entries.push(HostEntry::new(self.path, self.meta.mode() & 0o777, HostSource::File(state)));
        }
        entries
    }
}

impl Host {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn is_root(&self) -> bool {
        self.root == Path::new("/")
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Follows an absolute path.
    pub(super) fn follow(&self, path: &Path) -> io::Result<Found> {
        let mut rest = parts(path);
        let (mut links, mut way) = (0, Vec::new());
        let mut path = PathBuf::from("/");
        let mut meta = self.at(&path).symlink_metadata()?;
        while let Some(part) = rest.pop_front() {
            if !meta.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            if part == ".." {
                path.pop();
                continue;
            }
            let next = path.join(part);
            let found = self.at(&next).symlink_metadata()?;
            if found.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = self.at(&next).read_link()?;
                if target.is_absolute() {
                    path = PathBuf::from("/");
                }
                let mut before = parts(&target);
                before.append(&mut rest);
                rest = before;
                way.push(HostEntry::new(next, 0o777, HostSource::Link(target)));
                continue;
            }
            if found.is_dir() {
                way.push(HostEntry::new(next.clone(), found.mode() & 0o1777, HostSource::Directory));
            }
            (path, meta) = (next, found);
        }
        if meta.is_dir() {
            meta = self.at(&path).symlink_metadata()?;
        }
        Ok(Found { path, meta, way })
    }

    /// Opens a regular file by a path without links.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = flags.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(self.at(path))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(file)
    }

    /// All of a small file. `None` if it is not there.
    pub(super) fn read_small(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        const MOST: u64 = 1 << 20;
        let found = match self.follow(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        self.open(&found.path)?.take(MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// The names in a directory, in order; none if it is not there.
    pub(super) fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let dir = match self.follow(dir) {
            Ok(found) => self.at(&found.path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }
}

/// The names in a path, and `..`.
fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        _ => None,
    };
    path.components().filter_map(part).collect()
}
