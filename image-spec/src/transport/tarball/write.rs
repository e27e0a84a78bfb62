//! An image whose files are written as one archive.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::layer::squash::squash;
use crate::transport::archive::Spool;
use crate::transport::files::{self, At as _, Replacement};
use crate::{
    Descriptor, Destination, Digest, Document, Error, ImageConfig, LayerCompression, Limits, MAX_CONFIG,
    MAX_MANIFEST, Manifest, Result,
};

/// A tar archive of all files of one image, its layers put together.
///
/// What upper layers replace or delete is not in it, nor are the deletions. No path in it leads through a symbolic link.
/// A hard link to a file that an upper layer hides has the file's content. What the config says is lost. Nothing is
/// unpacked, so no privilege is needed whoever owns the files.
///
/// Everything waits in a file without a name, beside the archive, until [`Destination::finish`] writes the archive in
/// place of what has its name. Without that nothing is left. The same image gives the same bytes each time.
#[derive(Debug)]
pub struct TarballWriter {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
    compression: LayerCompression,
    limits: Limits,
    spool: Spool,
    image: Mutex<Option<Descriptor>>,
}

impl TarballWriter {
    /// Begins an archive, compressed as its name says: `.gz` and `.tgz`, `.zst` and `.tzst`.
    ///
    /// # Errors
    /// If its directory is not there, or cannot be written; if something else than a regular file has its name.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (directory, name) = files::parent(path)?;
        let compression = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz" | "tgz") => LayerCompression::Gzip,
            Some("zst" | "tzst") => LayerCompression::Zstd,
            _ => LayerCompression::None,
        };
        Ok(Self {
            spool: Spool::new(directory.as_fd())?,
            name: name.into(),
            path: path.into(),
            directory,
            compression,
            limits: Limits::default(),
            image: Mutex::default(),
        })
    }

    /// The same with another compression.
    #[must_use]
    pub fn compression(mut self, compression: LayerCompression) -> Self {
        self.compression = compression;
        self
    }

    /// The same with other limits for each layer.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn image(&self) -> std::sync::MutexGuard<'_, Option<Descriptor>> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest> {
        let manifest = self.spool.small(&descriptor.digest, MAX_MANIFEST)?;
        Ok(Document::parse(manifest, descriptor)?.into_value())
    }

    fn layers(&self, manifest: &Manifest) -> Result<Vec<crate::Layer>> {
        let config = self.spool.small(&manifest.config.digest, MAX_CONFIG)?;
        manifest.layers_with(Document::<ImageConfig>::parse(config, &manifest.config)?.value())
    }
}

impl Destination for TarballWriter {
    fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.spool.has(digest))
    }

    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        self.spool.put(descriptor, content)
    }

    /// The archive has no place for a name.
    fn publish(&self, _: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        if !descriptor.media_type.is_manifest() {
            let what = "image for several platforms in a tarball";
            return Err(Error::Unsupported { what, value: descriptor.media_type.to_string() });
        }
        self.layers(&self.manifest(descriptor)?)?;
        match self.image().replace(descriptor.clone()) {
            Some(other) if other != *descriptor => Err(Error::invalid(
                "tarball",
                self.path.to_string_lossy(),
                "can hold the files of one image only",
            )),
            _ => Ok(()),
        }
    }

    fn finish(&self) -> Result<()> {
        let image = self.image().clone();
        let image =
            image.ok_or_else(|| Error::invalid("archive", self.path.to_string_lossy(), "has no image"))?;
        let layers = self.layers(&self.manifest(&image)?)?;
        let new = Replacement::new(self.directory.as_fd(), &self.name)?;
        let target = io::BufWriter::with_capacity(128 << 10, new.file());
        let open = |layer: &crate::Layer| -> Result<Box<dyn Read + Send>> {
            Ok(Box::new(self.spool.open(&layer.descriptor.digest)?))
        };
        let written = squash(&layers, &self.limits, &open, self.compression, target);
        written.map_err(|error| match error {
            Error::Stream { what: "archive", source } => source.at("write", &self.path),
            other => other,
        })?;
        new.commit()
    }
}
