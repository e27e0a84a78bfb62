//! Where images are read from and written to.

mod archive;
mod copy;
mod docker_archive;
pub(crate) mod files;
mod layout;
mod location;
mod oci_archive;
mod select;
mod tarball;
pub(crate) mod verify;

use std::io::Read;

use crate::{Descriptor, Digest, Result};

pub use copy::{Copied, CopyOptions, Progress, copy};
pub use docker_archive::{DockerArchive, DockerArchiveWriter};
pub use layout::Layout;
pub use location::Location;
pub use oci_archive::{OciArchive, OciArchiveWriter};
pub use select::select;
pub use tarball::{Tarball, TarballWriter};

/// The name of an image within its place, and the descriptor of its manifest or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name there: a tag, a reference; `None` where it has none.
    pub name: Option<String>,
    /// Its manifest or index.
    pub descriptor: Descriptor,
}

/// A place that images are read from.
///
/// What comes out is not verified and may be hostile: who reads content checks digest and size while reading, which
/// a reader of documents does.
pub trait Source: Sync {
    /// All images there, in the order of the place.
    ///
    /// # Errors
    /// If the place cannot be read, or breaks its format's rules.
    fn offers(&self) -> Result<Vec<Offer>>;

    /// The content of a descriptor, from its beginning.
    ///
    /// # Errors
    /// [`Error::Missing`](crate::Error::Missing) if it is not there; if it cannot be read.
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>>;
}

/// A place that images are written to. Nothing can be seen there before [`Destination::publish`].
pub trait Destination: Sync {
    /// Whether this content is there, verified earlier.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn has(&self, digest: &Digest) -> Result<bool>;

    /// Takes content, verifying digest and size while reading.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`](crate::Error::DigestMismatch), [`Error::SizeMismatch`](crate::Error::SizeMismatch);
    /// if it cannot be read or written.
    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()>;

    /// Gives a manifest or index, whose content and all it refers to was put before, a name. An image of the same name
    /// is replaced.
    ///
    /// # Errors
    /// If the place cannot be written.
    fn publish(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()>;

    /// Completes what must be written in one go, such as an archive. Nothing is put after it.
    ///
    /// # Errors
    /// If the place cannot be written.
    fn finish(&self) -> Result<()> {
        Ok(())
    }
}
