//! A tar archive as it is written: entries, their content, the end.

use std::io::Write;

use super::header::{BLOCK, Entry};
use super::pipeline::stream;
use crate::Result;

/// An archive that is being written.
pub(crate) struct Archive<'a> {
    out: &'a mut dyn Write,
    /// How many entries it has.
    pub(crate) entries: u64,
    scratch: Vec<u8>,
}

impl<'a> Archive<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, entries: 0, scratch: Vec::new() }
    }

    /// An entry without content, or the head of one whose content follows by [`Archive::content`].
    pub(crate) fn head(&mut self, entry: &Entry) -> Result<()> {
        self.scratch.clear();
        entry.encode(&mut self.scratch)?;
        self.entries += 1;
        self.out.write_all(&self.scratch).map_err(stream("archive"))
    }

    /// A part of the last entry's content.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(stream("archive"))
    }

    /// Completes content of this size.
    pub(crate) fn pad(&mut self, size: u64) -> Result<()> {
        let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        self.content(&[0; BLOCK][..(BLOCK - rest) % BLOCK])
    }

    /// Ends the archive; tells how many entries it has.
    pub(crate) fn end(self) -> Result<u64> {
        self.out.write_all(&[0; 2 * BLOCK]).map_err(stream("archive"))?;
        Ok(self.entries)
    }
}
