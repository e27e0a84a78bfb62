//! Documents read from a place: bounded and verified.

use std::io::Read;

use crate::{Descriptor, Error, Result, Source};

/// The most bytes of a manifest or index that are taken: 4 MiB, which registries ask for as well.
pub const MAX_MANIFEST: u64 = 4 << 20;

/// The most bytes of a config that are taken: 8 MiB.
pub const MAX_CONFIG: u64 = 8 << 20;

/// The most that is taken into memory whatever the caller's limit is: sizes are less than 2^63.
const MOST: u64 = u64::MAX >> 1;

/// The content of a descriptor, verified. Not more than its size and one byte is read.
///
/// # Errors
/// [`Error::Limit`] if its size is above `limit`, before anything is read; [`Error::SizeMismatch`],
/// [`Error::DigestMismatch`]; [`Error::Stream`] if it cannot be read; what [`Source::open`] says.
pub fn read_document(source: &dyn Source, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>> {
    if descriptor.size > limit.min(MOST) {
        return Err(Error::Limit { what: "document", limit });
    }
    if let Some(data) = &descriptor.data {
        descriptor.verify(data)?;
        return Ok(data.clone());
    }
    let mut bytes = Vec::new();
    let mut content = source.open(descriptor)?.take(descriptor.size + 1);
    content.read_to_end(&mut bytes).map_err(|source| Error::Stream { what: "document", source })?;
    descriptor.verify(&bytes)?;
    Ok(bytes)
}
