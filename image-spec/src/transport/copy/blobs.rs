//! Blobs copied by several threads.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Copied, Progress};
use crate::{Descriptor, Destination, Digest, Result, Source};

/// So many blobs are copied at the same time. More gain nothing: one already keeps a disk busy.
const THREADS: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Counts {
    blobs: AtomicU64,
    bytes: AtomicU64,
    present: AtomicU64,
}

impl Counts {
    pub(super) fn copied(&self, descriptor: Descriptor) -> Copied {
        let [blobs, bytes, present] =
            [&self.blobs, &self.bytes, &self.present].map(|count| count.load(Ordering::Relaxed));
        Copied { descriptor, blobs, bytes, present }
    }
}

/// Copies all of them. After an error the others stop.
pub(super) fn copy(
    source: &dyn Source,
    destination: &dyn Destination,
    blobs: &[Descriptor],
    progress: Option<&dyn Progress>,
    counts: &Counts,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let one = |descriptor: &Descriptor| {
        put(destination, descriptor, progress, counts, || {
            let content: Box<dyn Read + Send + '_> = match &descriptor.data {
                Some(data) => Box::new(data.as_slice()),
                None => source.open(descriptor)?,
            };
            Ok(Box::new(Stoppable { content, stopped: &stopped }))
        })
    };
    let work = || {
        while let Some(descriptor) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = one(descriptor) {
                // In this order: what the others end with is not the reason.
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                stopped.store(true, Ordering::Release);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS.min(blobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Copies one, if it is not there.
pub(super) fn put<'c>(
    destination: &dyn Destination,
    descriptor: &Descriptor,
    progress: Option<&dyn Progress>,
    counts: &Counts,
    open: impl FnOnce() -> Result<Box<dyn Read + Send + 'c>>,
) -> Result<()> {
    if destination.has(&descriptor.digest)? {
        counts.present.fetch_add(1, Ordering::Relaxed);
    } else {
        let mut content = open()?;
        if let Some(progress) = progress {
            progress.started(descriptor);
        }
        let content = &mut content;
        destination.put(descriptor, &mut Counted { content, digest: &descriptor.digest, progress })?;
        counts.blobs.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(descriptor.size, Ordering::Relaxed);
    }
    if let Some(progress) = progress {
        progress.finished(descriptor);
    }
    Ok(())
}

/// Content that ends with an error when another thread has failed.
struct Stoppable<'s> {
    content: Box<dyn Read + Send + 's>,
    stopped: &'s AtomicBool,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other("another blob could not be copied"));
        }
        self.content.read(buffer)
    }
}

/// Content whose progress is told.
struct Counted<'s> {
    content: &'s mut (dyn Read + Send + 's),
    digest: &'s Digest,
    progress: Option<&'s dyn Progress>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        if let Some(progress) = self.progress {
            progress.advanced(self.digest, count as u64);
        }
        Ok(count)
    }
}
