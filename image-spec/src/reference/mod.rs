//! References: names of images such as `debian:12` or `registry.example:5000/team/app@sha256:...`.
//!
//! The grammar is that of `distribution/reference`, which Docker, containerd, Podman and skopeo share:
//!
//! ```text
//! reference  = name [":" tag] ["@" digest]
//! name       = [domain "/"] component {"/" component}
//! domain     = (label {"." label} | "[" IPv6 address "]") [":" port]
//! label      = letters, digits and "-", neither first nor last
//! component  = part {separator part}, part of lower case letters and digits
//! separator  = "." | "_" | "__" | "-" {"-"}
//! tag        = a letter, digit or "_", then up to 127 of these, "." and "-"
//! ```

mod parse;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, Error, Result};

/// The domain of names that have none.
const DEFAULT_DOMAIN: &str = "docker.io";
/// Another name for it, which old clients wrote.
const OLD_DEFAULT_DOMAIN: &str = "index.docker.io";
/// Where images of one component are in it.
const OFFICIAL: &str = "library/";
/// The tag of references with neither tag nor digest.
const DEFAULT_TAG: &str = "latest";

/// The full name of an image, with a tag or a digest or both.
///
/// A short name is completed as Docker does it. Printed in full, it is read back as the same.
///
/// ```
/// use cofferdam_image_spec::Reference;
///
/// let reference: Reference = "debian".parse()?;
/// assert_eq!(reference.to_string(), "docker.io/library/debian:latest");
/// assert_eq!(reference.familiar(), "debian:latest");
///
/// let reference: Reference = "[2001:db8::1]:5000/team/app:v1".parse()?;
/// assert_eq!(reference.domain(), "[2001:db8::1]:5000");
/// assert_eq!(reference.path(), "team/app");
/// assert_eq!(reference.tag(), Some("v1"));
///
/// assert!("example.com/../app".parse::<Reference>().is_err());
/// assert!("Debian".parse::<Reference>().is_err());
/// # Ok::<(), cofferdam_image_spec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry: a host, with a port if one was given.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and repository.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag. If there is a digest as well, the tag says nothing about which image is meant.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index that is meant, whatever the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same name with another tag, and without a digest.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no tag.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        parse::check_tag(tag).map_err(|reason| Error::invalid("tag", tag, reason))?;
        Ok(Self { tag: Some(tag.into()), digest: None, ..self.clone() })
    }

    /// The same name with a digest, and without a tag.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Only what says which image is meant: without the tag if there is a digest.
    ///
    /// ```
    /// use cofferdam_image_spec::{Digest, Reference};
    ///
    /// let digest = Digest::sha256(b"");
    /// let reference: Reference = format!("app:v1@{digest}").parse()?;
    /// assert_eq!(reference.to_string(), format!("docker.io/library/app:v1@{digest}"));
    /// assert_eq!(reference.canonical().to_string(), format!("docker.io/library/app@{digest}"));
    /// # Ok::<(), cofferdam_image_spec::Error>(())
    /// ```
    pub fn canonical(&self) -> Self {
        match &self.digest {
            Some(digest) => self.with_digest(digest.clone()),
            None => self.clone(),
        }
    }

    /// As people write it: without the parts of the name that are added to short names.
    pub fn familiar(&self) -> String {
        let name = match (self.domain.as_str(), self.path.strip_prefix(OFFICIAL)) {
            (DEFAULT_DOMAIN, Some(official)) if !official.contains('/') => official.to_owned(),
            (DEFAULT_DOMAIN, _) if self.path.contains('/') && !parse::is_domain(self.first()) => {
                self.path.clone()
            }
            _ => self.name(),
        };
        name + &self.suffix()
    }

    /// The first component of the path.
    fn first(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        tag.chain(self.digest.iter().map(|digest| format!("@{digest}"))).collect()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse::reference(text).map_err(|reason| Error::invalid("reference", text, reason))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
