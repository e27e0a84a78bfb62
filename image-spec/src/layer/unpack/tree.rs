//! All layers of an image into one directory.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::thread::{self, Scope, ScopedJoinHandle};

use super::extract;
use super::plan::{Form, Unpack, Unpacked};
use super::staging::Staging;
use super::stream::{self, Chunks, Work};
use crate::document::Layer;
use crate::{Digest, Result, Source};

/// How many layers are decompressed at the same time. Each takes a few buffers, and the window of its compression.
const AT_ONCE: usize = 2;

type Progress<'a> = &'a (dyn Fn(u64) + Sync);

impl Unpack {
    /// All layers of an image, from the lowest up, into a directory that is empty or made. While one is extracted the
    /// next is decompressed. Deletions are carried out, whatever [`Form`] this plan has.
    ///
    /// The tree is made in a directory beside it, `.NAME.unpacking`, and renamed when it is complete. What a killed
    /// process leaves there goes with the next call. Only where that cannot be, for a mount point or a link or where the
    /// caller may not write to the directory above, an empty directory is filled in its place.
    ///
    /// `progress` is called with how many more bytes of the blobs came, from several threads.
    ///
    /// # Errors
    /// As [`layer`](Self::layer). Then nothing is left, but the directory if it was there before.
    /// [`Error::Busy`](crate::Error::Busy) if another process unpacks to the same place.
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
        let staging = Staging::open(dir)?;
        match plan.layers(source, layers, staging.root(), progress) {
            Ok(unpacked) => staging.publish().map(|()| unpacked),
            Err(error) => {
                staging.discard();
                Err(error)
            }
        }
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
