//! What nobody needs any more, found and removed.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::time::Duration;

use super::Store;
use super::layers::digests;
use super::lock::{Kind, Lock};
use super::walk::{allocated, blocks};
use crate::{Descriptor, Digest, Document, Error, Index, Manifest, MediaType, Result, chain_ids};

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Blobs that no image has.
    pub blobs: u64,
    /// Unpacked layers that no image has, or that may have been lost when the machine crashed.
    pub layers: u64,
    /// The space on disk of these blobs and layers, in bytes.
    pub bytes: u64,
    /// What killed processes left.
    pub temporaries: u64,
}

/// What is needed.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) blobs: HashSet<Digest>,
    pub(super) layers: HashSet<Digest>,
}

/// A process that starts another one shares all its locks with it for a moment, until that executes its program.
const A_MOMENT: Duration = Duration::from_secs(1);

impl Store {
    /// Removes what no name, no container and no [`StoredImage`](super::StoredImage) of any process needs. Nothing can be
    /// imported or opened meanwhile.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody imports or opens something for more than a second; see [`Store::gc_within`]. If a document
    /// that says what is needed cannot be read: then nothing is removed, as [`Store::verify`] has to name the damage first.
    pub fn gc(&self) -> Result<Collected> {
        self.gc_within(A_MOMENT)
    }

    /// As [`Store::gc`], after waiting this long at most for those who import or open something.
    ///
    /// # Errors
    /// As for [`Store::gc`].
    pub fn gc_within(&self, patience: Duration) -> Result<Collected> {
        let _alone = self.alone(patience)?;
        let mut collected = Collected { temporaries: self.sweep()?, ..Collected::default() };
        let mut needed = self.needed()?;
        self.add_used(&mut needed)?;
        // First the layers: one without its blob could not be made again, a blob without its layer is nothing special.
        let scratch = self.scratch()?;
        for chain_id in self.all_layers()? {
            if needed.layers.contains(&chain_id) && self.layer(&chain_id)?.is_some() {
                continue;
            }
            let layers = self.layers(chain_id.algorithm())?;
            let dir = layers.open(chain_id.hex())?;
            collected.bytes += allocated(dir.as_fd()).map_err(Error::file("read", dir.path()))?;
            collected.layers += 1;
            // Never half a layer under its name.
            layers.rename(
                chain_id.hex(),
                scratch.dir(),
                &format!("{}-{}", chain_id.algorithm(), chain_id.hex()),
            )?;
        }
        scratch.finish()?;
        for digest in self.all_blobs()? {
            if !needed.blobs.contains(&digest) {
                let blobs = self.blobs(digest.algorithm())?;
                collected.bytes += blobs.stat(digest.hex())?.map_or(0, |stat| blocks(&stat));
                collected.blobs += 1;
                blobs.unlink(digest.hex())?;
            }
        }
        Ok(collected)
    }

    /// The store for oneself.
    pub(super) fn alone(&self, patience: Duration) -> Result<Lock> {
        let (locks, fd) = self.store_lock()?;
        let lock = Lock::within(fd, Kind::Exclusive, patience);
        let busy = || Error::Busy { what: "store", name: self.path().to_string_lossy().into_owned() };
        lock.map_err(Error::file("lock", locks.path_of("store")))?.ok_or_else(busy)
    }

    /// All blobs that are there.
    pub(super) fn all_blobs(&self) -> Result<Vec<Digest>> {
        digests(|algorithm| self.blobs(algorithm))
    }

    /// What names and containers need.
    pub(super) fn needed(&self) -> Result<Needed> {
        let mut needed = Needed::default();
        for offer in self.images()? {
            needed.add(self, offer.descriptor)?;
        }
        for (_, image) in self.containers()? {
            needed.add(self, image)?;
        }
        Ok(needed)
    }

    /// Adds what is needed by images that are in use and have no name any more. Such a one's manifest is locked.
    fn add_used(&self, needed: &mut Needed) -> Result<()> {
        for digest in self.all_blobs()? {
            if needed.blobs.contains(&digest) {
                continue;
            }
            let fail = Error::file("lock", digest.to_string());
            if Lock::attempt(self.blob(&digest)?, Kind::Exclusive).map_err(fail)?.is_none() {
                needed.add(self, self.describe_manifest(&digest)?)?;
            }
        }
        Ok(())
    }

    /// The descriptor of a manifest of which only the digest is known.
    fn describe_manifest(&self, digest: &Digest) -> Result<Descriptor> {
        let content =
            self.blobs(digest.algorithm())?.read(digest.hex(), crate::MAX_MANIFEST)?.unwrap_or_default();
        let value: serde_json::Value = super::open::parse("manifest", &content)?;
        let media_type = value["mediaType"].as_str().unwrap_or(MediaType::OCI_MANIFEST);
        Ok(Descriptor::new(media_type, digest.clone(), content.len() as u64))
    }
}

impl Needed {
    /// Adds what an image needs, or all images of an index that are there.
    pub(super) fn add(&mut self, store: &Store, descriptor: Descriptor) -> Result<()> {
        let mut todo = vec![descriptor];
        while let Some(descriptor) = todo.pop() {
            if !self.blobs.insert(descriptor.digest.clone()) {
                continue;
            }
            if descriptor.media_type.is_index() {
                for entry in Document::<Index>::read(store, &descriptor)?.into_value().manifests {
                    // An index can name images for platforms that nobody wanted.
                    if store.has_blob(&entry)? {
                        todo.push(entry);
                    }
                }
            } else if descriptor.media_type.is_manifest() {
                self.add_manifest(store, &descriptor)?;
            }
        }
        Ok(())
    }

    fn add_manifest(&mut self, store: &Store, descriptor: &Descriptor) -> Result<()> {
        let manifest = Document::<Manifest>::read(store, descriptor)?;
        let manifest = manifest.value();
        self.blobs.extend(manifest.layers.iter().map(|layer| layer.digest.clone()));
        self.blobs.insert(manifest.config.digest.clone());
        // Attestations and signatures have the config of an image, but no layers that are unpacked.
        if manifest.check_image().is_ok() {
            let layers = store.load(descriptor)?.layers;
            let diff_ids: Vec<_> = layers.into_iter().map(|layer| layer.diff_id).collect();
            self.layers.extend(chain_ids(&diff_ids));
        }
        Ok(())
    }
}
