//! Whether all that is in a store is what it should be.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::time::Duration;

use super::Store;
use super::gc::Needed;
use super::lock::{Kind, Lock};
use crate::transport::verify::transfer;
use crate::{Descriptor, Digest, Error, Image, Result, chain_ids};

/// What a verification looks at, and what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Unpacks all layers once more, and compares names, modes, owners, times, attributes and content with those that are
    /// there. Needs as much time as an import, and space for one image.
    pub deep: bool,
    /// Removes damaged blobs and layers, and names whose documents are damaged or missing, so that they can be imported
    /// again. Needs the store for itself, as a collection; but a layer goes also while programs run in it.
    pub repair: bool,
}

/// What a verification found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// How many blobs were read.
    pub blobs: u64,
    /// How many images and containers were looked at.
    pub images: u64,
    /// How many unpacked layers are there.
    pub layers: u64,
    /// How many of these do not count, as the machine was started anew since; they are made again when they are needed.
    pub outdated: u64,
    /// What is not as it should be.
    pub damages: Vec<Damage>,
}

/// Something that is not as it should be.
#[derive(Debug)]
#[non_exhaustive]
pub struct Damage {
    /// What it is: `blob`, `layer`, `image`, `container`.
    pub what: &'static str,
    /// Its digest or name.
    pub name: String,
    /// What is wrong.
    pub error: Error,
    /// Whether it was removed.
    pub removed: bool,
}

impl Report {
    fn damage(&mut self, what: &'static str, name: impl ToString, error: Error, removed: bool) {
        self.damages.push(Damage { what, name: name.to_string(), error, removed });
    }
}

impl Store {
    /// Reads all blobs and documents and looks for all layers. What is damaged is in the report; the store can be used
    /// meanwhile, unless it is to be repaired.
    ///
    /// # Errors
    /// If the store itself cannot be read; [`Error::Busy`] if it is to be repaired while somebody imports or opens
    /// something.
    pub fn verify(&self, options: VerifyOptions) -> Result<Report> {
        let _lock = if options.repair { self.alone(Duration::ZERO)? } else { self.share()? };
        let mut report = Report::default();
        self.verify_blobs(options, &mut report)?;
        self.verify_layers(options, &mut report)?;
        let images = self.verify_images(options, &mut report)?;
        self.verify_containers(&mut report)?;
        if options.deep {
            let mut seen = HashSet::new();
            for image in images {
                self.verify_deep(&image, options, &mut seen, &mut report)?;
            }
        }
        Ok(report)
    }

    fn verify_blobs(&self, options: VerifyOptions, report: &mut Report) -> Result<()> {
        for digest in self.all_blobs()? {
            report.blobs += 1;
            if let Err(error) = self.verify_blob(&digest) {
                let removed = options.repair && self.drop_blob(&digest)?;
                report.damage("blob", digest, error, removed);
            }
        }
        Ok(())
    }

    fn verify_blob(&self, digest: &Digest) -> Result<()> {
        let mut file = self.blob(digest)?;
        let size = file.metadata().map_err(super::dir::io_error("stat", digest.hex().as_ref()))?.len();
        transfer(&Descriptor::new("", digest.clone(), size), &mut file, &mut |_| Ok(()))
    }

    /// Removes a damaged blob, unless it is the manifest of an image in use: a collection could not know any more what
    /// that needs.
    fn drop_blob(&self, digest: &Digest) -> Result<bool> {
        let blobs = self.blobs(digest.algorithm())?;
        if let Ok(file) = self.blob(digest)
            && Lock::attempt(file, Kind::Exclusive)
                .map_err(Error::file("lock", digest.to_string()))?
                .is_none()
        {
            return Ok(false);
        }
        let scratch = self.scratch()?;
        blobs.rename(digest.hex(), scratch.dir(), "damaged")?;
        scratch.finish()?;
        Ok(true)
    }

    fn verify_layers(&self, options: VerifyOptions, report: &mut Report) -> Result<()> {
        for chain_id in self.all_layers()? {
            report.layers += 1;
            match self.layer(&chain_id) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    report.outdated += 1;
                    if options.repair {
                        self.drop_layer(&chain_id)?;
                    }
                }
                Err(error) => {
                    if options.repair {
                        self.drop_layer(&chain_id)?;
                    }
                    report.damage("layer", chain_id, error, options.repair);
                }
            }
        }
        Ok(())
    }

    fn drop_layer(&self, chain_id: &Digest) -> Result<()> {
        let scratch = self.scratch()?;
        self.layers(chain_id.algorithm())?.rename(chain_id.hex(), scratch.dir(), "damaged")?;
        scratch.finish()
    }

    /// Looks at the images of all names, and returns those that can be unpacked.
    fn verify_images(&self, options: VerifyOptions, report: &mut Report) -> Result<Vec<Image>> {
        let (mut whole, mut lost) = (Vec::new(), Vec::new());
        for offer in self.images()? {
            report.images += 1;
            let name = offer.name.unwrap_or_else(|| offer.descriptor.digest.to_string());
            let mut needed = Needed::default();
            if let Err(error) = needed.add(self, offer.descriptor.clone()) {
                lost.push(offer.descriptor.digest);
                report.damage("image", name, error, options.repair);
                continue;
            }
            let missing = needed.blobs.iter().find(|digest| self.blob(digest).is_err());
            if let Some(missing) = missing {
                let error = Error::Missing { what: "blob", name: missing.to_string() };
                report.damage("image", name, error, false);
            } else if offer.descriptor.media_type.is_manifest() {
                // Artifacts are no images to unpack.
                whole.extend(self.load(&offer.descriptor));
            }
        }
        if options.repair && !lost.is_empty() {
            self.drop_names(&lost)?;
        }
        Ok(whole)
    }

    fn verify_containers(&self, report: &mut Report) -> Result<()> {
        for name in self.container_names()? {
            report.images += 1;
            let image = self.container_image(&name);
            if let Err(error) = image.and_then(|image| Needed::default().add(self, image)) {
                report.damage("container", name, error, false);
            }
        }
        Ok(())
    }

    /// Unpacks the layers of an image anew and compares.
    fn verify_deep(
        &self,
        image: &Image,
        options: VerifyOptions,
        seen: &mut HashSet<Digest>,
        report: &mut Report,
    ) -> Result<()> {
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let chain = chain_ids(&diff_ids);
        if chain.iter().all(|chain_id| seen.contains(chain_id)) {
            return Ok(());
        }
        let anew = match self.remake(image) {
            Ok(anew) => anew,
            Err(error) => {
                report.damage("image", image.manifest.digest(), error, false);
                return Ok(());
            }
        };
        for (position, chain_id) in chain.into_iter().enumerate() {
            let Some((dir, _)) = self.layer(&chain_id)? else { continue };
            let (there, made) = (dir.open(super::layers::DIFF)?, anew.layer(position)?);
            let differs = super::compare::difference(there.as_fd(), made.as_fd())
                .map_err(Error::file("compare", there.path()))?;
            if let Some(path) = differs
                && seen.insert(chain_id.clone())
            {
                let reason = format!("differs from its blob at {path:?}");
                let error = Error::invalid("layer", chain_id.to_string(), reason);
                if options.repair {
                    self.drop_layer(&chain_id)?;
                }
                report.damage("layer", chain_id, error, options.repair);
            } else {
                seen.insert(chain_id);
            }
        }
        anew.finish()
    }
}
