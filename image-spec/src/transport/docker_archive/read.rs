//! A Docker archive that is read: it has no manifests, so they are made up.

use std::collections::HashMap;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use super::{Item, LIST, MOST_LIST};
use crate::transport::archive::{self, Archive, Content};
use crate::transport::layout::format;
use crate::{
    Algorithm, Compression, Descriptor, Digest, Document, Error, HashingReader, ImageConfig, MAX_CONFIG,
    Manifest, MediaType, Offer, Result, Source,
};

/// An archive of images without manifests that is read.
///
/// The manifests are made up: their layers are the files of the archive as they are. A layer that is not compressed
/// has the digest that the config gives it, so it is verified when it is read; one that is compressed is read once to
/// find its digests. An archive that is also an image layout, as Docker writes it since version 25, is read by its
/// `manifest.json` here.
///
/// Compressed archives and pipes are taken as by [`OciArchive`](crate::OciArchive).
#[derive(Debug)]
pub struct DockerArchive {
    archive: Archive,
    offers: Vec<Offer>,
    manifests: HashMap<Digest, Vec<u8>>,
    content: HashMap<Digest, Content>,
}

impl DockerArchive {
    /// Opens an archive and reads the configs of all its images.
    ///
    /// # Errors
    /// If it cannot be read, is no tar archive of images, or has entries that none has: names outside, or twice,
    /// devices, links that leave it; if a config has not as many layers as the list says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let archive = Archive::open(path.as_ref())?;
        let items: Vec<Item> = format::json(LIST, &archive.small(LIST, MOST_LIST)?)?;
        let mut reader = Reader { archive, configs: HashMap::new(), layers: HashMap::new() };
        let mut offers = Vec::new();
        let mut manifests = HashMap::new();
        for item in &items {
            let manifest = reader.manifest(item)?;
            let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
            let tags = item.repo_tags.as_deref().unwrap_or_default();
            let named = |name| Offer { name, descriptor: descriptor.clone() };
            offers.extend(tags.iter().cloned().map(Some).map(named));
            if tags.is_empty() {
                offers.push(named(None));
            }
            manifests.insert(descriptor.digest, manifest);
        }
        let configs = reader.configs.into_iter().map(|(place, config)| (config.descriptor.digest, place));
        let layers = reader.layers.into_iter().map(|((place, _), layer)| (layer.digest, place));
        Ok(Self { archive: reader.archive, offers, manifests, content: configs.chain(layers).collect() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.archive.path()
    }
}

impl Source for DockerArchive {
    fn offers(&self) -> Result<Vec<Offer>> {
        Ok(self.offers.clone())
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        if let Some(manifest) = self.manifests.get(&descriptor.digest) {
            return Ok(Box::new(Cursor::new(manifest)));
        }
        let missing = || Error::Missing { what: "blob", name: descriptor.digest.to_string() };
        let content = self.content.get(&descriptor.digest).ok_or_else(missing)?;
        Ok(Box::new(self.archive.part(*content)))
    }
}

/// What is known of the content of the archive. Each part is looked at once, however many images have it.
struct Reader {
    archive: Archive,
    configs: HashMap<Content, Config>,
    /// By place and by the diff id that a config promised for it.
    layers: HashMap<(Content, Digest), Descriptor>,
}

#[derive(Clone)]
struct Config {
    descriptor: Descriptor,
    diff_ids: Vec<Digest>,
}

impl Reader {
    fn manifest(&mut self, item: &Item) -> Result<Vec<u8>> {
        let config = self.config(&item.config)?;
        let names = item.layers.as_deref().unwrap_or_default();
        if names.len() != config.diff_ids.len() {
            let reason = format!("has {} layers, but its config {}", names.len(), config.diff_ids.len());
            return Err(Error::invalid("image in manifest.json", &item.config, reason));
        }
        let layers = names.iter().zip(&config.diff_ids).map(|(name, diff_id)| self.layer(name, diff_id));
        let manifest = Manifest::new(config.descriptor, layers.collect::<Result<Vec<_>>>()?);
        Ok(Document::new(&manifest)?.bytes().to_vec())
    }

    fn find(&self, name: &str) -> Result<Content> {
        let missing = || Error::Missing { what: "archive entry", name: name.to_owned() };
        self.archive.find(name)?.ok_or_else(missing)
    }

    fn config(&mut self, name: &str) -> Result<Config> {
        let place = self.find(name)?;
        if let Some(config) = self.configs.get(&place) {
            return Ok(config.clone());
        }
        let content = self.archive.small(name, MAX_CONFIG)?;
        let document = Document::<ImageConfig>::from_bytes(MediaType::OCI_CONFIG, content)?;
        let config =
            Config { descriptor: document.descriptor(), diff_ids: document.into_value().rootfs.diff_ids };
        self.configs.insert(place, config.clone());
        Ok(config)
    }

    fn layer(&mut self, name: &str, diff_id: &Digest) -> Result<Descriptor> {
        let place = self.find(name)?;
        let key = (place, diff_id.clone());
        if let Some(layer) = self.layers.get(&key) {
            return Ok(layer.clone());
        }
        let beginning = self.beginning(place)?;
        let (media_type, digest) = match Compression::detect(&beginning) {
            Compression::None => (MediaType::OCI_LAYER, diff_id.clone()),
            Compression::Gzip => (MediaType::OCI_LAYER_GZIP, self.compressed(place, diff_id)?),
            Compression::Zstd => (MediaType::OCI_LAYER_ZSTD, self.compressed(place, diff_id)?),
        };
        let layer = Descriptor::new(media_type, digest, place.size);
        self.layers.insert(key, layer.clone());
        Ok(layer)
    }

    fn beginning(&self, place: Content) -> Result<Vec<u8>> {
        let mut beginning = Vec::new();
        let read = self.archive.part(place).take(4).read_to_end(&mut beginning);
        read.map(|_| beginning).map_err(|source| Error::Stream { what: "archive", source })
    }

    /// The digest of a layer that is compressed, whose content must be what the config says.
    fn compressed(&self, place: Content, diff_id: &Digest) -> Result<Digest> {
        let stream = |source| Error::Stream { what: "compressed layer", source };
        let outer = HashingReader::new(self.archive.part(place), Algorithm::Sha256);
        let mut outer = BufReader::with_capacity(128 << 10, outer);
        let compression = Compression::detect(&self.beginning(place)?);
        let limit = archive::limit(place.size);
        let inner = compression.decoder(&mut outer).map_err(stream)?.take(limit + 1);
        let mut inner = HashingReader::new(inner, diff_id.algorithm());
        std::io::copy(&mut inner, &mut std::io::sink()).map_err(stream)?;
        let (found, size) = inner.finish();
        if size > limit {
            return Err(Error::Limit { what: "decompressed bytes of a layer", limit });
        }
        if found != *diff_id {
            return Err(Error::DigestMismatch { what: "diff id", expected: diff_id.clone(), found });
        }
        Ok(outer.into_inner().finish().0)
    }
}
