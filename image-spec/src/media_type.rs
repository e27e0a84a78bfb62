//! Media types of documents and layers, OCI's and Docker's (image-spec, media-types.md).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A media type. What is known has constants and predicates; what is not is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(String);

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &'static str = $text;)*
    };
}

impl MediaType {
    known! {
        /// An OCI image index.
        OCI_INDEX = "application/vnd.oci.image.index.v1+json";
        /// An OCI image manifest.
        OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
        /// An OCI image config.
        OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
        /// A layer, not compressed.
        OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
        /// A layer, gzip.
        OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";
        /// A layer, zstd.
        OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd";
        /// The empty document `{}`.
        OCI_EMPTY = "application/vnd.oci.empty.v1+json";
        /// Docker's manifest list.
        DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
        /// Docker's manifest, schema 2.
        DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
        /// Docker's image config.
        DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
        /// Docker's layer, not compressed.
        DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
        /// Docker's layer, gzip.
        DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        /// Docker's layer, zstd, as some tools write it.
        DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd";
    }

    /// Any media type.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An index: a list of manifests.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), Self::OCI_INDEX | Self::DOCKER_LIST)
    }

    /// An image manifest.
    pub fn is_manifest(&self) -> bool {
        matches!(self.as_str(), Self::OCI_MANIFEST | Self::DOCKER_MANIFEST)
    }

    /// An image config.
    pub fn is_config(&self) -> bool {
        matches!(self.as_str(), Self::OCI_CONFIG | Self::DOCKER_CONFIG)
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
