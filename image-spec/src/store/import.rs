//! Images taken in: what is missing is found, locked and made.

use std::collections::BTreeMap;

use super::lock::NameLock;
use super::making::{Job, Making, Remade};
use super::names::check_name;
use super::options::ImportOptions;
use super::{Store, StoredImage};
use crate::{Descriptor, Digest, Image, Result, Source, chain_ids, resolve_image};

impl Store {
    /// Takes an image from a place: its documents as they are, its blobs, and its layers unpacked. What is in the store
    /// already is not read again. Other processes may do the same at the same time; of an image that two import one makes
    /// each layer, and the other waits for it.
    ///
    /// An index is not kept, only the manifest for the platform. Without a name the image can be found by its digest.
    ///
    /// # Errors
    /// If anything cannot be read, is not what its digest says, breaks a rule or exceeds a limit, and if the store cannot
    /// be written. Then the store has what it had before.
    pub fn import(
        &self,
        source: &dyn Source,
        descriptor: &Descriptor,
        name: Option<&str>,
        options: &ImportOptions<'_>,
    ) -> Result<StoredImage> {
        name.map_or(Ok(()), check_name)?;
        let _shared = self.share()?;
        self.sweep()?;
        let image = resolve_image(source, descriptor, &options.platform)?;
        self.complete(Some(source), &image, options)?;
        let mut named = image.manifest.descriptor();
        named.annotations.clone_from(&descriptor.annotations);
        self.set_name(name, &named)?;
        StoredImage::hold(self.clone(), name.map(str::to_owned), image)
    }

    /// Makes what is missing of an image. The store must be shared.
    pub(super) fn complete(
        &self,
        source: Option<&dyn Source>,
        image: &Image,
        options: &ImportOptions<'_>,
    ) -> Result<()> {
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = chain_ids(&diff_ids);
        let locks = if options.unpack { self.lock_missing(&chain)? } else { BTreeMap::new() };
        let mut jobs = Vec::new();
        for (position, (layer, chain_id)) in image.layers.iter().zip(&chain).enumerate() {
            let fetch = !self.has_blob(&layer.descriptor)?;
            let unpack = locks.contains_key(chain_id);
            if (fetch && source.is_some()) || unpack {
                jobs.push(Job { position, layer, chain_id, fetch, unpack });
            }
        }
        let documents = [
            (image.config.descriptor(), image.config.bytes()),
            (image.manifest.descriptor(), image.manifest.bytes()),
        ];
        let mut missing = Vec::new();
        for (descriptor, bytes) in documents {
            if !self.has_blob(&descriptor)? {
                missing.push((descriptor, bytes));
            }
        }
        if jobs.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Making::new(self, source, options)?.make(&jobs, &missing, &chain)
    }

    /// Unpacks all layers of an image anew, from the store's blobs, beside those that are there.
    pub(super) fn remake(&self, image: &Image) -> Result<Remade> {
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = chain_ids(&diff_ids);
        let layers = image.layers.iter().zip(&chain).enumerate();
        let job =
            |(position, (layer, chain_id))| Job { position, layer, chain_id, fetch: false, unpack: true };
        let jobs: Vec<_> = layers.map(job).collect();
        let options = ImportOptions::new();
        Making::new(self, None, &options)?.remake(&jobs, &chain)
    }

    /// Locks the layers that are not there, from the lowest.
    fn lock_missing(&self, chain: &[Digest]) -> Result<BTreeMap<Digest, NameLock>> {
        let mut locks = BTreeMap::new();
        for chain_id in chain {
            if self.layer(chain_id)?.is_some() {
                continue;
            }
            let lock = self.lock_layer(chain_id)?;
            // Who held it may have made the layer.
            if self.layer(chain_id)?.is_none() {
                locks.insert(chain_id.clone(), lock);
            }
        }
        Ok(locks)
    }
}
