//! The blob of a layer, hashed and decompressed by a thread of its own into buffers that another thread consumes.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::plan::Unpack;
use crate::layer::{Compression, Limits};
use crate::{Algorithm, Descriptor, Digest, Digester, Error, Result};

/// Bytes of a buffer. A multiple of the block of an archive, so headers seldom lie in two of them.
const CHUNK: usize = 256 << 10;
/// How many buffers there are for each layer.
const CHUNKS: usize = 8;
/// Bytes read from the blob at a time.
const READ: usize = 128 << 10;

/// A buffer, and how much of it is filled.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) len: usize,
}

/// The decompressed stream, in order, until it ends.
#[derive(Debug)]
pub(super) struct Chunks {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
}

impl Chunks {
    pub(super) fn next(&self) -> Option<Chunk> {
        self.full.recv().ok()
    }

    /// Gives a buffer back. If it is none of the stream's, or nobody needs it any more, it is freed.
    pub(super) fn give_back(&self, chunk: Chunk) {
        if chunk.bytes.len() == CHUNK {
            self.empty.send(chunk.bytes).unwrap_or_default();
        }
    }
}

/// Buffers between two threads.
pub(super) fn buffers() -> (Filler, Chunks) {
    let (full_in, full_out) = sync_channel(CHUNKS);
    let (empty_in, empty_out) = channel();
    let filler = Filler { full: full_in, empty: empty_out, made: 0 };
    (filler, Chunks { full: full_out, empty: empty_in })
}

/// The end of the buffers that fills them.
pub(super) struct Filler {
    full: SyncSender<Chunk>,
    empty: Receiver<Vec<u8>>,
    made: usize,
}

impl Filler {
    /// A buffer to fill; `None` if the consumer has gone.
    fn buffer(&mut self) -> Option<Vec<u8>> {
        if let Ok(buffer) = self.empty.try_recv() {
            return Some(buffer);
        }
        if self.made < CHUNKS {
            self.made += 1;
            return Some(vec![0; CHUNK]);
        }
        self.empty.recv().ok()
    }
}

/// What is done to which blob.
pub(super) struct Work<'a> {
    pub(super) unpack: &'a Unpack,
    pub(super) descriptor: &'a Descriptor,
    pub(super) diff_id: Option<&'a Digest>,
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
}

impl Work<'_> {
    /// Decompresses and verifies in another thread what `consume` takes in this one.
    pub(super) fn run<T: WithDiffId>(
        &self,
        blob: impl Read + Send,
        consume: impl FnOnce(Chunks) -> Result<T>,
    ) -> Result<T> {
        let (filler, chunks) = buffers();
        thread::scope(|scope| {
            let decompression = scope.spawn(|| self.decompress(blob, filler));
            let consumed = consume(chunks);
            conclude(join(decompression), consumed)
        })
    }

    /// The digest of the plain stream, `None` if the consumer has gone.
    pub(super) fn decompress(&self, blob: impl Read + Send, mut filler: Filler) -> Result<Option<Digest>> {
        let compression = Compression::of(&self.descriptor.media_type)?;
        let mut blob = Blob::new(blob, self.descriptor, self.progress);
        let outcome = self.pump(compression, &mut blob, &mut filler);
        if matches!(outcome, Ok(None) | Err(Error::Limit { .. })) {
            return outcome;
        }
        // Wrong content is the reason for most errors of decompression, so it is the better message.
        blob.verify(self.descriptor)?;
        let diff_id = outcome?;
        match (self.diff_id, diff_id) {
            (Some(expected), Some(found)) if *expected != found => {
                Err(Error::DigestMismatch { what: "diff id", expected: expected.clone(), found })
            }
            (_, diff_id) => Ok(diff_id),
        }
    }

    fn pump<R: Read + Send>(
        &self,
        compression: Compression,
        blob: &mut Blob<'_, R>,
        filler: &mut Filler,
    ) -> Result<Option<Digest>> {
        let mut digester = Digester::new(self.diff_id.map_or(Algorithm::Sha256, Digest::algorithm));
        let mut total = 0_u64;
        let passed = blob.passed.clone();
        let (compression, source) = begin(compression, blob, self.unpack.accept_mislabelled)?;
        let failed = |source| Error::Stream { what: compression.stream(), source };
        let mut plain = compression.decoder(BufReader::with_capacity(READ, source)).map_err(failed)?;
        loop {
            let Some(mut bytes) = filler.buffer() else { return Ok(None) };
            let len = fill(&mut plain, &mut bytes).map_err(failed)?;
            if len == 0 {
                return Ok(Some(digester.finish()));
            }
            total = total.saturating_add(len as u64);
            check(total, passed.get(), &self.unpack.limits)?;
            digester.update(&bytes[..len]);
            if filler.full.send(Chunk { bytes, len }).is_err() {
                return Ok(None);
            }
        }
    }
}

/// What is complete only with the digest of the whole stream.
pub(super) trait WithDiffId {
    fn set_diff_id(&mut self, diff_id: Digest);
}

/// What a thread came to; its panic is passed on.
pub(super) fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// An error of the stream is the reason for one of its consumer, not the other way.
pub(super) fn conclude<T: WithDiffId>(verified: Result<Option<Digest>>, consumed: Result<T>) -> Result<T> {
    let diff_id = verified?;
    let mut value = consumed?;
    if let Some(diff_id) = diff_id {
        value.set_diff_id(diff_id);
    }
    Ok(value)
}

fn check(total: u64, compressed: u64, limits: &Limits) -> Result<()> {
    if total > limits.bytes {
        return Err(Error::Limit { what: "layer bytes", limit: limits.bytes });
    }
    if total > limits.ratio_from && total / limits.ratio.max(1) > compressed {
        return Err(Error::Limit { what: "ratio of layer bytes to blob bytes", limit: limits.ratio });
    }
    Ok(())
}

/// The compression that is taken, and the stream from its beginning.
fn begin<R: Read>(
    mut compression: Compression,
    mut blob: R,
    sniff: bool,
) -> Result<(Compression, impl Read)> {
    let mut beginning = [0; 4];
    let mut len = 0;
    if sniff {
        len = fill(&mut blob, &mut beginning)
            .map_err(|source| Error::Stream { what: compression.stream(), source })?;
        compression = Compression::detect(&beginning[..len]);
    }
    Ok((compression, io::Cursor::new(beginning).take(len as u64).chain(blob)))
}

/// Reads until the buffer is full or the stream ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match source.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// The blob, hashed and counted as it is read; never more than one byte beyond its size.
struct Blob<'a, R> {
    inner: R,
    digester: Option<Digester>,
    passed: Passed,
    size: u64,
    failed: Option<io::Error>,
    progress: &'a (dyn Fn(u64) + Sync),
}

/// How many bytes of the blob came.
#[derive(Clone, Default)]
struct Passed(std::rc::Rc<std::cell::Cell<u64>>);

impl Passed {
    fn get(&self) -> u64 {
        self.0.get()
    }
}

impl<'a, R: Read> Blob<'a, R> {
    fn new(inner: R, descriptor: &Descriptor, progress: &'a (dyn Fn(u64) + Sync)) -> Self {
        let digester = Some(Digester::new(descriptor.digest.algorithm()));
        let (passed, size) = (Passed::default(), descriptor.size);
        Self { inner, digester, passed, size, failed: None, progress }
    }

    /// Reads what is left, and compares size and digest.
    fn verify(&mut self, descriptor: &Descriptor) -> Result<()> {
        if self.failed.is_none() {
            // What fails is kept in `failed`.
            io::copy(self, &mut io::sink()).unwrap_or_default();
        }
        if let Some(source) = self.failed.take() {
            return Err(Error::Stream { what: "blob", source });
        }
        let found = self.passed.get();
        if found != self.size {
            let digest = descriptor.digest.clone();
            return Err(Error::SizeMismatch { digest, expected: self.size, found });
        }
        match self.digester.take().map(Digester::finish) {
            Some(found) if found != descriptor.digest => {
                Err(Error::DigestMismatch { what: "blob", expected: descriptor.digest.clone(), found })
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Blob<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than there should be shows that there is too much.
        let left = self.size.saturating_add(1).saturating_sub(self.passed.get());
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.inner.read(&mut buffer[..most]) {
            Ok(count) => {
                if let Some(digester) = &mut self.digester {
                    digester.update(&buffer[..count]);
                }
                self.passed.0.set(self.passed.get() + count as u64);
                (self.progress)(count as u64);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let copy = io::Error::new(error.kind(), "the blob could not be read");
                self.failed = Some(error);
                Err(copy)
            }
        }
    }
}
