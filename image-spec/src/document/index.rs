//! Image indexes and Docker's manifest lists (image-spec, image-index.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::version::Two;
use super::{Content, MAX_MANIFEST, Sealed};
use crate::json::{Keys, nullable};
use crate::{Descriptor, Error, MediaType, Result};

/// A list of manifests, usually of one image for several platforms, or of all images of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Index {
    schema_version: Two,
    /// What this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is, if it is no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// Manifests and indexes.
    #[serde(deserialize_with = "nullable")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one says something about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// An OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: Two,
            media_type: Some(MediaType::OCI_INDEX.into()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl Sealed for Index {
    fn check_keys(keys: &Keys) -> Result<()> {
        if let Some(field) = ["layers", "config"].into_iter().find(|field| keys.has(field)) {
            return Err(Error::invalid(Self::WHAT, field, "is a field of manifests"));
        }
        refuse_first_schema(Self::WHAT, keys)
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Content for Index {
    const WHAT: &'static str = "index";
    const LIMIT: u64 = MAX_MANIFEST;
    const MEDIA_TYPE: &'static str = MediaType::OCI_INDEX;

    fn is(media_type: &MediaType) -> bool {
        media_type.is_index()
    }

    fn media_type(&self) -> Option<&MediaType> {
        self.media_type.as_ref()
    }
}

/// Docker's first schema, whose signature and layers nobody makes any more.
pub fn refuse_first_schema(what: &'static str, keys: &Keys) -> Result<()> {
    if keys.has("fsLayers") || keys.has("signatures") {
        return Err(Error::Unsupported { what, value: "docker schema 1".into() });
    }
    Ok(())
}
