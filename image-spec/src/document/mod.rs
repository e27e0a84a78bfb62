//! Manifests, indexes and configs: bytes that have a digest, and what they say.
//!
//! A digest is of bytes. So what was read is kept beside what it means and is passed on unchanged, with the fields and
//! blanks that this crate does not know of.

mod chain;
mod config;
mod index;
mod manifest;
mod read;
mod resolve;
mod version;

use serde::{Serialize, de::DeserializeOwned};

pub use chain::chain_ids;
pub use config::{Execution, Healthcheck, History, ImageConfig, RootFs};
pub use index::Index;
pub use manifest::{Layer, Manifest};
pub use read::{MAX_CONFIG, MAX_MANIFEST, read_document};
pub use resolve::{Image, resolve_image};

use crate::json;
use crate::{Descriptor, Digest, Error, MediaType, Result, Source};

mod sealed {
    use crate::Result;
    use crate::json::Keys;

    /// What only this crate's kinds of documents have.
    pub trait Sealed {
        /// Refuses documents that could be taken for another kind.
        fn check_keys(keys: &Keys) -> Result<()>;

        /// The rules that the types do not know.
        fn check(&self) -> Result<()>;
    }
}

use sealed::Sealed;

/// A kind of document: [`Manifest`], [`Index`] or [`ImageConfig`].
pub trait Content: Serialize + DeserializeOwned + Sealed {
    /// Its name in errors.
    const WHAT: &'static str;
    /// The most bytes of such a document that are taken.
    const LIMIT: u64;
    /// The media type that it has if nothing else is said.
    const MEDIA_TYPE: &'static str;

    /// Whether documents of this media type are of this kind.
    fn is(media_type: &MediaType) -> bool;

    /// The media type that the document itself names.
    fn media_type(&self) -> Option<&MediaType>;
}

/// A document: its bytes, their digest, and what they say.
///
/// ```
/// use cofferdam_image_spec::{Document, Index};
///
/// let text = br#"{ "schemaVersion": 2, "manifests": [], "com.example.unknown": 1 }"#;
/// let index = Document::<Index>::from_bytes("application/vnd.oci.image.index.v1+json", text.to_vec())?;
/// assert!(index.value().manifests.is_empty());
/// assert_eq!(index.bytes(), text);
/// assert_eq!(index.descriptor().size, text.len() as u64);
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<T> {
    bytes: Vec<u8>,
    media_type: MediaType,
    digest: Digest,
    value: T,
}

impl<T: Content> Document<T> {
    /// A document of our own: without blanks, with sorted keys, so the same value has the same digest each time.
    ///
    /// # Errors
    /// If it could not be read back: [`Error::Invalid`], [`Error::Json`], [`Error::Limit`].
    pub fn new(value: &T) -> Result<Self> {
        let media_type = value.media_type().cloned().unwrap_or_else(|| T::MEDIA_TYPE.into());
        Self::from_bytes(media_type, json::write(T::WHAT, value)?)
    }

    /// A document that somebody else wrote, and that a descriptor names.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`], [`Error::DigestMismatch`]; the others as for [`Document::from_bytes`].
    pub fn parse(bytes: Vec<u8>, descriptor: &Descriptor) -> Result<Self> {
        descriptor.verify(&bytes)?;
        let value = interpret(&descriptor.media_type, &bytes)?;
        Ok(Self {
            bytes,
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest.clone(),
            value,
        })
    }

    /// A document whose digest nobody has told.
    ///
    /// # Errors
    /// [`Error::Json`] if it is not JSON, has a key twice or lacks something; [`Error::Invalid`] if it breaks a rule of
    /// the format, or says that it is something else than `media_type`; [`Error::Unsupported`] for other media types
    /// and manifests of Docker's first schema; [`Error::Limit`] if it is too long.
    pub fn from_bytes(media_type: impl Into<MediaType>, bytes: Vec<u8>) -> Result<Self> {
        let media_type = media_type.into();
        let value = interpret(&media_type, &bytes)?;
        Ok(Self { digest: Digest::sha256(&bytes), bytes, media_type, value })
    }

    /// Reads a document from a place, verified.
    ///
    /// # Errors
    /// As for [`read_document`] and [`Document::parse`].
    pub fn read(source: &dyn Source, descriptor: &Descriptor) -> Result<Self> {
        accepted::<T>(&descriptor.media_type)?;
        Self::parse(read_document(source, descriptor, T::LIMIT)?, descriptor)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What the document is.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Its descriptor, without the optional fields.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest.clone(), self.bytes.len() as u64)
    }

    /// What it says.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What it says, without the bytes.
    pub fn into_value(self) -> T {
        self.value
    }
}

fn accepted<T: Content>(media_type: &MediaType) -> Result<()> {
    if T::is(media_type) {
        return Ok(());
    }
    Err(Error::Unsupported { what: T::WHAT, value: media_type.to_string() })
}

fn interpret<T: Content>(media_type: &MediaType, bytes: &[u8]) -> Result<T> {
    accepted::<T>(media_type)?;
    if bytes.len() as u64 > T::LIMIT {
        return Err(Error::Limit { what: T::WHAT, limit: T::LIMIT });
    }
    T::check_keys(&json::keys(T::WHAT, bytes)?)?;
    let value: T = json::read(T::WHAT, bytes)?;
    value.check()?;
    match value.media_type() {
        Some(own) if own != media_type => Err(Error::invalid(
            T::WHAT,
            own.as_str(),
            format!("is not the media type {media_type} of its descriptor"),
        )),
        _ => Ok(value),
    }
}
