//! What can be said about a container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How far a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// It is being created, or whoever created it was killed meanwhile.
    Creating,
    /// Everything is set up, and its process waits for the start.
    Created,
    /// Its program runs.
    Running,
    /// All of its processes are frozen.
    Paused,
    /// Its process has ended.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// The state of a container as the runtime-spec defines it; this is what hooks read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version of the runtime-spec that the state follows.
    pub oci_version: String,
    /// The name of the container.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// Its process, as the caller sees it; none once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The directory of its bundle.
    pub bundle: PathBuf,
    /// The annotations of its configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The state and what engines want to know besides. As JSON it has the fields of `runc state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Details {
    /// The version of the runtime-spec that the state follows.
    pub oci_version: String,
    /// The name of the container.
    pub id: String,
    /// Its process, as the caller sees it; 0 once it has ended.
    pub pid: u32,
    /// How far it is.
    pub status: Status,
    /// The directory of its bundle.
    pub bundle: PathBuf,
    /// The directory of its root.
    pub rootfs: PathBuf,
    /// When it was created, by RFC 3339 in UTC.
    pub created: String,
    /// The annotations of its configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The name of the user who created it, or `#` and the number.
    pub owner: String,
}
