//! What an image is, and where images are kept: digests, manifests, configs, layers, a store on disk.

#![forbid(unsafe_code)]

pub mod annotations;
mod base64;
mod descriptor;
mod digest;
mod document;
mod error;
#[cfg(feature = "oci")]
mod foreign;
mod host;
mod json;
mod layer;
mod media_type;
mod memory;
mod platform;
mod reference;
mod store;
mod transport;

pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Digester, HashingReader};
pub use document::{
    Content, Document, Execution, Healthcheck, History, Image, ImageConfig, Index, Layer, MAX_CONFIG,
    MAX_MANIFEST, Manifest, RootFs, chain_ids, read_document, resolve_image,
};
pub use error::{Error, Result};
pub use host::{FileState, HostEntry, HostImage, HostPlan, HostSource};
pub use layer::{
    Compression, CreateLayer, Created, Devices, FileCapabilities, Form, IdRange, Ids, LayerCompression,
    LayerIds, LayerTimes, Limits, OverlayXattrs, Pending, Redirects, Settled, Skipped, Unpack, Unpacked,
};
pub use media_type::MediaType;
pub use memory::MemorySource;
pub use platform::Platform;
pub use reference::Reference;
pub use store::{
    Collected, Container, Damage, ImageUsage, ImportOptions, Report, Store, StoredImage, StoredLayer, Usage,
    VerifyOptions,
};
pub use transport::{
    Copied, CopyOptions, Destination, DockerArchive, DockerArchiveWriter, Layout, Location, OciArchive,
    OciArchiveWriter, Offer, Progress, Source, Tarball, TarballWriter, copy, select,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
