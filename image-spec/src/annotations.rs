//! The keys of annotations that the specification defines (image-spec, annotations.md).

/// When the image was built (RFC 3339).
pub const CREATED: &str = "org.opencontainers.image.created";
/// How to reach the people or organisation responsible for the image.
pub const AUTHORS: &str = "org.opencontainers.image.authors";
/// Where to find more about the image (URL).
pub const URL: &str = "org.opencontainers.image.url";
/// Where to find documentation (URL).
pub const DOCUMENTATION: &str = "org.opencontainers.image.documentation";
/// Where to find the source code that the image is built from (URL).
pub const SOURCE: &str = "org.opencontainers.image.source";
/// The version of the packaged software.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The revision of the source code.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// Who distributes it.
pub const VENDOR: &str = "org.opencontainers.image.vendor";
/// The licences of what is in it (SPDX expression).
pub const LICENSES: &str = "org.opencontainers.image.licenses";
/// The name of a manifest or index. Only for descriptors in the `index.json` of a layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The title of the image, for people.
pub const TITLE: &str = "org.opencontainers.image.title";
/// What the packaged software is, for people.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";
/// The digest of the image that this one is based on.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// The reference of the image that this one is based on, in full.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The full name that containerd gives to what it writes into a layout. Not of the specification, but common.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
