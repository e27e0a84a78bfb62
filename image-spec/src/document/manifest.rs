//! Image manifests, OCI's and Docker's (image-spec, manifest.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::version::Two;
use super::{Content, ImageConfig, MAX_MANIFEST, Sealed};
use crate::json::{Keys, nullable};
use crate::{Descriptor, Digest, Error, MediaType, Result};

/// An image for one platform, or an artifact: a config and layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    schema_version: Two,
    /// What this is. Docker's manifests have it always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is, if it is no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(deserialize_with = "nullable")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A layer of an image: its blob, and the digest of the archive in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The blob, usually compressed.
    pub descriptor: Descriptor,
    /// The digest of the archive, not compressed.
    pub diff_id: Digest,
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: Two,
            media_type: Some(MediaType::OCI_MANIFEST.into()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Checks that this is the manifest of an image that can be unpacked: it has an image config, at least one layer, and
    /// only layers of known formats that are stored with it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for artifacts and images without layers; [`Error::Unsupported`] for layers that are kept
    /// elsewhere, have an unknown compression or are no layers.
    pub fn check_image(&self) -> Result<()> {
        let kind = &self.config.media_type;
        if !kind.is_config() {
            return Err(Error::invalid(
                "manifest",
                kind.as_str(),
                "is the config of an artifact, not of an image",
            ));
        }
        if self.layers.is_empty() {
            return Err(Error::invalid("manifest", "layers", "is empty, which no image is"));
        }
        match self.layers.iter().find(|layer| !layer.media_type.is_layer()) {
            None => Ok(()),
            Some(other) => {
                Err(Error::Unsupported { what: "layer media type", value: other.media_type.to_string() })
            }
        }
    }

    /// The layers with the digests of their archives, the lowest first.
    ///
    /// # Errors
    /// As for [`Manifest::check_image`]; [`Error::Invalid`] if the config has another number of layers.
    pub fn layers_with(&self, config: &ImageConfig) -> Result<Vec<Layer>> {
        self.check_image()?;
        let (layers, diff_ids) = (self.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            let reason = format!("has {diff_ids} entries for {layers} layers");
            return Err(Error::invalid("config", "rootfs.diff_ids", reason));
        }
        let pairs = self.layers.iter().cloned().zip(config.rootfs.diff_ids.iter().cloned());
        Ok(pairs.map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect())
    }

    /// The same as an OCI manifest: Docker's media types are replaced. The config and the layers stay what they are, but
    /// the manifest gets another digest.
    pub fn to_oci(&self) -> Self {
        let mut manifest = self.clone();
        manifest.media_type = Some(MediaType::OCI_MANIFEST.into());
        let subject = manifest.subject.iter_mut();
        for descriptor in manifest.layers.iter_mut().chain([&mut manifest.config]).chain(subject) {
            // What the subject is must stay: its bytes name their own media type.
            if !descriptor.media_type.is_manifest() && !descriptor.media_type.is_index() {
                descriptor.media_type = descriptor.media_type.to_oci();
            }
        }
        manifest
    }
}

impl Sealed for Manifest {
    fn check_keys(keys: &Keys) -> Result<()> {
        if keys.has("manifests") {
            return Err(Error::invalid(Self::WHAT, "manifests", "is a field of indexes"));
        }
        super::index::refuse_first_schema(Self::WHAT, keys)
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Content for Manifest {
    const WHAT: &'static str = "manifest";
    const LIMIT: u64 = MAX_MANIFEST;
    const MEDIA_TYPE: &'static str = MediaType::OCI_MANIFEST;

    fn is(media_type: &MediaType) -> bool {
        media_type.is_manifest()
    }

    fn media_type(&self) -> Option<&MediaType> {
        self.media_type.as_ref()
    }
}
