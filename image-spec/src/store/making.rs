//! What is missing of an image: made in a scratch directory, all of it, and then published.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;

use super::Store;
use super::blobs::fill;
use super::dir::Dir;
use super::layers::{DIFF, LayerRecord};
use super::options::ImportOptions;
use super::remove::remove;
use super::scratch::Scratch;
use super::tee::Tee;
use crate::{Descriptor, Digest, Error, Layer, Result, Settled, Source, Unpack, Unpacked};

/// How often a layer is unpacked again at most, as directories of it turn out to be links below. The kernel follows as
/// many links.
const ROUNDS: u64 = 40;

/// The file of a document until it has its name.
const DOCUMENT: &str = "new";

/// A layer of which something is missing: its blob, its directory or both.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) position: usize,
    pub(super) layer: &'a Layer,
    pub(super) chain_id: &'a Digest,
    pub(super) fetch: bool,
    pub(super) unpack: bool,
}

/// What makes that which is missing of an image.
pub(super) struct Making<'a> {
    store: &'a Store,
    /// `None`: what has no blob in the store cannot be made.
    source: Option<&'a dyn Source>,
    options: &'a ImportOptions<'a>,
    scratch: Scratch,
    /// Set at the first error.
    stop: AtomicBool,
}

/// The layers of an image, unpacked once more.
pub(super) struct Remade {
    scratch: Scratch,
}

impl Remade {
    /// The files of a layer.
    pub(super) fn layer(&self, position: usize) -> Result<Dir> {
        self.scratch.dir().open(&layer_name(position))?.open(DIFF)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.scratch.finish()
    }
}

impl<'a> Making<'a> {
    pub(super) fn new(
        store: &'a Store,
        source: Option<&'a dyn Source>,
        options: &'a ImportOptions<'a>,
    ) -> Result<Self> {
        Ok(Self { store, source, options, scratch: store.scratch()?, stop: AtomicBool::new(false) })
    }

    /// Makes what is missing and publishes it.
    pub(super) fn make(
        self,
        jobs: &[Job<'_>],
        documents: &[(Descriptor, &[u8])],
        chain: &[Digest],
    ) -> Result<()> {
        // A blob that is there twice is read once; the others are unpacked from the file.
        let mut seen = HashSet::new();
        let (first, again): (Vec<_>, Vec<_>) =
            jobs.iter().partition(|job| seen.insert(&job.layer.descriptor.digest));
        let mut made = self.run(&first)?;
        made.extend(self.run(&again)?);
        self.settle(jobs, made, chain)?;
        for name in self.scratch.dir().names()? {
            let name = name.to_string_lossy();
            if let Some(digest) = blob_digest(&name) {
                self.store.replace_blob(&self.scratch, &name, &digest)?;
            }
        }
        for (descriptor, bytes) in documents {
            fill(&self.scratch, DOCUMENT, descriptor, &mut &**bytes)?;
            self.store.add_blob(&self.scratch, DOCUMENT, descriptor)?;
        }
        for job in jobs.iter().filter(|job| job.unpack) {
            self.store.publish_layer(&self.scratch, &layer_name(job.position), job.chain_id)?;
        }
        self.scratch.finish()
    }

    /// Makes the layers and keeps them to be looked at.
    pub(super) fn remake(self, jobs: &[Job<'_>], chain: &[Digest]) -> Result<Remade> {
        let made = self.run(&jobs.iter().collect::<Vec<_>>())?;
        self.settle(jobs, made, chain)?;
        Ok(Remade { scratch: self.scratch })
    }

    /// Does jobs on several threads. After the first error no other is begun.
    fn run(&self, jobs: &[&Job<'_>]) -> Result<BTreeMap<usize, Unpacked>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Ok(BTreeMap::new()));
        let work = || {
            while !self.stop.load(Ordering::Relaxed) {
                let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let result = self.tell(job).map_err(|error| in_layer(error, &job.layer.descriptor.digest));
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                match (result, &mut *done) {
                    (Ok(Some(unpacked)), Ok(map)) => drop(map.insert(job.position, unpacked)),
                    (Err(error), Ok(_)) => {
                        *done = Err(error);
                        self.stop.store(true, Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.options.workers(jobs.len()) {
                scope.spawn(work);
            }
            work();
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, job: &Job<'_>) -> Result<Option<Unpacked>> {
        let progress = self.options.progress;
        progress.inspect(|progress| progress.started(&job.layer.descriptor));
        let unpacked = self.job(job)?;
        progress.inspect(|progress| progress.finished(&job.layer.descriptor));
        Ok(unpacked)
    }

    fn job(&self, job: &Job<'_>) -> Result<Option<Unpacked>> {
        let Job { layer, .. } = job;
        if !job.unpack {
            self.fetch(&layer.descriptor)?;
            return Ok(None);
        }
        let unpack = self.unpacker();
        let fetched = self.scratch.dir().stat(&blob_name(&layer.descriptor.digest))?.is_some();
        if job.fetch && !fetched {
            return self.fetch_and_unpack(job, &unpack).map(Some);
        }
        match self.unpack(job, &unpack) {
            // A blob that was damaged in the store is taken anew.
            Err(_) if self.source.is_some() && !fetched => self.fetch_and_unpack(job, &unpack).map(Some),
            result => result.map(Some),
        }
    }

    fn unpacker(&self) -> Unpack {
        Unpack::new(self.store.form()).limits(self.options.limits.clone())
    }

    /// Takes a blob alone.
    fn fetch(&self, descriptor: &Descriptor) -> Result<()> {
        let name = blob_name(&descriptor.digest);
        let mut content = self.tee(self.open(descriptor)?, None, descriptor);
        fill(&self.scratch, &name, descriptor, &mut content)
    }

    /// Takes a blob and unpacks it, reading it once. The unpacker verifies it.
    fn fetch_and_unpack(&self, job: &Job<'_>, unpack: &Unpack) -> Result<Unpacked> {
        let descriptor = &job.layer.descriptor;
        let name = blob_name(&descriptor.digest);
        let mut file = self.scratch.file(&name)?;
        let mut blob = self.tee(self.open(descriptor)?, Some(&mut file), descriptor);
        let diff = self.fresh(job)?;
        let result = unpack.layer(&mut blob, descriptor, Some(&job.layer.diff_id), diff.as_fd(), &|_| ());
        let unpacked = blob.outcome(result, self.scratch.dir().io("write", &name))?;
        file.sync_all().map_err(self.scratch.dir().io("fsync", &name))?;
        Ok(unpacked)
    }

    /// Unpacks a blob that is in the store, or that this import has fetched.
    fn unpack(&self, job: &Job<'_>, unpack: &Unpack) -> Result<Unpacked> {
        let descriptor = &job.layer.descriptor;
        let file = match self.scratch.dir().file(&blob_name(&descriptor.digest))? {
            Some(file) => file,
            None => self.store.blob(&descriptor.digest)?,
        };
        let mut blob = self.tee(file, None, descriptor);
        let diff = self.fresh(job)?;
        let result = unpack.layer(&mut blob, descriptor, Some(&job.layer.diff_id), diff.as_fd(), &|_| ());
        blob.outcome(result, self.scratch.dir().io("read", "blob"))
    }

    fn open<'d>(&'d self, descriptor: &'d Descriptor) -> Result<Box<dyn Read + Send + 'd>> {
        match (&descriptor.data, self.source) {
            (Some(data), _) => Ok(Box::new(&data[..])),
            (None, Some(source)) => source.open(descriptor),
            (None, None) => Err(Error::Missing { what: "blob", name: descriptor.digest.to_string() }),
        }
    }

    fn tee<'t, R>(&'t self, from: R, to: Option<&'t mut File>, descriptor: &'t Descriptor) -> Tee<'t, R> {
        let progress = self.options.progress;
        Tee { from, to, descriptor, progress, stop: &self.stop, count: 0, failure: None }
    }

    /// An empty directory for a layer; what an earlier attempt made is removed.
    fn fresh(&self, job: &Job<'_>) -> Result<Dir> {
        let name = layer_name(job.position);
        remove(self.scratch.dir().as_fd(), &name, self.scratch.dir().path())?;
        let diff = self.scratch.dir().make(&name)?.make(DIFF)?;
        // The root of a layer that does not say otherwise; nobody else gets here, as the store has 0700.
        rustix::fs::fchmod(&diff, Mode::from_raw_mode(0o755)).map_err(Error::file("chmod", diff.path()))?;
        Ok(diff)
    }

    /// Completes the layers above those below them, from the lowest, and writes their records.
    fn settle(&self, jobs: &[Job<'_>], made: BTreeMap<usize, Unpacked>, chain: &[Digest]) -> Result<()> {
        let Some(top) = made.keys().next_back().copied() else { return Ok(()) };
        let mut made = made;
        let mut lowers: Vec<Dir> = Vec::new();
        for (position, chain_id) in chain.iter().enumerate().take(top + 1) {
            let job = jobs.iter().find(|job| job.position == position);
            let diff = match (job, made.remove(&position)) {
                (Some(job), Some(unpacked)) => {
                    let settled = self.settle_one(job, unpacked, &lowers);
                    settled.map_err(|error| in_layer(error, &job.layer.descriptor.digest))?
                }
                _ => self.present(chain_id)?,
            };
            lowers.push(diff);
        }
        Ok(())
    }

    fn settle_one(&self, job: &Job<'_>, mut unpacked: Unpacked, lowers: &[Dir]) -> Result<Dir> {
        let below: Vec<BorrowedFd<'_>> = lowers.iter().rev().map(AsFd::as_fd).collect();
        let mut unpack = self.unpacker();
        for _ in 0..ROUNDS {
            let dir = self.scratch.dir().open(&layer_name(job.position))?;
            let diff = dir.open(DIFF)?;
            match unpacked.pending.settle(diff.as_fd(), &below)? {
                Settled::Complete => {
                    self.record(job, &unpacked).write(&dir)?;
                    return Ok(diff);
                }
                Settled::Redirect(redirects) => unpack = unpack.redirect(redirects),
            }
            unpacked = self.unpack(job, &unpack)?;
        }
        Err(Error::Limit { what: "number of links that directories of a layer lead through", limit: ROUNDS })
    }

    fn record(&self, job: &Job<'_>, unpacked: &Unpacked) -> LayerRecord {
        LayerRecord {
            version: LayerRecord::VERSION,
            chain_id: job.chain_id.clone(),
            diff_id: job.layer.diff_id.clone(),
            blob: job.layer.descriptor.digest.clone(),
            boot: self.store.boot().to_owned(),
            synced: false,
            entries: unpacked.entries,
            bytes: unpacked.bytes,
        }
    }

    /// The files of a layer that was there before.
    fn present(&self, chain_id: &Digest) -> Result<Dir> {
        let missing = || Error::Missing { what: "layer", name: chain_id.to_string() };
        let (dir, _) = self.store.layer(chain_id)?.ok_or_else(missing)?;
        dir.open(DIFF)
    }
}

fn blob_name(digest: &Digest) -> String {
    format!("blob-{}-{}", digest.algorithm(), digest.hex())
}

fn blob_digest(name: &str) -> Option<Digest> {
    name.strip_prefix("blob-")?.replacen('-', ":", 1).parse().ok()
}

fn layer_name(position: usize) -> String {
    format!("layer-{position}")
}

/// Says which layer it was, once.
fn in_layer(error: Error, digest: &Digest) -> Error {
    match error {
        Error::Layer { .. } => error,
        other => other.in_layer(digest),
    }
}
