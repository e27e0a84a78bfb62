//! An image that is in the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Store;
use super::layers::DIFF;
use super::lock::{Kind, Lock};
use super::options::ImportOptions;
use crate::{
    Descriptor, Digest, Document, Error, Image, ImageConfig, Manifest, Platform, Result, chain_ids,
    resolve_image,
};

/// A layer of an image that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredLayer {
    /// The digest of this layer on those below it, by which it is kept.
    pub chain_id: Digest,
    /// The digest of its archive.
    pub diff_id: Digest,
    /// Its blob.
    pub descriptor: Descriptor,
    /// Its files, once it is [unpacked](StoredImage::unpack).
    pub path: PathBuf,
}

/// An image in a store. While this or a clone lives no collection takes anything of it away, even if its name is removed.
#[derive(Clone, Debug)]
pub struct StoredImage {
    store: Store,
    name: Option<String>,
    image: Image,
    layers: Vec<StoredLayer>,
    _lock: Arc<Lock>,
}

impl Store {
    /// The image of a name, or of the digest of its manifest, which may have `@` before it. An index that another tool put into the store is
    /// resolved for this host.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such image; if its documents cannot be read, or are not what their digests say.
    pub fn image(&self, name: &str) -> Result<StoredImage> {
        let _shared = self.share()?;
        let offer = self.find(name)?;
        let image = if offer.descriptor.media_type.is_index() {
            resolve_image(self, &offer.descriptor, &Platform::host())?
        } else {
            self.load(&offer.descriptor)?
        };
        StoredImage::hold(self.clone(), offer.name, image)
    }

    /// The documents of an image, for whatever platform it is.
    pub(super) fn load(&self, descriptor: &Descriptor) -> Result<Image> {
        let manifest = Document::<Manifest>::read(self, descriptor)?;
        manifest.value().check_image()?;
        let config = Document::<ImageConfig>::read(self, &manifest.value().config)?;
        let layers = manifest.value().layers_with(config.value())?;
        Ok(Image { manifest, config, layers })
    }
}

impl StoredImage {
    /// Marks the image as used. The store must be shared meanwhile.
    pub(super) fn hold(store: Store, name: Option<String>, image: Image) -> Result<Self> {
        let digest = image.manifest.digest();
        let blob = store.blob(digest)?;
        let lock = Lock::wait(blob, Kind::Shared).map_err(Error::file("lock", digest.to_string()))?;
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let layers = chain_ids(&diff_ids).into_iter().zip(&image.layers);
        let stored = |(chain_id, layer): (Digest, &crate::Layer)| StoredLayer {
            path: layer_path(store.path(), &chain_id),
            chain_id,
            diff_id: layer.diff_id.clone(),
            descriptor: layer.descriptor.clone(),
        };
        Ok(Self { layers: layers.map(stored).collect(), store, name, image, _lock: Arc::new(lock) })
    }

    /// The store that it is in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The name by which it was found or imported.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The descriptor of its manifest, whose digest identifies the image.
    pub fn descriptor(&self) -> Descriptor {
        self.image.manifest.descriptor()
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Document<Manifest> {
        &self.image.manifest
    }

    /// Its config.
    pub fn config(&self) -> &Document<ImageConfig> {
        &self.image.config
    }

    /// Its layers, the lowest first, whether they are unpacked or not.
    pub fn layers(&self) -> &[StoredLayer] {
        &self.layers
    }

    /// The directories of its layers, the topmost first, as overlay mounts want them. Layers that are not there, or that
    /// may have been lost when the machine crashed, are made from their blobs before, with the default options.
    ///
    /// They must only be read: other images have the same layers.
    ///
    /// # Errors
    /// As [`StoredImage::unpack`].
    pub fn lower_paths(&self) -> Result<Vec<PathBuf>> {
        self.unpack(&ImportOptions::new())?;
        Ok(self.layers.iter().rev().map(|layer| layer.path.clone()).collect())
    }

    /// Unpacks the layers that are not there. Of the options, platform and whether to unpack mean nothing here.
    ///
    /// # Errors
    /// If a blob is missing or damaged, exceeds a limit, or if the store cannot be written.
    pub fn unpack(&self, options: &ImportOptions<'_>) -> Result<()> {
        if self.is_unpacked()? {
            return Ok(());
        }
        let _shared = self.store.share()?;
        self.store.sweep()?;
        self.store.complete(None, &self.image, &options.clone().unpack(true))
    }

    /// Whether all layers are there.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_unpacked(&self) -> Result<bool> {
        for layer in &self.layers {
            if self.store.layer(&layer.chain_id)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn layer_path(store: &Path, chain_id: &Digest) -> PathBuf {
    store.join("layers").join(chain_id.algorithm().name()).join(chain_id.hex()).join(DIFF)
}
