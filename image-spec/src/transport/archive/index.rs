//! A tar archive in a file: one pass over its headers, then reading by name.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tar_core::EntryType;
use tar_core::parse::{Limits, ParseError, ParseEvent, ParsedEntry, Parser};

use super::spool;
use crate::transport::files::{self, At as _, Part};
use crate::{Error, Result};

/// At most so many entries are in an archive of images.
const MOST_ENTRIES: u64 = 100_000;
/// At most so many bytes have their names, and the targets of links, together: they are all in memory.
const MOST_NAMES: usize = 32 << 20;
/// At most so many links lead to one file.
const MOST_LINKS: u32 = 8;
/// A block of the format.
const BLOCK: usize = 512;

/// An archive and where its files are in it. Nothing is ever unpacked.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    entries: HashMap<Vec<u8>, Item>,
}

/// Where content is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) at: u64,
    pub(crate) size: u64,
}

#[derive(Clone, Debug)]
enum Item {
    File(Content),
    Directory,
    /// Relative to the directory it is in.
    Symlink(Vec<u8>),
    /// Relative to the archive.
    Link(Vec<u8>),
}

impl Archive {
    /// Opens an archive, decompressing it to a file without a name if it is compressed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = spool::seekable(path)?;
        let length = file.metadata().map_err(|error| error.at("stat", path))?.len();
        let entries = scan(&file, length)?;
        Ok(Self { path: path.to_path_buf(), file, entries })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a regular file, through links within the archive. `None` if there is no such name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Content>> {
        let mut name = normal(name.as_bytes())?;
        for _ in 0..MOST_LINKS {
            name = match self.entries.get(&name) {
                None => return Ok(None),
                Some(Item::File(content)) => return Ok(Some(*content)),
                Some(Item::Directory) => return Err(refused(&name, "is a directory, not a regular file")),
                Some(Item::Link(target)) => normal(target)?,
                Some(Item::Symlink(target)) => followed(&name, target)?,
            };
        }
        Err(refused(&name, "too many links lead to it"))
    }

    /// Reads a small file that must be there.
    pub(crate) fn small(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let missing = || Error::Missing { what: "archive entry", name: name.to_owned() };
        let content = self.find(name)?.ok_or_else(missing)?;
        if content.size > limit {
            return Err(Error::Limit { what: "bytes of a document", limit });
        }
        files::bounded(self.part(content), limit, "bytes of a document")?
            .map_err(|error| error.at("read", &self.path))
    }

    /// Reads what was found.
    pub(crate) fn part(&self, content: Content) -> Part<'_> {
        Part::new(&self.file, content.at, content.size)
    }
}

/// Reads all headers.
fn scan(file: &File, length: u64) -> Result<HashMap<Vec<u8>, Item>> {
    let limits = Limits { max_path_len: Some(4096), ..Limits::default() };
    let mut parser = Parser::new(limits);
    let mut entries = HashMap::new();
    let (mut at, mut names) = (0, 0);
    let mut buffer = vec![0; BLOCK];
    let mut wanted = BLOCK;
    loop {
        let there = usize::try_from(length - at).map_or(wanted, |left| left.min(wanted));
        buffer.resize(wanted, 0);
        let read = file.read_exact_at(&mut buffer[..there], at);
        read.map_err(|source| Error::Stream { what: "archive", source })?;
        let bad = |source| Error::Tar { position: at, source };
        let next = match parser.parse(&buffer[..there]).map_err(bad)? {
            ParseEvent::End { .. } => return Ok(entries),
            // Some tools leave out the blocks at the end, or one of them.
            ParseEvent::NeedData { .. }
                if there < wanted && buffer[..there].iter().all(|byte| *byte == 0) =>
            {
                return Ok(entries);
            }
            ParseEvent::NeedData { min_bytes } if there < wanted || min_bytes <= wanted => {
                return Err(bad(ParseError::UnexpectedEof { pos: length }));
            }
            ParseEvent::NeedData { min_bytes } => {
                wanted = min_bytes;
                continue;
            }
            ParseEvent::GlobalExtensions { consumed, .. } => at + consumed as u64,
            ParseEvent::SparseEntry { entry, .. } => return Err(refused(&entry.path, "is a sparse file")),
            ParseEvent::Entry { consumed, entry } => {
                let content = Content { at: at + consumed as u64, size: entry.size };
                names += entry.path.len() + entry.link_target.as_ref().map_or(0, |target| target.len());
                if names > MOST_NAMES {
                    return Err(Error::Limit {
                        what: "bytes of names in an archive",
                        limit: MOST_NAMES as u64,
                    });
                }
                insert(&mut entries, &entry, content)?;
                content
                    .end()
                    .filter(|end| *end <= length)
                    .ok_or_else(|| bad(ParseError::UnexpectedEof { pos: length }))?
            }
        };
        // The padding of the last file may be missing.
        at = next.next_multiple_of(BLOCK as u64).min(length);
        wanted = BLOCK;
    }
}

impl Content {
    fn end(self) -> Option<u64> {
        self.at.checked_add(self.size)
    }
}

fn insert(entries: &mut HashMap<Vec<u8>, Item>, entry: &ParsedEntry<'_>, content: Content) -> Result<()> {
    let target = || entry.link_target.as_deref().unwrap_or_default().to_vec();
    let item = match entry.entry_type {
        EntryType::Regular | EntryType::Continuous => Item::File(content),
        EntryType::Directory => Item::Directory,
        EntryType::Symlink => Item::Symlink(target()),
        EntryType::Link => Item::Link(target()),
        _ => return Err(refused(&entry.path, "is neither a file nor a directory nor a link")),
    };
    let name = normal(&entry.path)?;
    let is_directory = matches!(item, Item::Directory);
    match entries.insert(name, item) {
        None if entries.len() as u64 > MOST_ENTRIES => {
            Err(Error::Limit { what: "archive entries", limit: MOST_ENTRIES })
        }
        None => Ok(()),
        Some(Item::Directory) if is_directory => Ok(()),
        Some(_) => Err(refused(&entry.path, "is in the archive twice")),
    }
}

/// A name without `./`, doubled and final slashes.
fn normal(name: &[u8]) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    if name.first() == Some(&b'/') {
        return Err(refused(name, "is an absolute name"));
    }
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refused(name, "leads out of its directory")),
            part if part.contains(&0) => return Err(refused(name, "has a byte 0")),
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

/// Where a symbolic link leads. It may not leave the archive.
fn followed(link: &[u8], target: &[u8]) -> Result<Vec<u8>> {
    if target.first() == Some(&b'/') {
        return Err(refused(link, "is a link out of the archive"));
    }
    let mut parts: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
    parts.pop();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop().ok_or_else(|| refused(link, "is a link out of the archive"))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

fn refused(entry: &[u8], reason: &str) -> Error {
    Error::Entry { entry: std::ffi::OsStr::from_bytes(entry).into(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_normal_or_refused() {
        assert_eq!(normal(b"./blobs//sha256/").unwrap(), b"blobs/sha256");
        assert_eq!(normal(b"./").unwrap(), b"");
        for bad in [&b"/x"[..], b"..", b"a/../../x", b"a/..", b"a\0b"] {
            assert!(normal(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn long_names_do_not_fill_the_memory() {
        let file = tempfile::tempfile().unwrap();
        let mut writer = crate::transport::archive::ArchiveWriter::new(&file);
        let long = "directory/".repeat(400);
        for count in 0..=MOST_NAMES / long.len() {
            writer.file(&format!("{long}{count}"), 0, &mut std::io::empty()).unwrap();
        }
        writer.finish().unwrap();
        let length = file.metadata().unwrap().len();
        assert!(matches!(
            scan(&file, length),
            Err(Error::Limit { what: "bytes of names in an archive", .. })
        ));
    }

    #[test]
    fn links_stay_in_the_archive() {
        assert_eq!(followed(b"a/layer.tar", b"../b/layer.tar").unwrap(), b"b/layer.tar");
        assert_eq!(followed(b"a", b"./b").unwrap(), b"b");
        for bad in [&b"/etc/passwd"[..], b"../../x", b"../b/../../x"] {
            assert!(followed(b"a/b", bad).is_err(), "{bad:?}");
        }
    }
}
