//! Content that waits in files without a name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{self, FileType, Mode, OFlags};

use super::Content;
use crate::transport::files::{self, At as _, Part};
use crate::transport::verify;
use crate::{Compression, Descriptor, Digest, Error, Result};

/// A compressed archive may have at least so many bytes decompressed,
const ALWAYS: u64 = 4 << 30;
/// and at most so many times as many as it has compressed.
const TIMES: u64 = 100;

/// How many bytes a stream may have decompressed.
pub(crate) fn limit(compressed: u64) -> u64 {
    compressed.saturating_mul(TIMES).clamp(ALWAYS, u64::MAX - 1)
}

/// Opens a file for reading at any place. What is compressed, or a pipe, is read once to a file without a name in the
/// directory for temporary files.
pub(crate) fn seekable(path: &Path) -> Result<File> {
    let file = rewindable(path)?;
    let size = file.metadata().map_err(|error| error.at("stat", path))?.len();
    let mut reader = BufReader::with_capacity(128 << 10, Part::new(&file, 0, size));
    let beginning = reader.fill_buf().map_err(|error| error.at("read", path))?;
    let compression = Compression::detect(beginning);
    if compression == Compression::None {
        return Ok(file);
    }
    spooled(compression.decoder(reader).map_err(|error| error.at("read", path))?, limit(size))
}

/// Opens a regular file, or copies a pipe to one without a name.
pub(crate) fn rewindable(path: &Path) -> Result<File> {
    let file: File = fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::file("open", path))?
        .into();
    let stat = fs::fstat(&file).map_err(Error::file("stat", path))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(file),
        FileType::Fifo => spooled(file, u64::MAX - 1),
        _ => Err(Error::invalid("archive", path.to_string_lossy(), "is neither a regular file nor a pipe")),
    }
}

fn spooled(content: impl Read, limit: u64) -> Result<File> {
    let target = files::unnamed(files::temporary_directory()?.as_fd())?;
    let stream = |source| Error::Stream { what: "archive", source };
    if io::copy(&mut content.take(limit + 1), &mut &target).map_err(stream)? > limit {
        return Err(Error::Limit { what: "decompressed bytes of the archive", limit });
    }
    Ok(target)
}

/// Verified content in one file without a name, until it is written to where it belongs.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the next content begins.
    end: u64,
    /// What is complete.
    content: HashMap<Digest, Content>,
}

impl Spool {
    /// An empty one, in a file system.
    pub(crate) fn new(directory: BorrowedFd<'_>) -> Result<Self> {
        Ok(Self { file: files::unnamed(directory)?, state: Mutex::default() })
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.state().content.contains_key(digest)
    }

    /// Takes content. Several threads may do so at the same time.
    pub(crate) fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        let place = self.reserve(descriptor)?;
        let mut at = place.at;
        verify::transfer(descriptor, content, &mut |bytes| {
            let written = self.file.write_all_at(bytes, at);
            at += bytes.len() as u64;
            written.map_err(|source| Error::Stream { what: "temporary file", source })
        })?;
        self.state().content.insert(descriptor.digest.clone(), place);
        Ok(())
    }

    /// What was put.
    pub(crate) fn open(&self, digest: &Digest) -> Result<Part<'_>> {
        let place = self.state().content.get(digest).copied();
        let place = place.ok_or_else(|| Error::Missing { what: "blob", name: digest.to_string() })?;
        Ok(Part::new(&self.file, place.at, place.size))
    }

    /// What was put, if it is small.
    pub(crate) fn small(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        files::bounded(self.open(digest)?, limit, "bytes of a document")?
            .map_err(|source| Error::Stream { what: "temporary file", source })
    }

    /// All that is there, in the order of digests, with its size.
    pub(crate) fn all(&self) -> Vec<(Digest, u64)> {
        let mut all: Vec<_> =
            self.state().content.iter().map(|(digest, place)| (digest.clone(), place.size)).collect();
        all.sort();
        all
    }

    fn reserve(&self, descriptor: &Descriptor) -> Result<Content> {
        const MOST: u64 = i64::MAX.unsigned_abs();
        let mut state = self.state();
        let place = Content { at: state.end, size: descriptor.size };
        let end = place.at.checked_add(place.size).filter(|end| *end <= MOST);
        state.end = end.ok_or(Error::Limit { what: "bytes of all blobs", limit: MOST })?;
        Ok(place)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
