//! An archive of files that becomes an image of one layer.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use tar_core::{HEADER_SIZE, Header};

use crate::transport::archive;
use crate::transport::files::{At as _, Part};
use crate::{
    Algorithm, Compression, Descriptor, Digest, Document, Error, Execution, HashingReader, ImageConfig,
    Manifest, MediaType, Offer, Platform, Result, Source,
};

/// A tar archive of a root, not compressed or by gzip or zstd, as an image of one layer.
///
/// The layer is the archive as it is. The config is made up: this host's platform, nothing to run, no time; so the same
/// archive gives the same image. Nothing of the archive is changed or left out.
///
/// ```no_run
/// use cofferdam_image_spec::{CopyOptions, Execution, Layout, Tarball, copy};
///
/// let mut execution = Execution::default();
/// execution.cmd = vec!["/bin/sh".into()];
/// let tarball = Tarball::open("root.tar.gz")?.execution(execution)?;
/// copy(&tarball, None, &Layout::create("images")?, Some("root"), &CopyOptions::new())?;
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Debug)]
pub struct Tarball {
    path: PathBuf,
    file: File,
    layer: Descriptor,
    config: ImageConfig,
    documents: Documents,
}

#[derive(Debug)]
struct Documents {
    config: Document<ImageConfig>,
    manifest: Document<Manifest>,
}

impl Tarball {
    /// Opens an archive and reads it once to find its digests. A pipe is copied to a file without a name in the
    /// directory for temporary files.
    ///
    /// # Errors
    /// If it cannot be read, is no tar archive, or is more than 4 GiB and 100 times larger than it is compressed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = archive::rewindable(path)?;
        let size = file.metadata().map_err(|error| error.at("stat", path))?.len();
        let (media_type, digest, diff_id) = digests(&file, size).map_err(|error| at(error, path))?;
        let layer = Descriptor::new(media_type, digest, size);
        let config = ImageConfig::new(Platform::host(), vec![diff_id]);
        let documents = Documents::new(&config, &layer)?;
        Ok(Self { path: path.into(), file, layer, config, documents })
    }

    /// The same with another platform in its config.
    ///
    /// # Errors
    /// If no config can say that.
    pub fn platform(mut self, platform: Platform) -> Result<Self> {
        self.config.platform = platform;
        self.documents = Documents::new(&self.config, &self.layer)?;
        Ok(self)
    }

    /// The same with something to run.
    ///
    /// # Errors
    /// If no config can say that: NUL in a string.
    pub fn execution(mut self, execution: Execution) -> Result<Self> {
        self.config.config = execution;
        self.documents = Documents::new(&self.config, &self.layer)?;
        Ok(self)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Documents {
    fn new(config: &ImageConfig, layer: &Descriptor) -> Result<Self> {
        let config = Document::new(config)?;
        let manifest = Document::new(&Manifest::new(config.descriptor(), vec![layer.clone()]))?;
        Ok(Self { config, manifest })
    }
}

impl Source for Tarball {
    fn offers(&self) -> Result<Vec<Offer>> {
        Ok(vec![Offer { name: None, descriptor: self.documents.manifest.descriptor() }])
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        let Documents { config, manifest } = &self.documents;
        match &descriptor.digest {
            digest if digest == manifest.digest() => Ok(Box::new(Cursor::new(manifest.bytes()))),
            digest if digest == config.digest() => Ok(Box::new(Cursor::new(config.bytes()))),
            digest if *digest == self.layer.digest => Ok(Box::new(Part::new(&self.file, 0, self.layer.size))),
            digest => Err(Error::Missing { what: "blob", name: digest.to_string() }),
        }
    }
}

/// What the archive is, its digest, and the digest of what it decompresses to.
fn digests(file: &File, size: u64) -> Result<(&'static str, Digest, Digest)> {
    let stream = |source| Error::Stream { what: "archive", source };
    let outer = HashingReader::new(Part::new(file, 0, size), Algorithm::Sha256);
    let mut outer = BufReader::with_capacity(128 << 10, outer);
    let compression = Compression::detect(outer.fill_buf().map_err(stream)?);
    let limit = archive::limit(size);
    let inner = compression.decoder(&mut outer).map_err(stream)?;
    let mut inner = HashingReader::new(inner.take(limit + 1), Algorithm::Sha256);
    let mut beginning = [0; HEADER_SIZE];
    inner.read_exact(&mut beginning).map_err(|_| not_an_archive())?;
    if beginning != [0; HEADER_SIZE] {
        Header::from_bytes(&beginning).verify_checksum().map_err(|_| not_an_archive())?;
    }
    std::io::copy(&mut inner, &mut std::io::sink()).map_err(stream)?;
    let (diff_id, plain_size) = inner.finish();
    if plain_size > limit {
        return Err(Error::Limit { what: "decompressed bytes of the archive", limit });
    }
    let media_type = match compression {
        Compression::None => MediaType::OCI_LAYER,
        Compression::Gzip => MediaType::OCI_LAYER_GZIP,
        Compression::Zstd => MediaType::OCI_LAYER_ZSTD,
    };
    Ok((media_type, outer.into_inner().finish().0, diff_id))
}

fn not_an_archive() -> Error {
    Error::invalid("archive", "", "is not a tar archive")
}

/// Says which file it is about.
fn at(error: Error, path: &Path) -> Error {
    match error {
        Error::Invalid { what, reason, .. } => Error::invalid(what, path.to_string_lossy(), reason),
        Error::Stream { source, .. } => source.at("read", path),
        other => other,
    }
}
