//! Images in memory.

use std::collections::HashMap;
use std::io::Read;

use crate::document::Content;
use crate::{Descriptor, Digest, Document, Error, MediaType, Offer, Result, Source};

/// A place in memory that images are read from, for what is made on the fly and for tests.
///
/// ```
/// use cofferdam_image_spec::{MemorySource, Source};
///
/// let mut source = MemorySource::new();
/// let blob = source.add("text/plain", *b"hello");
/// assert_eq!(std::io::read_to_string(source.open(&blob)?).unwrap(), "hello");
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    blobs: HashMap<Digest, Vec<u8>>,
    offers: Vec<Offer>,
}

impl MemorySource {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds content. It can be had by its SHA-256.
    pub fn add(&mut self, media_type: impl Into<MediaType>, bytes: impl Into<Vec<u8>>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.insert(descriptor.digest.clone(), bytes);
        descriptor
    }

    /// Adds a document.
    pub fn add_document<T: Content>(&mut self, document: &Document<T>) -> Descriptor {
        self.insert(document.digest().clone(), document.bytes());
        document.descriptor()
    }

    /// Adds content under any digest, also one that it does not have. What was there is replaced.
    pub fn insert(&mut self, digest: Digest, bytes: impl Into<Vec<u8>>) {
        self.blobs.insert(digest, bytes.into());
    }

    /// Offers a manifest or index, under a name if it is to have one.
    pub fn offer(&mut self, name: Option<&str>, descriptor: Descriptor) {
        self.offers.push(Offer { name: name.map(str::to_owned), descriptor });
    }
}

impl Source for MemorySource {
    fn offers(&self) -> Result<Vec<Offer>> {
        Ok(self.offers.clone())
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        match self.blobs.get(&descriptor.digest) {
            Some(bytes) => Ok(Box::new(bytes.as_slice())),
            None => Err(Error::Missing { what: "blob", name: descriptor.digest.to_string() }),
        }
    }
}
