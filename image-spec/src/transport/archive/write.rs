//! An archive that is written to a file.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

use tar_core::EntryType;
use tar_core::builder::EntryBuilder;

use crate::{Error, Result};

/// A block of the format.
const BLOCK: u64 = 512;

/// Writes files and directories that all look alike: of root, of the beginning of time. So the archive has the same
/// bytes each time.
#[derive(Debug)]
pub(crate) struct ArchiveWriter<'f> {
    file: &'f File,
    writer: BufWriter<&'f File>,
    at: u64,
}

impl<'f> ArchiveWriter<'f> {
    /// Begins an archive in an empty file.
    pub(crate) fn new(file: &'f File) -> Self {
        Self { file, writer: BufWriter::with_capacity(128 << 10, file), at: 0 }
    }

    pub(crate) fn directory(&mut self, name: &str) -> Result<()> {
        self.bytes(&header(name, 0o755, 0, EntryType::Directory)?)
    }

    /// A file of a size that is known.
    pub(crate) fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<()> {
        self.bytes(&header(name, 0o644, size, EntryType::Regular)?)?;
        if self.content(&mut content.take(size))? != size {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.pad()
    }

    /// A file of a size that is known when it ends.
    pub(crate) fn stream(&mut self, name: &str, content: &mut dyn Read) -> Result<()> {
        let begin = self.at;
        self.bytes(&header(name, 0o644, 0, EntryType::Regular)?)?;
        let size = self.content(content)?;
        self.pad()?;
        self.writer.flush().map_err(failed)?;
        self.file.write_all_at(&header(name, 0o644, size, EntryType::Regular)?, begin).map_err(failed)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        self.writer.write_all(bytes).map_err(failed)
    }

    fn content(&mut self, content: &mut dyn Read) -> Result<u64> {
        let size = io::copy(content, &mut self.writer).map_err(failed)?;
        self.at += size;
        Ok(size)
    }

    fn pad(&mut self) -> Result<()> {
        let padding = self.at.next_multiple_of(BLOCK) - self.at;
        self.content(&mut io::repeat(0).take(padding)).map(drop)
    }

    /// Writes what ends an archive.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.bytes(&[0; 1024])?;
        self.writer.flush().map_err(failed)
    }
}

fn header(name: &str, mode: u32, size: u64, kind: EntryType) -> Result<Vec<u8>> {
    let mut builder = EntryBuilder::new_gnu();
    builder.path(name).entry_type(kind);
    let bad = |_| Error::invalid("archive entry", name, "cannot be written to a tar archive");
    builder.mode(mode).map_err(bad)?.uid(0).map_err(bad)?.gid(0).map_err(bad)?;
    builder.mtime(0).map_err(bad)?.size(size).map_err(bad)?;
    Ok(builder.finish_bytes())
}

fn failed(source: io::Error) -> Error {
    Error::Stream { what: "archive", source }
}
