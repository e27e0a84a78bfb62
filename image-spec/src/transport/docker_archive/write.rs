//! A Docker archive that is written.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Item, LIST};
use crate::transport::archive::{self, ArchiveWriter, Spool};
use crate::transport::files::{self, At as _, Replacement};
use crate::{
    Compression, Descriptor, Destination, Digest, Document, Error, HashingReader, ImageConfig, Layer,
    MAX_CONFIG, MAX_MANIFEST, Manifest, Reference, Result, json,
};

/// An archive that `docker load`, `podman load` and skopeo read.
///
/// It has no manifests: an image in it is its config, its layers, not compressed, and its names. So images read from it
/// have another manifest, but the same config, which is the image's id. It holds no index: an image for several
/// platforms must be copied for one. The same images have the same bytes each time.
///
/// Everything waits in a file without a name, beside the archive, until [`Destination::finish`] writes the archive in
/// place of what has its name. Without that nothing is left.
#[derive(Debug)]
pub struct DockerArchiveWriter {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
    spool: Spool,
    images: Mutex<Vec<(Option<String>, Descriptor)>>,
}

/// An image that is to be written.
struct Ready {
    config: Document<ImageConfig>,
    layers: Vec<Layer>,
    names: BTreeSet<String>,
}

impl DockerArchiveWriter {
    /// Begins an archive.
    ///
    /// # Errors
    /// If its directory is not there, or cannot be written; if something else than a regular file has its name.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (directory, name) = files::parent(path)?;
        let spool = Spool::new(directory.as_fd())?;
        Ok(Self { spool, name: name.into(), path: path.into(), directory, images: Mutex::default() })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn images(&self) -> MutexGuard<'_, Vec<(Option<String>, Descriptor)>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self, manifest: &Manifest) -> Result<Document<ImageConfig>> {
        Document::parse(self.spool.small(&manifest.config.digest, MAX_CONFIG)?, &manifest.config)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Document<Manifest>> {
        Document::parse(self.spool.small(&descriptor.digest, MAX_MANIFEST)?, descriptor)
    }

    /// The images by their ids.
    fn ready(&self) -> Result<BTreeMap<Digest, Ready>> {
        let mut ready = BTreeMap::new();
        for (name, descriptor) in self.images().iter() {
            let manifest = self.manifest(descriptor)?.into_value();
            let config = self.config(&manifest)?;
            let layers = manifest.layers_with(config.value())?;
            let image = ready.entry(config.digest().clone());
            image
                .or_insert_with(|| Ready { config, layers, names: BTreeSet::new() })
                .names
                .extend(name.clone());
        }
        Ok(ready)
    }

    fn write(&self, images: &BTreeMap<Digest, Ready>, target: &File) -> Result<()> {
        let mut writer = ArchiveWriter::new(target);
        let layers = images.values().flat_map(|image| &image.layers);
        let layers: BTreeMap<_, _> = layers.map(|layer| (&layer.diff_id, &layer.descriptor.digest)).collect();
        for (diff_id, blob) in layers {
            self.layer(&mut writer, diff_id, blob).map_err(|error| error.in_layer(blob))?;
        }
        let mut list = Vec::new();
        for Ready { config, layers, names } in images.values() {
            let name = format!("{}.json", config.digest().hex());
            writer.file(&name, config.bytes().len() as u64, &mut config.bytes())?;
            list.push(Item {
                config: name,
                repo_tags: Some(names.iter().cloned().collect()),
                layers: Some(layers.iter().map(|layer| layer_name(&layer.diff_id)).collect()),
            });
        }
        let list = json::write(LIST, &list)?;
        writer.file(LIST, list.len() as u64, &mut &*list)?;
        writer.finish()
    }

    /// Decompresses a layer, which must be what the config says.
    fn layer(&self, writer: &mut ArchiveWriter<'_>, diff_id: &Digest, blob: &Digest) -> Result<()> {
        let stream = |source| Error::Stream { what: "layer", source };
        let content = self.spool.open(blob)?;
        let limit = archive::limit(content.left());
        let mut content = BufReader::with_capacity(128 << 10, content);
        let compression = Compression::detect(content.fill_buf().map_err(stream)?);
        let content = compression.decoder(content).map_err(stream)?.take(limit + 1);
        let mut content = HashingReader::new(content, diff_id.algorithm());
        writer.stream(&layer_name(diff_id), &mut content)?;
        match content.finish() {
            (_, size) if size > limit => Err(Error::Limit { what: "decompressed bytes of a layer", limit }),
            (found, _) if found == *diff_id => Ok(()),
            (found, _) => Err(Error::DigestMismatch { what: "diff id", expected: diff_id.clone(), found }),
        }
    }
}

fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

/// Docker wants a tag in each name.
fn tagged(name: &str) -> Result<String> {
    let reference: Reference = name.parse()?;
    if reference.digest().is_some() {
        return Err(Error::invalid("name in a docker archive", name, "has a digest"));
    }
    Ok(reference.familiar())
}

impl Destination for DockerArchiveWriter {
    fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.spool.has(digest))
    }

    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        self.spool.put(descriptor, content)
    }

    fn publish(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        if !descriptor.media_type.is_manifest() {
            let what = "image for several platforms in a docker archive";
            return Err(Error::Unsupported { what, value: descriptor.media_type.to_string() });
        }
        let name = name.map(tagged).transpose()?;
        let manifest = self.manifest(descriptor)?.into_value();
        manifest.layers_with(self.config(&manifest)?.value())?;
        let mut images = self.images();
        images.retain(|(other, _)| name.is_none() || *other != name);
        images.push((name, descriptor.clone()));
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let images = self.ready()?;
        if images.is_empty() {
            return Err(Error::invalid("archive", self.path.to_string_lossy(), "has no image"));
        }
        let new = Replacement::new(self.directory.as_fd(), &self.name)?;
        self.write(&images, new.file()).map_err(|error| match error {
            Error::Stream { what: "archive", source } => source.at("write", &self.path),
            other => other,
        })?;
        new.commit()
    }
}
