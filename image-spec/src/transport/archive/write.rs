//! An archive that is written to a file.

use std::io::{self, BufWriter, Read, Write};

use tar_core::EntryType;
use tar_core::builder::EntryBuilder;

use crate::{Error, Result};

/// A block of the format.
const BLOCK: u64 = 512;

/// Writes files and directories that all look alike: of root, of the beginning of time. So the archive has the same
/// bytes each time.
pub(crate) struct ArchiveWriter<W> {
    writer: W,
}

impl<W: Write> ArchiveWriter<BufWriter<W>> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer: BufWriter::with_capacity(128 << 10, writer) }
    }
}

impl<W: Write> ArchiveWriter<W> {
    pub(crate) fn directory(&mut self, name: &str) -> Result<()> {
        let header = header(name, 0o755, 0, EntryType::Directory, "")?;
        self.writer.write_all(&header).map_err(failed)
    }

    /// A file of a size that is known.
    pub(crate) fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<()> {
        let header = header(name, 0o644, size, EntryType::Regular, "")?;
        self.writer.write_all(&header).map_err(failed)?;
        let copied = io::copy(&mut content.take(size), &mut self.writer).map_err(failed)?;
        if copied != size {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let padding = size.next_multiple_of(BLOCK) - size;
        io::copy(&mut io::repeat(0).take(padding), &mut self.writer).map_err(failed)?;
        Ok(())
    }

    /// Writes what ends an archive.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.write_all(&[0; 1024]).map_err(failed)?;
        self.writer.flush().map_err(failed)
    }
}

fn header(name: &str, mode: u32, size: u64, kind: EntryType, target: &str) -> Result<Vec<u8>> {
    let mut builder = EntryBuilder::new_gnu();
    builder.path(name).entry_type(kind).link_name(target);
    let bad = |_| Error::invalid("archive entry", name, "cannot be written to a tar archive");
    builder.mode(mode).map_err(bad)?.uid(0).map_err(bad)?.gid(0).map_err(bad)?;
    builder.mtime(0).map_err(bad)?.size(size).map_err(bad)?;
    Ok(builder.finish_bytes())
}

fn failed(source: io::Error) -> Error {
    Error::Stream { what: "archive", source }
}
