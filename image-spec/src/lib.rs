//! What an image is, and where images are kept: digests, manifests, configs, layers, a store on disk.

#![deny(unsafe_code)]

mod descriptor;
mod digest;
mod error;
mod media_type;
mod transport;

pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Digester, HashingReader};
pub use error::{Error, Result};
pub use media_type::MediaType;
pub use transport::{Destination, Offer, Source};
