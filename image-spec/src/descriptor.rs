//! Descriptors: what something is, how long, and its digest (image-spec, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::json::nullable;
use crate::{Digest, Error, MediaType, Platform, Result, base64};

/// A reference to content by its digest.
///
/// Fields that this crate does not know are dropped; documents are kept as bytes besides, so nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Wire")]
#[non_exhaustive]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes, less than 2^63.
    pub size: u64,
    /// Places it can be fetched from. Never used unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What a manifest needs to run, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact a manifest is of, in an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// The content itself, where it is short. In JSON it is base64.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_base64")]
    pub data: Option<Vec<u8>>,
}

impl Descriptor {
    /// A descriptor without the optional fields.
    pub fn new(media_type: impl Into<MediaType>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
            data: None,
        }
    }

    /// The descriptor of some bytes.
    pub fn of(media_type: impl Into<MediaType>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// The same with a platform.
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// The same with an annotation.
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Checks that these bytes are the content. The length comes first: a digest of the wrong length says nothing.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`], [`Error::DigestMismatch`].
    pub fn verify(&self, bytes: &[u8]) -> Result<()> {
        let found = bytes.len() as u64;
        if found != self.size {
            return Err(Error::SizeMismatch { digest: self.digest.clone(), expected: self.size, found });
        }
        let found = Digest::of(self.digest.algorithm(), bytes);
        if found != self.digest {
            return Err(Error::DigestMismatch { what: "blob", expected: self.digest.clone(), found });
        }
        Ok(())
    }
}

/// What comes in JSON, not yet checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: MediaType,
    digest: Digest,
    size: u64,
    #[serde(default, deserialize_with = "nullable")]
    urls: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
    artifact_type: Option<MediaType>,
    data: Option<String>,
}

impl TryFrom<Wire> for Descriptor {
    type Error = Error;

    fn try_from(wire: Wire) -> Result<Self> {
        let wrong = |reason| Error::invalid("descriptor", wire.digest.to_string(), reason);
        if i64::try_from(wire.size).is_err() {
            return Err(wrong("has a size of 2^63 or more"));
        }
        let data = match &wire.data {
            None => None,
            Some(text) => Some(base64::decode(text).ok_or_else(|| wrong("has data that is not base64"))?),
        };
        let descriptor = Self {
            media_type: wire.media_type,
            digest: wire.digest,
            size: wire.size,
            urls: wire.urls,
            annotations: wire.annotations,
            platform: wire.platform,
            artifact_type: wire.artifact_type,
            data,
        };
        if let Some(data) = &descriptor.data {
            descriptor.verify(data)?;
        }
        Ok(descriptor)
    }
}

fn as_base64<S: Serializer>(data: &Option<Vec<u8>>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    data.as_deref().map(base64::encode).serialize(serializer)
}
