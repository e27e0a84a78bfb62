//! From a name's descriptor to the image for one platform.

use std::collections::HashSet;

use super::{Document, ImageConfig, Index, Layer, Manifest};
use crate::platform::Rank;
use crate::{Descriptor, Digest, Error, Platform, Result, Source};

/// How deep indexes may be nested.
const MAX_DEPTH: u64 = 8;

/// How many descriptors are looked at.
const MAX_DESCRIPTORS: u64 = 10_000;

/// How many bytes of manifests and configs are read to find out what they are for. Many small manifests can share one large
/// config, so the number of descriptors bounds nothing here.
const MAX_UNDECLARED: u64 = 64 << 20;

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// Its manifest.
    pub manifest: Document<Manifest>,
    /// Its config. Its digest is the image's id.
    pub config: Document<ImageConfig>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// Reads the image that a manifest or index describes for a platform: the best one if an index has several, the first
/// of those that are equally good. Layers are not read.
///
/// Entries of an index that are no images, such as attestations and signatures, are passed over. An entry that names no
/// platform is looked into if no other fits.
///
/// # Errors
/// [`Error::Platform`] if there is none for this platform, or if its config is for another; [`Error::Limit`] if indexes
/// are nested more than 8 deep or have more than 10,000 entries, or 64 MiB of images without a platform were looked into; [`Error::Unsupported`] if the descriptor is neither
/// of a manifest nor of an index; as for [`Document::read`] and [`Manifest::layers_with`].
pub fn resolve_image(source: &dyn Source, descriptor: &Descriptor, platform: &Platform) -> Result<Image> {
    if descriptor.media_type.is_index() {
        return Walk::new(source, platform).image(descriptor);
    }
    if !descriptor.media_type.is_manifest() {
        return Err(Error::Unsupported { what: "media type", value: descriptor.media_type.to_string() });
    }
    let image = Image::load(source, Document::read(source, descriptor)?)?;
    image.fits(platform, None)
}

impl Image {
    fn load(source: &dyn Source, manifest: Document<Manifest>) -> Result<Self> {
        manifest.value().check_image()?;
        let config = Document::<ImageConfig>::read(source, &manifest.value().config)?;
        let layers = manifest.value().layers_with(config.value())?;
        Ok(Self { manifest, config, layers })
    }

    /// What the config says, made complete by what the index said.
    fn platform(&self, declared: Option<&Platform>) -> Platform {
        let mut platform = self.config.value().platform.clone();
        if platform.variant.is_none() {
            platform.variant = declared.and_then(|declared| declared.variant.clone());
        }
        platform
    }

    fn fits(self, wanted: &Platform, declared: Option<&Platform>) -> Result<Self> {
        let platform = self.platform(declared);
        if wanted.rank(&platform).is_some() {
            return Ok(self);
        }
        Err(Error::Platform { wanted: Box::new(wanted.clone()), found: vec![platform] })
    }
}

/// What was found on the way through indexes.
struct Walk<'a> {
    source: &'a dyn Source,
    wanted: &'a Platform,
    /// Indexes that were read.
    seen: HashSet<Digest>,
    count: u64,
    best: Option<(Rank, Descriptor)>,
    undeclared: Vec<Descriptor>,
    others: Vec<Platform>,
}

impl<'a> Walk<'a> {
    fn new(source: &'a dyn Source, wanted: &'a Platform) -> Self {
        Self {
            source,
            wanted,
            seen: HashSet::new(),
            count: 0,
            best: None,
            undeclared: Vec::new(),
            others: Vec::new(),
        }
    }

    fn image(mut self, descriptor: &Descriptor) -> Result<Image> {
        self.index(descriptor, 1)?;
        match self.best.take() {
            Some((_, best)) => {
                let image = Image::load(self.source, Document::read(self.source, &best)?)?;
                image.fits(self.wanted, best.platform.as_ref())
            }
            None => self.undeclared(),
        }
    }

    fn index(&mut self, descriptor: &Descriptor, depth: u64) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::Limit { what: "depth of nested indexes", limit: MAX_DEPTH });
        }
        if !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        let index = Document::<Index>::read(self.source, descriptor)?.into_value();
        for entry in index.manifests {
            self.count += 1;
            if self.count > MAX_DESCRIPTORS {
                return Err(Error::Limit {
                    what: "number of descriptors in indexes",
                    limit: MAX_DESCRIPTORS,
                });
            }
            self.entry(entry, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: Descriptor, depth: u64) -> Result<()> {
        let artifact = entry.artifact_type.as_ref().is_some_and(|kind| !kind.is_config());
        if artifact || !(entry.media_type.is_manifest() || entry.media_type.is_index()) {
            return Ok(());
        }
        let rank = match &entry.platform {
            None => None,
            Some(platform) => match self.wanted.rank(platform) {
                None => {
                    self.pass_over(platform);
                    return Ok(());
                }
                rank => rank,
            },
        };
        if entry.media_type.is_index() {
            return self.index(&entry, depth + 1);
        }
        match (rank, &self.best) {
            (None, _) => self.undeclared.push(entry),
            (Some(rank), Some((best, _))) if rank <= *best => {}
            (Some(rank), _) => self.best = Some((rank, entry)),
        }
        Ok(())
    }

    /// Attestations are for `unknown/unknown`, which helps nobody who looks for an image.
    fn pass_over(&mut self, platform: &Platform) {
        if platform.os != "unknown" {
            self.others.push(platform.clone());
        }
    }

    /// The best of those that say only in their config what they are for.
    fn undeclared(mut self) -> Result<Image> {
        let mut best: Option<(Rank, Image)> = None;
        let mut budget = MAX_UNDECLARED;
        for descriptor in std::mem::take(&mut self.undeclared) {
            spend(&mut budget, &descriptor)?;
            let manifest = Document::<Manifest>::read(self.source, &descriptor)?;
            if !manifest.value().config.media_type.is_config() {
                continue;
            }
            spend(&mut budget, &manifest.value().config)?;
            let image = Image::load(self.source, manifest)?;
            let platform = image.platform(None);
            match (self.wanted.rank(&platform), &best) {
                (None, _) => self.others.push(platform),
                (Some(rank), Some((other, _))) if rank <= *other => {}
                (Some(rank), _) => best = Some((rank, image)),
            }
        }
        match best {
            Some((_, image)) => Ok(image),
            None => Err(Error::Platform { wanted: Box::new(self.wanted.clone()), found: self.others }),
        }
    }
}

fn spend(budget: &mut u64, descriptor: &Descriptor) -> Result<()> {
    let over = Error::Limit { what: "bytes of images that name no platform", limit: MAX_UNDECLARED };
    *budget = budget.checked_sub(descriptor.size).ok_or(over)?;
    Ok(())
}
