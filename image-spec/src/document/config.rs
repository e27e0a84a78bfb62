//! Image configs (image-spec, config.md).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Content, MAX_CONFIG, Sealed};
use crate::json::{Keys, nullable};
use crate::{Digest, Error, MediaType, Platform, Result};

/// What an image is for and how it is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageConfig {
    /// When it was made, as it is written (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What its programs run on: fields of their own in JSON.
    #[serde(flatten)]
    pub platform: Platform,
    /// How it is run.
    #[serde(default, deserialize_with = "nullable")]
    pub config: Execution,
    /// Its layers.
    pub rootfs: RootFs,
    /// How it was made.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// How an image is run, if nothing else is said. Nothing here is checked but that it contains no NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[non_exhaustive]
pub struct Execution {
    /// `user`, `uid`, `user:group`, `uid:gid`, ...; empty for root.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports such as `80/tcp`.
    #[serde(deserialize_with = "set", serialize_with = "as_map", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// The environment: `NAME=value`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// More arguments; the program too if there is no entrypoint.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Directories whose content is not part of the image.
    #[serde(deserialize_with = "set", serialize_with = "as_map", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// The working directory; empty for `/`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What ends the program: `SIGTERM`, `15`, `SIGRTMIN+3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How it is seen whether the program works. Docker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The shell of commands that are one string. Docker's.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// What is done in builds on this image. Docker's.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
}

/// How it is seen whether a program works. Docker's; times in nanoseconds, 0 for what the engine has by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[non_exhaustive]
pub struct Healthcheck {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a command.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// For one check.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// In which a failure does not count.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two checks during the start.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row count.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the archives, not compressed, the lowest first.
    #[serde(deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

/// A step in which an image was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct History {
    /// When, as it is written (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// What there is to say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// No layer came of it.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// A config with these layers and nothing to run.
    pub fn new(platform: Platform, diff_ids: Vec<Digest>) -> Self {
        Self {
            created: None,
            author: None,
            platform,
            config: Execution::default(),
            rootfs: RootFs { kind: "layers".into(), diff_ids },
            history: Vec::new(),
        }
    }
}

impl Execution {
    /// The strings that become part of a process or of names in the file system.
    fn strings(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let lists = [("Env", &self.env), ("Entrypoint", &self.entrypoint), ("Cmd", &self.cmd)];
        let lists = lists.into_iter().flat_map(|(name, list)| list.iter().map(move |text| (name, text)));
        let volumes = self.volumes.iter().map(|text| ("Volumes", text));
        lists.chain(volumes).chain([("User", &self.user), ("WorkingDir", &self.working_dir)])
    }
}

impl Sealed for ImageConfig {
    fn check_keys(_: &Keys) -> Result<()> {
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.rootfs.kind != "layers" {
            return Err(Error::Unsupported { what: "rootfs.type", value: self.rootfs.kind.clone() });
        }
        match self.config.strings().find(|(_, text)| text.contains('\0')) {
            Some((name, _)) => Err(Error::invalid(Self::WHAT, name, "contains NUL")),
            None => Ok(()),
        }
    }
}

impl Content for ImageConfig {
    const WHAT: &'static str = "config";
    const LIMIT: u64 = MAX_CONFIG;
    const MEDIA_TYPE: &'static str = MediaType::OCI_CONFIG;

    fn is(media_type: &MediaType) -> bool {
        media_type.is_config()
    }

    fn media_type(&self) -> Option<&MediaType> {
        None
    }
}

/// A set is an object whose values are `{}`.
fn set<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeSet<String>, D::Error> {
    #[derive(Deserialize)]
    struct Empty {}
    let map: Option<BTreeMap<String, Option<Empty>>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

fn as_map<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Empty {}
    serializer.collect_map(set.iter().map(|key| (key, Empty {})))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
