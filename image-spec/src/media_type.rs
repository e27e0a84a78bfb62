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
        /// A layer that is kept elsewhere, not compressed. Deprecated by the specification, refused by this crate.
        OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar";
        /// A layer that is kept elsewhere, gzip.
        OCI_FOREIGN_LAYER_GZIP = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        /// Docker's layer that is kept elsewhere.
        DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar";
        /// Docker's layer that is kept elsewhere, gzip.
        DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
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

    /// A layer in a format that this crate reads, stored with its image.
    pub fn is_layer(&self) -> bool {
        let oci = [Self::OCI_LAYER, Self::OCI_LAYER_GZIP, Self::OCI_LAYER_ZSTD];
        oci.contains(&self.to_oci().as_str())
    }

    /// OCI's media type for the same format as Docker's; any other stays as it is.
    pub fn to_oci(&self) -> Self {
        Self::new(match self.as_str() {
            Self::DOCKER_LIST => Self::OCI_INDEX,
            Self::DOCKER_MANIFEST => Self::OCI_MANIFEST,
            Self::DOCKER_CONFIG => Self::OCI_CONFIG,
            Self::DOCKER_LAYER => Self::OCI_LAYER,
            Self::DOCKER_LAYER_GZIP => Self::OCI_LAYER_GZIP,
            Self::DOCKER_LAYER_ZSTD => Self::OCI_LAYER_ZSTD,
            Self::DOCKER_FOREIGN_LAYER => Self::OCI_FOREIGN_LAYER,
            Self::DOCKER_FOREIGN_LAYER_GZIP => Self::OCI_FOREIGN_LAYER_GZIP,
            other => other,
        })
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        Self(text)
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
