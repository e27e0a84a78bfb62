//! The image types of the crate oci-spec.
//!
//! What only one side knows is lost, and maps of theirs have no order: bytes are never made of their types, and a document
//! that was read keeps its own.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image as theirs;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Descriptor, Digest, Document, Error, ImageConfig, Index, Manifest, MediaType, Platform, Result, base64,
};

impl From<&MediaType> for theirs::MediaType {
    fn from(ours: &MediaType) -> Self {
        ours.as_str().into()
    }
}

impl From<&theirs::MediaType> for MediaType {
    fn from(theirs: &theirs::MediaType) -> Self {
        theirs.as_ref().into()
    }
}

impl TryFrom<&theirs::Digest> for Digest {
    type Error = Error;

    /// Fails for algorithms that this crate cannot verify.
    fn try_from(theirs: &theirs::Digest) -> Result<Self> {
        theirs.as_ref().parse()
    }
}

impl TryFrom<&Digest> for theirs::Digest {
    type Error = Error;

    fn try_from(ours: &Digest) -> Result<Self> {
        let text = ours.to_string();
        text.parse()
            .map_err(|error: oci_spec::OciSpecError| Error::invalid("digest", text, error.to_string()))
    }
}

impl From<&theirs::Platform> for Platform {
    fn from(theirs: &theirs::Platform) -> Self {
        let mut ours = Self::new("", "");
        ours.os = theirs.os().to_string();
        ours.architecture = theirs.architecture().to_string();
        ours.variant = theirs.variant().clone();
        ours.os_version = theirs.os_version().clone();
        ours.os_features = theirs.os_features().clone().unwrap_or_default();
        ours
    }
}

impl From<&Platform> for theirs::Platform {
    fn from(ours: &Platform) -> Self {
        let mut theirs = Self::default();
        theirs.set_os(ours.os.as_str().into());
        theirs.set_architecture(ours.architecture.as_str().into());
        theirs.set_variant(ours.variant.clone());
        theirs.set_os_version(ours.os_version.clone());
        theirs.set_os_features(filled(ours.os_features.clone()));
        theirs
    }
}

impl TryFrom<&theirs::Descriptor> for Descriptor {
    type Error = Error;

    /// Fails for digests that cannot be verified, sizes of 2^63 and more, and data that is not the content.
    fn try_from(theirs: &theirs::Descriptor) -> Result<Self> {
        let mut ours = Self::new(theirs.media_type(), theirs.digest().try_into()?, theirs.size());
        let wrong = |reason| Error::invalid("descriptor", ours.digest.to_string(), reason);
        if i64::try_from(ours.size).is_err() {
            return Err(wrong("has a size of 2^63 or more"));
        }
        if let Some(text) = theirs.data() {
            let data = base64::decode(text).ok_or_else(|| wrong("has data that is not base64"))?;
            ours.verify(&data)?;
            ours.data = Some(data);
        }
        ours.urls = theirs.urls().clone().unwrap_or_default();
        ours.annotations = sorted(theirs.annotations().as_ref());
        ours.platform = theirs.platform().as_ref().map(Into::into);
        ours.artifact_type = theirs.artifact_type().as_ref().map(Into::into);
        Ok(ours)
    }
}

impl TryFrom<&Descriptor> for theirs::Descriptor {
    type Error = Error;

    fn try_from(ours: &Descriptor) -> Result<Self> {
        let digest = theirs::Digest::try_from(&ours.digest)?;
        let mut theirs = Self::new((&ours.media_type).into(), ours.size, digest);
        theirs.set_urls(filled(ours.urls.clone()));
        theirs.set_annotations(hashed(&ours.annotations));
        theirs.set_platform(ours.platform.as_ref().map(Into::into));
        theirs.set_artifact_type(ours.artifact_type.as_ref().map(Into::into));
        theirs.set_data(ours.data.as_deref().map(base64::encode));
        Ok(theirs)
    }
}

impl TryFrom<&theirs::ImageManifest> for Manifest {
    type Error = Error;

    /// Fails as descriptors do, and for other versions of the schema.
    fn try_from(theirs: &theirs::ImageManifest) -> Result<Self> {
        check_version("manifest", theirs.schema_version())?;
        let mut ours = Self::new(theirs.config().try_into()?, all(theirs.layers())?);
        ours.media_type = theirs.media_type().as_ref().map(Into::into);
        ours.artifact_type = theirs.artifact_type().as_ref().map(Into::into);
        ours.subject = theirs.subject().as_ref().map(TryInto::try_into).transpose()?;
        ours.annotations = sorted(theirs.annotations().as_ref());
        Ok(ours)
    }
}

impl TryFrom<&Manifest> for theirs::ImageManifest {
    type Error = Error;

    fn try_from(ours: &Manifest) -> Result<Self> {
        let built = theirs::ImageManifestBuilder::default()
            .schema_version(2u32)
            .config(theirs::Descriptor::try_from(&ours.config)?)
            .layers(all::<_, theirs::Descriptor>(&ours.layers)?)
            .build();
        let mut theirs = built.map_err(|error| Error::invalid("manifest", "oci-spec", error.to_string()))?;
        theirs.set_media_type(ours.media_type.as_ref().map(Into::into));
        theirs.set_artifact_type(ours.artifact_type.as_ref().map(Into::into));
        theirs.set_subject(ours.subject.as_ref().map(TryInto::try_into).transpose()?);
        theirs.set_annotations(hashed(&ours.annotations));
        Ok(theirs)
    }
}

impl TryFrom<&theirs::ImageIndex> for Index {
    type Error = Error;

    /// Fails as descriptors do, and for other versions of the schema.
    fn try_from(theirs: &theirs::ImageIndex) -> Result<Self> {
        check_version("index", theirs.schema_version())?;
        let mut ours = Self::new(all(theirs.manifests())?);
        ours.media_type = theirs.media_type().as_ref().map(Into::into);
        ours.artifact_type = theirs.artifact_type().as_ref().map(Into::into);
        ours.subject = theirs.subject().as_ref().map(TryInto::try_into).transpose()?;
        ours.annotations = sorted(theirs.annotations().as_ref());
        Ok(ours)
    }
}

impl TryFrom<&Index> for theirs::ImageIndex {
    type Error = Error;

    fn try_from(ours: &Index) -> Result<Self> {
        let built = theirs::ImageIndexBuilder::default()
            .schema_version(2u32)
            .manifests(all::<_, theirs::Descriptor>(&ours.manifests)?)
            .build();
        let mut theirs = built.map_err(|error| Error::invalid("index", "oci-spec", error.to_string()))?;
        theirs.set_media_type(ours.media_type.as_ref().map(Into::into));
        theirs.set_artifact_type(ours.artifact_type.as_ref().map(Into::into));
        theirs.set_subject(ours.subject.as_ref().map(TryInto::try_into).transpose()?);
        theirs.set_annotations(hashed(&ours.annotations));
        Ok(theirs)
    }
}

impl TryFrom<&theirs::ImageConfiguration> for ImageConfig {
    type Error = Error;

    /// Fails for what this crate refuses in configs: another type of root, digests that cannot be verified, NUL.
    fn try_from(theirs: &theirs::ImageConfiguration) -> Result<Self> {
        let ours: Self = through_json(theirs)?;
        Document::new(&ours).map(Document::into_value)
    }
}

impl TryFrom<&ImageConfig> for theirs::ImageConfiguration {
    type Error = Error;

    /// The check of health, the shell and what is done in builds are not in oci-spec, and lost.
    fn try_from(ours: &ImageConfig) -> Result<Self> {
        through_json(ours)
    }
}

/// Both crates have a config's fields under the names of the specification.
fn through_json<T: Serialize, U: DeserializeOwned>(from: &T) -> Result<U> {
    let value = serde_json::to_value(from).and_then(serde_json::from_value);
    value.map_err(|source| Error::Json { what: "config", source })
}

fn check_version(what: &'static str, version: u32) -> Result<()> {
    match version {
        2 => Ok(()),
        other => Err(Error::invalid(what, other.to_string(), "is not the schema version 2")),
    }
}

fn all<'a, T, U: TryFrom<&'a T, Error = Error>>(from: &'a [T]) -> Result<Vec<U>> {
    from.iter().map(TryInto::try_into).collect()
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn sorted(map: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn hashed(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}
