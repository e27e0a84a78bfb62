//! The image of any place, by way of the store.

use super::options::ImportOptions;
use super::{Store, StoredImage};
use crate::{Destination, Error, HostImage, HostPlan, Location, Result, select};

/// The name of an image of the host.
const HOST: &str = "host";

impl Store {
    /// The image of a place, unpacked. What is not in the store yet is imported, under the name that it has there. An
    /// image of the [host](Location::Host) is made anew if one of the files that it was made from has changed.
    ///
    /// # Errors
    /// If the place has no such image; as [`Store::import`] and [`Store::image`].
    pub fn obtain(&self, location: &Location, options: &ImportOptions<'_>) -> Result<StoredImage> {
        match location {
            Location::Store { name } => {
                let image = self.image(name)?;
                image.unpack(options)?;
                Ok(image)
            }
            Location::Host => self.obtain_host(options),
            _ => {
                let source = location.source()?;
                let offer = select(&*source, location.name())?;
                self.import(&*source, &offer.descriptor, offer.name.as_deref(), options)
            }
        }
    }

    fn obtain_host(&self, options: &ImportOptions<'_>) -> Result<StoredImage> {
        let plan = HostImage::shell().plan()?;
        let fingerprint = plan.fingerprint().to_string();
        let current = |image: &StoredImage| {
            image.manifest().value().annotations.get(HostPlan::FINGERPRINT) == Some(&fingerprint)
        };
        let image = match self.image(HOST) {
            Ok(image) if current(&image) => image,
            Ok(_) | Err(Error::Missing { .. }) => {
                // Whatever came of it, collections need not be kept away any more.
                let built = plan.build(self, Some(HOST));
                self.finish()?;
                built?;
                self.image(HOST)?
            }
            Err(error) => return Err(error),
        };
        image.unpack(options)?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_the_host_that_cannot_be_made_does_not_keep_collections_away() {
        let temporary = tempfile::tempdir().unwrap();
        let store = Store::create(temporary.path().join("store")).unwrap();
        let blobs = store.path().join("blobs/sha256");
        std::fs::remove_dir(&blobs).unwrap();
        assert!(store.obtain(&Location::Host, &ImportOptions::new()).is_err());
        std::fs::create_dir(&blobs).unwrap();
        store.gc().unwrap();
    }
}
