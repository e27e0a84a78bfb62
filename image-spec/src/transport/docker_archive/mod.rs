//! Docker archives: what `docker save` and `podman save` write.

mod read;
mod write;

pub use read::DockerArchive;
pub use write::DockerArchiveWriter;

use serde::{Deserialize, Serialize};

/// The list of images.
const LIST: &str = "manifest.json";
/// At most so long is it.
const MOST_LIST: u64 = 4 << 20;

/// An image in the list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}
