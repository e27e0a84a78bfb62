//! OCI archives: an image layout as one tar archive.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::archive::{Archive, ArchiveWriter, Spool};
use super::files::{self, Replacement};
use super::layout::{blob_path, format};
use crate::{Descriptor, Destination, Digest, Error, Offer, Result, Source};

/// An archive of a layout that is read. Its headers are read once, then its blobs where they are; nothing is unpacked.
///
/// An archive that is compressed as a whole, by gzip or zstd, or that comes from a pipe, is copied to a file without a
/// name in the directory for temporary files; at most 4 GiB, or 100 times as many bytes as it has compressed.
#[derive(Debug)]
pub struct OciArchive {
    archive: Archive,
}

impl OciArchive {
    /// Opens an archive.
    ///
    /// # Errors
    /// If it cannot be read, is no tar archive of a layout, or has entries that no layout has: names outside, or
    /// twice, devices, links that leave it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let archive = Archive::open(path.as_ref())?;
        format::check_marker(&archive.small(format::MARKER, format::MOST_MARKER)?)?;
        Ok(Self { archive })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.archive.path()
    }
}

impl Source for OciArchive {
    fn offers(&self) -> Result<Vec<Offer>> {
        format::images(&self.archive.small(format::INDEX, format::MOST_INDEX)?)
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        let missing = || Error::Missing { what: "blob", name: descriptor.digest.to_string() };
        let found =
            self.archive.find(&blob_path(&descriptor.digest).to_string_lossy())?.ok_or_else(missing)?;
        if found.size != descriptor.size {
            let digest = descriptor.digest.clone();
            return Err(Error::SizeMismatch { digest, expected: descriptor.size, found: found.size });
        }
        Ok(Box::new(self.archive.part(found)))
    }
}

/// An archive of a layout that is written. Images that were put into it have the same bytes each time.
///
/// Everything waits in a file without a name, beside the archive, until [`Destination::finish`] writes the archive in
/// place of what has its name. Without that nothing is left.
#[derive(Debug)]
pub struct OciArchiveWriter {
    directory: OwnedFd,
    name: OsString,
    path: PathBuf,
    spool: Spool,
    index: Mutex<Option<Vec<u8>>>,
}

impl OciArchiveWriter {
    /// Begins an archive.
    ///
    /// # Errors
    /// If its directory is not there, or cannot be written; if something else than a regular file has its name.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (directory, name) = files::parent(path)?;
        let spool = Spool::new(directory.as_fd())?;
        Ok(Self { spool, name: name.into(), path: path.into(), directory, index: Mutex::default() })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, index: &[u8], target: &std::fs::File) -> Result<()> {
        let mut writer = ArchiveWriter::new(target);
        let blobs = self.spool.all();
        writer.directory("blobs/")?;
        let mut last = None;
        for (digest, size) in &blobs {
            if last != Some(digest.algorithm()) {
                writer.directory(&format!("blobs/{}/", digest.algorithm()))?;
                last = Some(digest.algorithm());
            }
            writer.file(&blob_path(digest).to_string_lossy(), *size, &mut self.spool.open(digest)?)?;
        }
        writer.file(format::INDEX, index.len() as u64, &mut &*index)?;
        writer.file(format::MARKER, format::MARKER_CONTENT.len() as u64, &mut &*format::MARKER_CONTENT)?;
        writer.finish()
    }
}

impl Destination for OciArchiveWriter {
    fn has(&self, digest: &Digest) -> Result<bool> {
        Ok(self.spool.has(digest))
    }

    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        self.spool.put(descriptor, content)
    }

    fn publish(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        *index = Some(format::with_image(index.as_deref(), name, descriptor)?);
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let none = || Error::invalid("archive", self.path.to_string_lossy(), "has no image");
        let new = Replacement::new(self.directory.as_fd(), &self.name)?;
        self.write(index.as_deref().ok_or_else(none)?, new.file())?;
        new.commit()
    }
}
