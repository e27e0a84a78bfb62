//! The entries of an archive.
//!
//! tar-core parses headers. Where it is lax, what differs between tools, or is lost silently, is refused here: a layer
//! must not be one thing to who scans it and another to who runs it.

use tar_core::parse::{self, ParseEvent, ParsedEntry, Parser};
use tar_core::{EntryType, HEADER_SIZE, SparseEntry};

use super::chain;
use super::fault::{Fault, Result};
use super::input::Input;
use super::pax::{self, Records, Time};
use super::stream::Chunks;
use crate::Error;
use crate::layer::Limits;

/// An entry as it is in the archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// Permissions, set-id bits and the sticky bit.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    pub(super) atime: Time,
    /// Bytes of content that follow in the archive.
    pub(super) size: u64,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) enum Kind {
    File,
    /// Parts of a file, in order, between holes.
    Sparse {
        parts: Vec<SparseEntry>,
        real_size: u64,
    },
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Fifo,
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
}

/// Reads entries and their contents in order.
pub(super) struct Archive<'a> {
    input: Input,
    parser: Parser,
    limits: &'a Limits,
    /// Of the current entry's content.
    left: u64,
    padding: u64,
    pub(super) end_marker: bool,
}

/// A failure, and the name of the entry if that is known.
pub(super) type Named = (Vec<u8>, Fault);

enum Parsed {
    Entry(Entry),
    Global,
    End,
    More(usize),
}

impl<'a> Archive<'a> {
    pub(super) fn new(chunks: Chunks, limits: &'a Limits) -> Self {
        let mut parser = Parser::new(parse::Limits {
            max_metadata_size: limits.metadata_bytes,
            max_path_len: None,
            ..parse::Limits::default()
        });
        // Its own errors do not let negative times pass. All records are looked at again below.
        parser.set_ignore_pax_errors(true);
        Self { input: Input::new(chunks), parser, limits, left: 0, padding: 0, end_marker: false }
    }

    /// The next entry; what is left of the content of the last one is skipped.
    pub(super) fn next(&mut self) -> std::result::Result<Option<Entry>, Named> {
        let unnamed = |fault| (Vec::new(), fault);
        if !self.input.skip(self.left.saturating_add(self.padding)) {
            return Err(unnamed(self.ends_early()));
        }
        (self.left, self.padding) = (0, 0);
        // tar-core may ask for what is there already, where a number of a sparse map does not end.
        let most =
            HEADER_SIZE * 1024 + 2 * usize::try_from(self.limits.metadata_bytes).unwrap_or(usize::MAX / 4);
        let mut least = HEADER_SIZE;
        loop {
            let complete = self.input.want(least);
            if !complete && self.ends_without_marker().map_err(unnamed)? {
                return Ok(None);
            }
            match self.parse()? {
                Parsed::Entry(entry) => {
                    self.left = entry.size;
                    self.padding = entry.size.wrapping_neg() % HEADER_SIZE as u64;
                    return Ok(Some(entry));
                }
                Parsed::Global => least = HEADER_SIZE,
                Parsed::End => {
                    self.end_marker = true;
                    return Ok(None);
                }
                Parsed::More(_) if !complete => return Err(unnamed(self.ends_early())),
                Parsed::More(_) if least >= most => {
                    return Err(unnamed(Fault::limit("bytes of an entry's headers", most)));
                }
                Parsed::More(wanted) => least = wanted.max(least * 2).min(most),
            }
        }
    }

    /// Nothing, or less than what an end has, of nothing but zeros.
    fn ends_without_marker(&mut self) -> Result<bool> {
        let rest = self.input.window();
        if rest.len() < 2 * HEADER_SIZE && rest.iter().all(|byte| *byte == 0) {
            return Ok(true);
        }
        if rest.len() < HEADER_SIZE {
            return Err(self.ends_early());
        }
        Ok(false)
    }

    fn ends_early(&self) -> Fault {
        let position = self.input.position();
        let source = parse::ParseError::UnexpectedEof { pos: position + self.input.window().len() as u64 };
        Fault::Whole(Error::Tar { position, source })
    }

    fn parse(&mut self) -> std::result::Result<Parsed, Named> {
        let position = self.input.position();
        let window = self.input.window();
        let event = self.parser.parse(window);
        let (consumed, parsed) = match event {
            Err(source) => return Err((Vec::new(), Fault::Whole(Error::Tar { position, source }))),
            Ok(ParseEvent::NeedData { min_bytes }) => return Ok(Parsed::More(min_bytes)),
            Ok(ParseEvent::End { consumed }) => (consumed, Parsed::End),
            Ok(ParseEvent::GlobalExtensions { consumed, pax_data }) => {
                chain::check_global(consumed, pax_data).map_err(|fault| (Vec::new(), fault))?;
                (consumed, Parsed::Global)
            }
            Ok(ParseEvent::Entry { consumed, entry }) => {
                let name = entry.path.to_vec();
                let made = chain::check(window).and_then(|_| convert(entry, None, self.limits));
                (consumed, Parsed::Entry(made.map_err(|fault| (name, fault))?))
            }
            Ok(ParseEvent::SparseEntry { consumed, entry, sparse_map, real_size }) => {
                let name = entry.path.to_vec();
                let sparse = Some((sparse_map, real_size));
                let made = chain::check(window).and_then(|_| convert(entry, sparse, self.limits));
                (consumed, Parsed::Entry(made.map_err(|fault| (name, fault))?))
            }
        };
        self.input.consume(consumed);
        Ok(parsed)
    }

    /// The next piece of the current entry's content, at most so much; empty at its end.
    pub(super) fn content(&mut self, most: u64) -> Result<&[u8]> {
        let most = most.min(self.left);
        if most == 0 {
            return Ok(&[]);
        }
        if !self.input.want(1) {
            return Err(self.ends_early());
        }
        let here = self.input.window().len();
        Ok(&self.input.window()[..usize::try_from(most).map_or(here, |most| most.min(here))])
    }

    /// Goes on behind a part of what [`content`](Self::content) gave.
    pub(super) fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.input.consume(count);
    }

    /// Waits until the stream ends: what follows the archive belongs to its digest.
    pub(super) fn drain(&mut self) {
        self.input.drain();
    }
}

type Map = Option<(Vec<SparseEntry>, u64)>;

fn convert(entry: ParsedEntry<'_>, sparse: Map, limits: &Limits) -> Result<Entry> {
    let mtime = chain::header_time(entry.header.as_ustar().mtime, entry.mtime)?;
    let mut records = FromRecords { mtime, ..FromRecords::default() };
    records.read(entry.pax.unwrap_or_default(), &sparse, limits)?;
    let kind = kind(&entry, sparse, limits)?;
    if entry.size > limits.file_bytes {
        return Err(Fault::limit("bytes of a file", limits.file_bytes));
    }
    Ok(Entry {
        name: entry.path.into_owned(),
        kind,
        mode: entry.mode & 0o7777,
        uid: id("user", entry.uid)?,
        gid: id("group", entry.gid)?,
        mtime: records.mtime,
        atime: records.atime.unwrap_or(records.mtime),
        size: entry.size,
        xattrs: records.xattrs,
    })
}

/// The largest number means "no id" to the kernel.
fn id(what: &str, id: u64) -> Result<u32> {
    let known = u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    known.ok_or_else(|| Fault::refused(format!("has the {what} id {id}, which cannot be")))
}

fn kind(entry: &ParsedEntry<'_>, sparse: Map, limits: &Limits) -> Result<Kind> {
    let target = || match &entry.link_target {
        Some(target) if !target.contains(&0) => Ok(target.to_vec()),
        Some(_) => Err(Fault::refused("is a link whose target holds a zero byte")),
        None => Err(Fault::refused("is a link without a target")),
    };
    let device = |block| Kind::Device {
        block,
        major: entry.dev_major.unwrap_or(0),
        minor: entry.dev_minor.unwrap_or(0),
    };
    let kind = match (entry.entry_type, sparse) {
        (EntryType::Regular | EntryType::Continuous | EntryType::GnuSparse, Some((parts, real_size))) => {
            check_parts(&parts, real_size, entry.size, limits)?;
            return Ok(Kind::Sparse { parts, real_size });
        }
        (EntryType::Regular, None) if entry.path.ends_with(b"/") => {
            // Archives before POSIX have no type for directories. In others tools disagree on what this is.
            if entry.header.as_ustar().typeflag != [0] {
                return Err(Fault::refused("is a file whose name ends with a slash"));
            }
            Kind::Directory
        }
        (EntryType::Regular | EntryType::Continuous, None) => return Ok(Kind::File),
        (EntryType::Link, None) => Kind::HardLink(target()?),
        (EntryType::Symlink, None) => Kind::Symlink(target()?),
        (EntryType::Char, None) => device(false),
        (EntryType::Block, None) => device(true),
        (EntryType::Directory, None) => Kind::Directory,
        (EntryType::Fifo, None) => Kind::Fifo,
        (other, None) => {
            let flag = [other.to_byte()];
            return Err(Fault::refused(format!(
                "has the unknown type {:?}",
                flag.escape_ascii().to_string()
            )));
        }
        (_, Some(_)) => return Err(Fault::refused("has a map of a sparse file and is no file")),
    };
    if entry.size != 0 {
        // Some tools skip content here, others take it for the next header.
        return Err(Fault::refused("has a size, which entries of its type have not"));
    }
    Ok(kind)
}

/// The parts of a sparse file must be in order, apart, and be what follows in the archive.
fn check_parts(parts: &[SparseEntry], real_size: u64, size: u64, limits: &Limits) -> Result<()> {
    if real_size > limits.file_bytes {
        return Err(Fault::limit("bytes of a file", limits.file_bytes));
    }
    let (mut end, mut sum) = (0, 0_u64);
    for part in parts {
        let part_end = part.offset.checked_add(part.length).filter(|end| *end <= real_size);
        let Some(part_end) = part_end.filter(|_| part.offset >= end) else {
            return Err(Fault::refused("has a map of a sparse file whose parts overlap or do not fit"));
        };
        end = part_end;
        sum = sum.saturating_add(part.length);
    }
    if sum != size {
        return Err(Fault::refused("has a map of a sparse file that is not that of its content"));
    }
    Ok(())
}

/// What the records of an entry say that tar-core does not pass on.
#[derive(Default)]
struct FromRecords {
    mtime: Time,
    atime: Option<Time>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FromRecords {
    fn read(&mut self, bytes: &[u8], sparse: &Map, limits: &Limits) -> Result<()> {
        let mut version = (None, None);
        let (mut has_size, mut has_sparse) = (false, false);
        for record in Records::new(bytes) {
            let (key, value) = record?;
            let wrong = || Fault::refused(format!("has a PAX header with a wrong `{}`", key.escape_ascii()));
            match key {
                b"mtime" => self.mtime = pax::time(value).ok_or_else(wrong)?,
                b"atime" => self.atime = Some(pax::time(value).ok_or_else(wrong)?),
                b"size" | b"uid" | b"gid" => {
                    pax::number(value).ok_or_else(wrong)?;
                    has_size |= key == b"size";
                }
                b"GNU.sparse.major" => version.0 = Some(pax::number(value).ok_or_else(wrong)?),
                b"GNU.sparse.minor" => version.1 = Some(pax::number(value).ok_or_else(wrong)?),
                b"GNU.sparse.name" => {}
                _ if key.starts_with(b"GNU.sparse.") => {
                    let numbers = value.split(|byte| *byte == b',').all(|part| pax::number(part).is_some());
                    if !numbers {
                        return Err(wrong());
                    }
                    has_sparse = true;
                }
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.add(name, value, limits)?;
                    }
                }
            }
        }
        let known = matches!(version, (None, None) | (Some(0), Some(0 | 1)) | (Some(1), Some(0)));
        if !known || (has_sparse && sparse.is_none()) {
            return Err(Fault::refused("is a sparse file of an unknown form"));
        }
        if version.0 == Some(1) && has_size {
            // tar-core takes this size for that of the content without the map.
            return Err(Fault::refused("is a sparse file whose size is given twice"));
        }
        Ok(())
    }

    /// Of attributes of one name the last counts.
    fn add(&mut self, name: &[u8], value: &[u8], limits: &Limits) -> Result<()> {
        if name.is_empty() || name.contains(&0) || name.len() > 255 {
            return Err(Fault::refused("has an extended attribute with a name that cannot be"));
        }
        if value.len() > limits.xattr_bytes {
            return Err(Fault::limit("bytes of an extended attribute", limits.xattr_bytes));
        }
        self.xattrs.retain(|(other, _)| other != name);
        if self.xattrs.len() >= limits.xattrs {
            return Err(Fault::limit("extended attributes of an entry", limits.xattrs));
        }
        self.xattrs.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
}
