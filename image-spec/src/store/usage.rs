//! How much of the disk what has.

use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;

use super::Store;
use super::gc::Needed;
use super::walk::{allocated, blocks};
use crate::{Digest, Error, Result};

/// How much of the disk a store has, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// All blobs.
    pub blobs: u64,
    /// All unpacked layers.
    pub layers: u64,
    /// What differs from their images in all containers. Directories that may not be read count without their content.
    pub containers: u64,
    /// What is being made, or was left by killed processes.
    pub temporaries: u64,
    /// Each image, in the order of [`Store::images`].
    pub images: Vec<ImageUsage>,
}

/// How much of the disk one image has, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageUsage {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What would be free if it were removed with all its names.
    pub unique: u64,
    /// What it has in common with other images.
    pub shared: u64,
}

impl Store {
    /// How much of the disk what has. Blocks are counted, so files with holes count as what they have.
    ///
    /// # Errors
    /// If something cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        let _shared = self.share()?;
        let mut usage = Usage { containers: self.size_of("containers")?, ..Usage::default() };
        usage.temporaries = self.size_of("tmp")?;
        let mut sizes = HashMap::new();
        for digest in self.all_blobs()? {
            let stat = self.blobs(digest.algorithm())?.stat(digest.hex())?;
            sizes.insert((Kind::Blob, digest), stat.map_or(0, |stat| blocks(&stat)));
        }
        for chain_id in self.all_layers()? {
            let Some(dir) = self.layers(chain_id.algorithm())?.try_open(chain_id.hex())? else { continue };
            let size = allocated(dir.as_fd()).map_err(Error::file("read", dir.path()))?;
            sizes.insert((Kind::Layer, chain_id), size);
        }
        let sum = |kind| sizes.iter().filter(|((of, _), _)| *of == kind).map(|(_, size)| size).sum();
        (usage.blobs, usage.layers) = (sum(Kind::Blob), sum(Kind::Layer));
        usage.images = self.usage_of_images(&sizes)?;
        Ok(usage)
    }

    fn usage_of_images(&self, sizes: &HashMap<(Kind, Digest), u64>) -> Result<Vec<ImageUsage>> {
        let mut parts: HashMap<Digest, HashSet<(Kind, Digest)>> = HashMap::new();
        let offers = self.images()?;
        for offer in &offers {
            let mut needed = Needed::default();
            needed.add(self, offer.descriptor.clone())?;
            let blobs = needed.blobs.into_iter().map(|digest| (Kind::Blob, digest));
            let layers = needed.layers.into_iter().map(|digest| (Kind::Layer, digest));
            parts.insert(offer.descriptor.digest.clone(), blobs.chain(layers).collect());
        }
        let mut users: HashMap<&(Kind, Digest), u32> = HashMap::new();
        parts.values().flatten().for_each(|part| *users.entry(part).or_default() += 1);
        let usage_of = |digest: &Digest| {
            let parts = parts.get(digest).into_iter().flatten();
            let (unique, shared): (Vec<_>, Vec<_>) = parts.partition(|part| users.get(part) == Some(&1));
            let sum = |parts: Vec<_>| parts.into_iter().filter_map(|part| sizes.get(part)).sum();
            (sum(unique), sum(shared))
        };
        let image = |offer: crate::Offer| {
            let (unique, shared) = usage_of(&offer.descriptor.digest);
            ImageUsage { name: offer.name, digest: offer.descriptor.digest, unique, shared }
        };
        Ok(offers.into_iter().map(image).collect())
    }

    fn size_of(&self, name: &str) -> Result<u64> {
        let dir = self.root().open(name)?;
        allocated(dir.as_fd()).map_err(Error::file("read", dir.path()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Blob,
    Layer,
}
