//! The entries of a layer, for who does something else with them than unpacking.

use std::io::{self, Read};

use super::archive::{Archive, Entry, Kind};
use super::fault::{Fault, Result};
use super::name::{self, Role};
use super::plan::{Form, Unpack};
use super::stream::{Chunks, WithDiffId, Work};
use crate::layer::Limits;
use crate::layer::create::header;
use crate::{Digest, Error, Layer};

/// What an entry says, with the paths that its names mean.
#[derive(Debug)]
pub(crate) enum Said {
    /// This is there.
    Thing(header::Entry),
    /// This name of a directory is not there.
    Whiteout { directory: Vec<u8>, name: Vec<u8> },
    /// Of this directory lower layers have nothing that is there.
    Opaque { directory: Vec<u8> },
}

/// Reads a layer and shows each entry that says something, with its number and its content, in which holes are zeros.
/// All is verified, at the end.
pub(crate) fn visit(
    layer: &Layer,
    blob: impl Read + Send,
    limits: &Limits,
    each: &mut dyn FnMut(u64, Said, &mut dyn Read) -> crate::Result<()>,
) -> crate::Result<()> {
    struct Nothing;
    impl WithDiffId for Nothing {
        fn set_diff_id(&mut self, _: Digest) {}
    }
    let unpack = Unpack::new(Form::Plain).limits(limits.clone()).accept_mislabelled(true);
    let (descriptor, diff_id) = (&layer.descriptor, Some(&layer.diff_id));
    let work = Work { unpack: &unpack, descriptor, diff_id, progress: &|_| {} };
    let read = work.run(blob, |chunks| entries(chunks, limits, each).map(|()| Nothing));
    read.map(drop).map_err(|error| error.in_layer(&descriptor.digest))
}

fn entries(
    chunks: Chunks,
    limits: &Limits,
    each: &mut dyn FnMut(u64, Said, &mut dyn Read) -> crate::Result<()>,
) -> crate::Result<()> {
    let mut archive = Archive::new(chunks, limits);
    let mut bytes = 0_u64;
    let mut count = 0;
    while let Some(entry) = archive.next().map_err(|(name, fault)| fault.at(&name))? {
        if count >= limits.entries {
            return Err(Error::Limit { what: "layer entries", limit: limits.entries });
        }
        if let Some(said) = said(&entry, limits).map_err(|fault| fault.at(&entry.name))? {
            let mut content = Content::new(&mut archive, &entry);
            bytes = bytes.saturating_add(content.size);
            if bytes > limits.bytes {
                return Err(Error::Limit { what: "layer bytes", limit: limits.bytes });
            }
            each(count, said, &mut content)?;
        }
        count += 1;
    }
    archive.drain();
    Ok(())
}

fn said(entry: &Entry, limits: &Limits) -> Result<Option<Said>> {
    let path = name::clean(&entry.name, limits)?;
    let (directory, _) = name::split(&path);
    Ok(Some(match name::role(&path)? {
        Role::Ignored => return Ok(None),
        Role::Whiteout(name) => Said::Whiteout { directory: directory.to_vec(), name: name.to_vec() },
        Role::Opaque => Said::Opaque { directory: directory.to_vec() },
        Role::Thing => Said::Thing(thing(path, entry, limits)?),
    }))
}

fn thing(path: Vec<u8>, entry: &Entry, limits: &Limits) -> Result<header::Entry> {
    let kind = match &entry.kind {
        Kind::File => header::Kind::File { size: entry.size },
        Kind::Sparse { real_size, .. } => header::Kind::File { size: *real_size },
        Kind::Directory => header::Kind::Directory,
        Kind::Symlink(target) => header::Kind::Symlink { target: target.clone() },
        Kind::HardLink(target) => header::Kind::Link { target: name::clean(target, limits)? },
        Kind::Fifo => header::Kind::Fifo,
        // What overlay takes for a deletion.
        Kind::Device { major: 0, minor: 0, .. } => return Err(Fault::refused("is the device 0:0")),
        Kind::Device { block: true, major, minor } => header::Kind::Block { major: *major, minor: *minor },
        Kind::Device { block: false, major, minor } => {
            header::Kind::Character { major: *major, minor: *minor }
        }
    };
    let of_overlay =
        |name: &[u8]| name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    let number = |_| Fault::refused("has a mode or time that cannot be");
    Ok(header::Entry {
        path,
        kind,
        mode: u16::try_from(entry.mode).map_err(number)?,
        uid: entry.uid,
        gid: entry.gid,
        mtime: (entry.mtime.seconds, u32::try_from(entry.mtime.nanoseconds).map_err(number)?),
        xattrs: entry.xattrs.iter().filter(|(name, _)| !of_overlay(name)).cloned().collect(),
    })
}

/// The content of a file: parts of the archive, and zeros between them.
struct Content<'c, 'a> {
    archive: &'c mut Archive<'a>,
    /// The parts that are not complete: from where to where.
    parts: Vec<(u64, u64)>,
    at: u64,
    size: u64,
}

impl<'c, 'a> Content<'c, 'a> {
    fn new(archive: &'c mut Archive<'a>, entry: &Entry) -> Self {
        let (mut parts, size) = match &entry.kind {
            Kind::File => (vec![(0, entry.size)], entry.size),
            Kind::Sparse { parts, real_size } => {
                (parts.iter().map(|part| (part.offset, part.offset + part.length)).collect(), *real_size)
            }
            _ => (Vec::new(), 0),
        };
        parts.reverse();
        Self { archive, parts, at: 0, size }
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.parts
            .truncate(self.parts.iter().rposition(|(_, end)| *end > self.at).map_or(0, |last| last + 1));
        let (begin, end) = self.parts.last().copied().unwrap_or((self.size, self.size));
        let count = if self.at < begin {
            let hole = usize::try_from(begin - self.at).map_or(buffer.len(), |hole| hole.min(buffer.len()));
            buffer[..hole].fill(0);
            hole
        } else {
            let here = self.archive.content((end - self.at).min(buffer.len() as u64));
            let here = here.map_err(|fault| io::Error::other(fault.at(b"")))?;
            let count = here.len();
            buffer[..count].copy_from_slice(here);
            self.archive.consume(count);
            count
        };
        self.at += count as u64;
        Ok(count)
    }
}
