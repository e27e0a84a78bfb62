//! The entries of an archive, and how it is cut into layers.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use tar_core::parse::{Limits, ParseEvent, Parser};

use crate::Error;

/// An entry and where its bytes are, headers and padding included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bytes: Range<u64>,
    /// Where the content begins.
    pub(super) content: u64,
    /// Relative; empty for the top.
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File { size: u64 },
    HardLink { target: Vec<u8> },
    Other,
}

/// Room for the headers of an entry; grows where that is not enough.
const ROOM: usize = 16 << 10;

/// Reads the headers of an archive; devices are left out.
pub(super) fn entries(file: &File) -> Result<Vec<Entry>, Error> {
    let mut parser = Parser::new(Limits::permissive());
    let (mut all, mut offset, mut buffer) = (Vec::new(), 0, vec![0; ROOM]);
    loop {
        let len = fill(file, &mut buffer, offset)?;
        match parser.parse(&buffer[..len]).map_err(|error| Error::Setting(format!("the archive: {error}")))? {
            ParseEvent::Entry { consumed, entry } => {
                let content = offset + number(consumed);
                let end = content + entry.padded_size();
                let kind = if entry.is_dir() {
                    Kind::Directory
                } else if entry.is_file() {
                    Kind::File { size: entry.size }
                } else if let Some(target) = entry.link_target.as_deref().filter(|_| entry.is_hard_link()) {
                    Kind::HardLink { target: plain(target) }
                } else {
                    Kind::Other
                };
                // Not everybody makes devices of an image.
                if !entry.entry_type.is_character_special() && !entry.entry_type.is_block_special() {
                    all.push(Entry { bytes: offset..end, content, path: plain(&entry.path), kind });
                }
                offset = end;
            }
            ParseEvent::GlobalExtensions { consumed, .. } => offset += number(consumed),
            ParseEvent::NeedData { min_bytes } if len == buffer.len() => {
                buffer.resize(min_bytes.max(2 * len), 0);
            }
            ParseEvent::End { .. } => return Ok(all),
            ParseEvent::NeedData { .. } => return Err(Error::Setting("the archive has no end".to_owned())),
            ParseEvent::SparseEntry { .. } => {
                return Err(Error::Setting("the archive has files with holes".to_owned()));
            }
        }
    }
}

fn fill(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
    let mut len = 0;
    while len < buffer.len() {
        match file.read_at(&mut buffer[len..], offset + number(len)).map_err(Error::io("read the archive"))? {
            0 => break,
            count => len += count,
        }
    }
    Ok(len)
}

fn number(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Without what does not name a file.
fn plain(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.collect::<Vec<_>>().join(&b'/')
}

/// As many of the first entries as have `limit` bytes together.
pub(super) fn first(mut entries: Vec<Entry>, limit: u64) -> Vec<Entry> {
    let end = entries.iter().position(|entry| entry.bytes.end > limit).unwrap_or(entries.len());
    entries.truncate(end);
    entries
}

/// Which entries go into which layer: as many bytes each, in the order of the archive.
///
/// No hard link is in another layer than what it links to. A directory with files in several layers has its entry in
/// each of them, as in layers that are made of changes.
pub(super) fn layers(entries: &[Entry], parts: u64) -> Vec<Vec<usize>> {
    let directories: HashMap<&[u8], usize> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.kind == Kind::Directory)
        .map(|(index, entry)| (entry.path.as_slice(), index))
        .collect();
    cuts(entries, parts).into_iter().map(|part| with_parents(entries, part, &directories)).collect()
}

fn with_parents(entries: &[Entry], part: Range<usize>, directories: &HashMap<&[u8], usize>) -> Vec<usize> {
    let (mut layer, mut there) = (Vec::new(), HashSet::new());
    for index in part {
        for parent in parents(&entries[index].path).filter_map(|path| directories.get(path)) {
            if there.insert(*parent) {
                layer.push(*parent);
            }
        }
        if there.insert(index) {
            layer.push(index);
        }
    }
    layer
}

/// The directories above a path, the topmost first.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let top = (!path.is_empty()).then_some(&path[..0]);
    top.into_iter()
        .chain(path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]))
}

fn cuts(entries: &[Entry], parts: u64) -> Vec<Range<usize>> {
    let places: HashMap<&[u8], usize> =
        entries.iter().enumerate().map(|(index, entry)| (entry.path.as_slice(), index)).collect();
    let mut held = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Kind::HardLink { target } = &entry.kind {
            held.extend(places.get(target.as_slice()).map_or(0, |target| target + 1)..=index);
        }
    }
    let end = entries.last().map_or(0, |entry| entry.bytes.end);
    let (mut ranges, mut start) = (Vec::new(), 0);
    for part in 1..=parts {
        let least = end * part / parts;
        let late = |index: &usize| entries.get(*index).is_none_or(|entry| entry.bytes.start >= least);
        let cut = (start..=entries.len()).find(|index| late(index) && !held.contains(index));
        let cut = cut.unwrap_or(entries.len());
        if cut > start {
            ranges.push(start..cut);
        }
        start = cut;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, path: &str, kind: Kind) -> Entry {
        let start = index * 512;
        Entry { bytes: start..start + 512, content: start + 512, path: path.into(), kind }
    }

    #[test]
    fn a_hard_link_stays_with_its_file_and_directories_are_repeated() {
        let link = Kind::HardLink { target: b"a/1".to_vec() };
        let kinds = [Kind::Directory, Kind::Directory, Kind::Other, link, Kind::Other, Kind::Other];
        let paths = ["", "a", "a/1", "a/2", "a/3", "a/4"];
        let entries: Vec<Entry> =
            (0..).zip(paths).zip(kinds).map(|((index, path), kind)| entry(index, path, kind)).collect();
        assert_eq!(cuts(&entries, 2), [0..4, 4..6]);
        assert_eq!(layers(&entries, 2), [vec![0, 1, 2, 3], vec![0, 1, 4, 5]]);
        assert_eq!(layers(&entries, 1), [vec![0, 1, 2, 3, 4, 5]]);
        assert_eq!(first(entries, 1024).len(), 2);
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(plain(b"./usr//bin/"), b"usr/bin");
        assert_eq!(plain(b"./"), b"");
        assert_eq!(parents(b"a/b/c").collect::<Vec<_>>(), [&b""[..], b"a", b"a/b"]);
        assert_eq!(parents(b"").count(), 0);
    }
}
