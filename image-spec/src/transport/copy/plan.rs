//! What there is to copy.

use std::collections::HashMap;

use crate::{Descriptor, Digest, Document, Error, Index, Manifest, Result, Source};

/// How deep indexes may be nested.
const MOST_DEPTH: u64 = 8;
/// To how many things an image may refer.
const MOST_DESCRIPTORS: u64 = 10_000;
/// How many bytes the documents of an image may have together.
const MOST_BYTES: u64 = 64 << 20;

/// All that an image consists of, each once.
#[derive(Debug)]
pub(super) struct Plan {
    /// Configs, layers, and what else there is that is no document.
    pub blobs: Vec<Descriptor>,
    /// Manifests and indexes, those first that others refer to.
    pub documents: Vec<(Descriptor, Vec<u8>)>,
    sizes: HashMap<Digest, u64>,
    bytes: u64,
    count: u64,
}

impl Plan {
    /// Reads the documents of an image.
    pub(super) fn new(source: &dyn Source, descriptor: &Descriptor) -> Result<Self> {
        if !descriptor.media_type.is_manifest() && !descriptor.media_type.is_index() {
            return Err(Error::Unsupported { what: "media type", value: descriptor.media_type.to_string() });
        }
        let mut plan =
            Self { blobs: Vec::new(), documents: Vec::new(), sizes: HashMap::new(), bytes: 0, count: 0 };
        plan.add(source, descriptor, 0)?;
        Ok(plan)
    }

    fn add(&mut self, source: &dyn Source, descriptor: &Descriptor, depth: u64) -> Result<()> {
        if !self.is_new(descriptor)? {
            return Ok(());
        }
        if depth > MOST_DEPTH {
            return Err(Error::Limit { what: "depth of nested indexes", limit: MOST_DEPTH });
        }
        let content = if descriptor.media_type.is_index() {
            let index = Document::<Index>::read(source, descriptor)?;
            for entry in &index.value().manifests {
                self.add(source, entry, depth + 1)?;
            }
            index.bytes().to_vec()
        } else if descriptor.media_type.is_manifest() {
            let manifest = Document::<Manifest>::read(source, descriptor)?;
            self.add_blob(&manifest.value().config)?;
            manifest.value().layers.iter().try_for_each(|layer| self.add_blob(layer))?;
            manifest.bytes().to_vec()
        } else {
            self.blobs.push(descriptor.clone());
            return Ok(());
        };
        self.bytes += content.len() as u64;
        if self.bytes > MOST_BYTES {
            return Err(Error::Limit { what: "bytes of all documents", limit: MOST_BYTES });
        }
        self.documents.push((descriptor.clone(), content));
        Ok(())
    }

    fn add_blob(&mut self, descriptor: &Descriptor) -> Result<()> {
        if self.is_new(descriptor)? {
            self.blobs.push(descriptor.clone());
        }
        Ok(())
    }

    /// One content cannot have two sizes.
    fn is_new(&mut self, descriptor: &Descriptor) -> Result<bool> {
        self.count += 1;
        if self.count > MOST_DESCRIPTORS {
            return Err(Error::Limit { what: "number of descriptors", limit: MOST_DESCRIPTORS });
        }
        match self.sizes.insert(descriptor.digest.clone(), descriptor.size) {
            None => Ok(true),
            Some(size) if size == descriptor.size => Ok(false),
            Some(expected) => {
                let (digest, found) = (descriptor.digest.clone(), descriptor.size);
                Err(Error::SizeMismatch { digest, expected, found })
            }
        }
    }
}
