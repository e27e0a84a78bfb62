//! A store as a place that images are read from and written to.

use std::io::Read;

use super::Store;
use super::blobs::fill;
use super::names::check_name;
use crate::{Descriptor, Destination, Digest, Offer, Result, Source};

impl Source for Store {
    fn offers(&self) -> Result<Vec<Offer>> {
        self.images()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.blob(&descriptor.digest)?))
    }
}

/// Blobs as they are; nothing is unpacked, so [`Store::import`] is what one wants for images that are to be run.
///
/// From the first blob to [`Destination::finish`] no collection takes anything away. Clones of a store share that, so two
/// copies at a time need the store opened twice.
impl Destination for Store {
    fn has(&self, digest: &Digest) -> Result<bool> {
        self.begin()?;
        Ok(self.blobs(digest.algorithm())?.file(digest.hex())?.is_some())
    }

    fn put(&self, descriptor: &Descriptor, content: &mut (dyn Read + Send)) -> Result<()> {
        self.begin()?;
        if self.has_blob(descriptor)? {
            return Ok(());
        }
        let scratch = self.scratch()?;
        fill(&scratch, "blob", descriptor, content)?;
        self.add_blob(&scratch, "blob", descriptor)?;
        scratch.finish()
    }

    fn publish(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        name.map_or(Ok(()), check_name)?;
        self.begin()?;
        // A name is only given to what is there.
        self.blob(&descriptor.digest)?;
        self.set_name(name, descriptor)
    }

    fn finish(&self) -> Result<()> {
        *self.copying() = None;
        Ok(())
    }
}

impl Store {
    /// Keeps collections away until the copy is finished.
    fn begin(&self) -> Result<()> {
        let mut copying = self.copying();
        if copying.is_none() {
            *copying = Some(self.share()?);
        }
        Ok(())
    }
}
