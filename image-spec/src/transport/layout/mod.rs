//! OCI image layouts: directories of blobs with a list of images (image-spec, image-layout.md).

pub(crate) mod format;
mod write;

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::transport::files::{self, At as _};
use crate::{Descriptor, Digest, Error, Offer, Result, Source};

/// An image layout directory.
///
/// Read: blobs are opened by their digest, through no symbolic link, and must be regular files. Written: each blob
/// gets its name when it was verified and is on the disk, and the list of images is replaced at once, under a lock
/// (`flock(2)` on the directory), so that several programs can write to one layout. Images in it stay.
///
/// # Privileges
/// None but access to the files. Linux 5.6.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    directory: OwnedFd,
}

impl Layout {
    /// Opens a layout that exists.
    ///
    /// # Errors
    /// [`Error::Missing`] if the directory is no layout, [`Error::Unsupported`] if it is one of another version; if
    /// it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let layout = Self { path: path.to_path_buf(), directory: files::directory(path)? };
        match layout.marker()? {
            Some(content) => format::check_marker(&content)?,
            None => {
                return Err(Error::Missing { what: "file oci-layout in", name: path.display().to_string() });
            }
        }
        Ok(layout)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn marker(&self) -> Result<Option<Vec<u8>>> {
        self.small(format::MARKER, format::MOST_MARKER)
    }

    fn index(&self) -> Result<Option<Vec<u8>>> {
        self.small(format::INDEX, format::MOST_INDEX)
    }

    fn small(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        files::small(self.directory.as_fd(), Path::new(name), limit)
    }

    fn blob(&self, digest: &Digest) -> Result<Option<std::fs::File>> {
        files::regular(self.directory.as_fd(), &blob_path(digest))
    }
}

/// Where the blob of a digest is in a layout.
pub(crate) fn blob_path(digest: &Digest) -> PathBuf {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex()).into()
}

impl Source for Layout {
    fn offers(&self) -> Result<Vec<Offer>> {
        let missing = || Error::Missing { what: "file index.json in", name: self.path.display().to_string() };
        format::images(&self.index()?.ok_or_else(missing)?)
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        let missing = || Error::Missing { what: "blob", name: descriptor.digest.to_string() };
        let file = self.blob(&descriptor.digest)?.ok_or_else(missing)?;
        let metadata = file.metadata().map_err(|error| error.at("stat", blob_path(&descriptor.digest)))?;
        if metadata.len() != descriptor.size {
            let (expected, found) = (descriptor.size, metadata.len());
            return Err(Error::SizeMismatch { digest: descriptor.digest.clone(), expected, found });
        }
        Ok(Box::new(file))
    }
}
