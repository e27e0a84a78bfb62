//! All layers of an image into one directory.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::thread::{self, Scope, ScopedJoinHandle};

use super::plan::{Form, Unpack, Unpacked};
use super::stream::{self, Chunks, Work};
use super::{extract, remove};
use crate::document::Layer;
use crate::{Digest, Error, Result, Source};

/// How many layers are decompressed at the same time. Each takes a few buffers, and the window of its compression.
const AT_ONCE: usize = 2;

type Progress<'a> = &'a (dyn Fn(u64) + Sync);

impl Unpack {
    /// All layers of an image, from the lowest up, into a directory that is empty or made. While one is extracted the
    /// next is decompressed. Deletions are carried out, whatever [`Form`] this plan has.
    ///
    /// `progress` is called with how many more bytes of the blobs came, from several threads.
    ///
    /// # Errors
    /// As [`layer`](Self::layer). The directory is removed then, or emptied if it was there before.
    ///
    /// # Privileges
    /// As [`layer`](Self::layer).
    pub fn tree(
        &self,
        source: &dyn Source,
        layers: &[Layer],
        dir: &Path,
        progress: Progress<'_>,
    ) -> Result<Vec<Unpacked>> {
        let plan = Self { form: Form::Plain, ..self.clone() };
        let file = |action| move |source| Error::File { action, path: dir.to_path_buf(), source };
        let made = match fs::create_dir(dir) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(file("make directory")(error)),
        };
        let root = File::open(dir).map_err(file("open"))?;
        if !extract::is_fresh(&plan, root.as_fd())? {
            return Err(file("unpack into")(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        let outcome = plan.layers(source, layers, root.as_fd(), progress);
        if outcome.is_err() {
            remove::discard(root.as_fd());
            if made {
                fs::remove_dir(dir).unwrap_or_default();
            }
        }
        outcome
    }

    fn layers(
        &self,
        source: &dyn Source,
        layers: &[Layer],
        root: BorrowedFd<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<Unpacked>> {
        thread::scope(|scope| {
            let mut begun = VecDeque::new();
            let mut rest = layers.iter();
            let mut unpacked = Vec::with_capacity(layers.len());
            loop {
                while begun.len() < AT_ONCE {
                    let Some(layer) = rest.next() else { break };
                    begun.push_back(self.begin(scope, source, layer, progress));
                }
                let Some(Begun { layer, chunks, thread }) = begun.pop_front() else { break };
                let extracted =
                    extract::is_fresh(self, root).and_then(|fresh| extract::layer(self, root, fresh, chunks));
                let one = stream::conclude(stream::join(thread), extracted);
                unpacked.push(one.map_err(|error| error.in_layer(&layer.descriptor.digest))?);
            }
            Ok(unpacked)
        })
    }

    fn begin<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        source: &'env dyn Source,
        layer: &'env Layer,
        progress: Progress<'env>,
    ) -> Begun<'scope, 'env> {
        let (filler, chunks) = stream::buffers();
        let thread = scope.spawn(move || {
            let blob = source.open(&layer.descriptor)?;
            let diff_id = Some(&layer.diff_id);
            let work = Work { unpack: self, descriptor: &layer.descriptor, diff_id, progress };
            work.decompress(blob, filler)
        });
        Begun { layer, chunks, thread }
    }
}

/// A layer that is being decompressed.
struct Begun<'scope, 'env> {
    layer: &'env Layer,
    chunks: Chunks,
    thread: ScopedJoinHandle<'scope, Result<Option<Digest>>>,
}
