//! The decompressed stream as a window that can be made as large as a header needs.

use super::stream::{Chunk, Chunks};

/// What was read and not consumed.
#[derive(Debug)]
pub(super) struct Input {
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
    /// How many bytes were consumed.
    position: u64,
}

impl Input {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self { chunks, chunk: Chunk { bytes: Vec::new(), len: 0 }, at: 0, position: 0 }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// What can be had without waiting.
    pub(super) fn window(&self) -> &[u8] {
        &self.chunk.bytes[self.at..self.chunk.len]
    }

    /// Makes the window at least this large; `false` if the stream ends before.
    pub(super) fn want(&mut self, least: usize) -> bool {
        while self.chunk.len - self.at < least {
            let Some(next) = self.chunks.next() else { return false };
            let next = match self.window() {
                [] => next,
                rest => {
                    let bytes = [rest, &next.bytes[..next.len]].concat();
                    self.chunks.give_back(next);
                    Chunk { len: bytes.len(), bytes }
                }
            };
            let used = std::mem::replace(&mut self.chunk, next);
            self.chunks.give_back(used);
            self.at = 0;
        }
        true
    }

    /// Consumes from the window.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.chunk.len);
        self.position += count as u64;
    }

    /// Consumes what follows, wherever it is; `false` if the stream ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> bool {
        while count > 0 {
            if !self.want(1) {
                return false;
            }
            let here = self.window().len();
            let part = usize::try_from(count).map_or(here, |count| count.min(here));
            self.consume(part);
            count -= part as u64;
        }
        true
    }

    /// Waits for the end of the stream.
    pub(super) fn drain(&mut self) {
        while self.want(1) {
            self.consume(self.window().len());
        }
    }
}
