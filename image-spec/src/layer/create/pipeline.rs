//! From the archive's bytes to those of the layer: pieces of a fixed size are compressed on several threads; one more
//! hashes both forms and writes them in order. A few pieces are under way at a time, whatever the archive's size.

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

use super::LayerCompression;
use super::encoder::Encoder;
use crate::{Algorithm, Digest, Digester, Error, Result};

/// What went through.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    /// Of the archive.
    pub(crate) plain: Digest,
    pub(crate) plain_bytes: u64,
    /// Of what was written.
    pub(crate) packed: Digest,
    pub(crate) packed_bytes: u64,
}

/// Compresses what `fill` writes, and writes it to `sink`.
pub(crate) fn pack<T>(
    sink: impl Write + Send,
    compression: LayerCompression,
    threads: NonZeroUsize,
    fill: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<(T, Sums)> {
    match Encoder::new(compression)? {
        None => plain(sink, fill),
        Some(encoder) => scope(|scope| parallel(scope, sink, encoder, threads.get(), fill)),
    }
}

fn plain<T>(sink: impl Write, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<(T, Sums)> {
    let mut out = BufWriter::with_capacity(1 << 17, Hashed::new(sink));
    let value = fill(&mut out)?;
    out.flush().map_err(stream("archive"))?;
    let (digest, bytes) = out.into_inner().map_err(|error| stream("archive")(error.into_error()))?.finish();
    let sums = Sums { plain: digest.clone(), plain_bytes: bytes, packed: digest, packed_bytes: bytes };
    Ok((value, sums))
}

/// A piece of the archive, and where its compressed form is waited for.
struct Job {
    plain: Vec<u8>,
    done: SyncSender<io::Result<(Vec<u8>, Vec<u8>)>>,
}
type Done = Receiver<io::Result<(Vec<u8>, Vec<u8>)>>;

fn parallel<'scope, T>(
    scope: &'scope Scope<'scope, '_>,
    sink: impl Write + Send + 'scope,
    encoder: Encoder,
    threads: usize,
    fill: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<(T, Sums)> {
    let failed = stream(encoder.name());
    let (jobs, queue) = sync_channel::<Job>(threads);
    let (tickets, order) = sync_channel::<Done>(threads * 2);
    let (spent, pool) = channel();
    let workers = start_workers(scope, encoder, threads, queue).map_err(failed)?;
    let writer = Builder::new().name("layer-writer".into());
    let writer = writer.spawn_scoped(scope, move || write_in_order(sink, &order, &spent)).map_err(failed)?;

    let mut chunks = Chunks { size: encoder.chunk(), current: Vec::new(), jobs, tickets, pool };
    let filled = fill(&mut chunks).and_then(|value| chunks.send().map(|()| value).map_err(failed));
    drop(chunks);
    let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    for worker in workers {
        // A worker that panicked has answered no ticket, which the writer took for an error.
        drop(worker.join());
    }
    // If writing failed, filling failed after it and for no other reason.
    let sums = written.map_err(failed);
    match (filled, sums) {
        (Ok(value), Ok(sums)) => Ok((value, sums)),
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
    }
}

fn start_workers<'scope>(
    scope: &'scope Scope<'scope, '_>,
    encoder: Encoder,
    threads: usize,
    queue: Receiver<Job>,
) -> io::Result<Vec<ScopedJoinHandle<'scope, ()>>> {
    let queue = std::sync::Arc::new(Mutex::new(queue));
    let start = |_| {
        let queue = queue.clone();
        let worker = Builder::new().name("layer-encoder".into());
        worker.spawn_scoped(scope, move || {
            while let Some(Job { plain, done }) = next(&queue) {
                let result = encoder.encode(&plain).map(|packed| (plain, packed));
                // Nobody waits for it any more if writing failed.
                drop(done.send(result));
            }
        })
    };
    (0..threads).map(start).collect()
}

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn write_in_order(sink: impl Write, order: &Receiver<Done>, spent: &Sender<Vec<u8>>) -> io::Result<Sums> {
    let mut out = Hashed::new(sink);
    let mut digester = Digester::new(Algorithm::Sha256);
    let mut plain_bytes = 0;
    for ticket in order {
        let (plain, packed) = ticket.recv().map_err(|_| io::Error::other("the encoder failed"))??;
        out.write_all(&packed)?;
        digester.update(&plain);
        plain_bytes += plain.len() as u64;
        // The last ones are not needed again.
        drop(spent.send(plain));
    }
    out.flush()?;
    let (packed, packed_bytes) = out.finish();
    Ok(Sums { plain: digester.finish(), plain_bytes, packed, packed_bytes })
}

/// Cuts what is written into pieces and hands them on.
struct Chunks {
    size: usize,
    current: Vec<u8>,
    jobs: SyncSender<Job>,
    tickets: SyncSender<Done>,
    pool: Receiver<Vec<u8>>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        let mut fresh = self.pool.try_recv().unwrap_or_default();
        fresh.clear();
        let plain = std::mem::replace(&mut self.current, fresh);
        let (done, ticket) = sync_channel(1);
        let gone = |()| io::Error::from(io::ErrorKind::BrokenPipe);
        self.tickets.send(ticket).map_err(|_| gone(()))?;
        self.jobs.send(Job { plain, done }).map_err(|_| gone(()))
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.len() == self.size {
            self.send()?;
        }
        self.current.reserve_exact(self.size - self.current.len());
        let count = bytes.len().min(self.size - self.current.len());
        self.current.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes and counts what is written through it.
struct Hashed<W> {
    inner: W,
    digester: Digester,
    count: u64,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, digester: Digester::new(Algorithm::Sha256), count: 0 }
    }

    fn finish(self) -> (Digest, u64) {
        (self.digester.finish(), self.count)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digester.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

pub(super) fn stream(what: &'static str) -> impl Fn(io::Error) -> Error + Copy {
    move |source| Error::Stream { what, source }
}
