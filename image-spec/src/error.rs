//! The one error type of the crate.

use std::io;
use std::path::PathBuf;

use crate::{Digest, Platform};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value, or a document, that breaks its format's rules.
    #[error("{what} {value:?} {reason}")]
    Invalid {
        /// What it is: `digest`, `reference`, `manifest`, ...
        what: &'static str,
        /// The value, shortened if it is long; for documents the field.
        value: String,
        /// Which rule.
        reason: String,
    },
    /// A document that is not JSON, or not of the form that is needed.
    #[error("{what}: {source}")]
    Json {
        /// Which document.
        what: &'static str,
        /// Where it ends to make sense.
        source: serde_json::Error,
    },
    /// A file or directory on the host.
    #[error("{action} {}: {source}", .path.display())]
    File {
        /// What was done to it: `open`, `rename`, ...
        action: &'static str,
        /// The path, or the name below the store.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The content is not what its digest says.
    #[error("{what} {expected}: the content has the digest {found}")]
    DigestMismatch {
        /// Which: `blob`, `diff id`, ...
        what: &'static str,
        /// What was promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The content is longer or shorter than its descriptor says.
    #[error("blob {digest}: {found} bytes instead of {expected}")]
    SizeMismatch {
        /// Which.
        digest: Digest,
        /// What was promised.
        expected: u64,
        /// What came; where it is more, reading stopped at the first byte too many.
        found: u64,
    },
    /// A limit on hostile input was reached.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What: `layer bytes`, `layer entries`, ...
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// An entry of a layer cannot be taken.
    #[error("entry {:?}: {reason}", .entry.display())]
    Entry {
        /// Its name in the archive.
        entry: PathBuf,
        /// Why it is refused.
        reason: String,
    },
    /// An entry of a layer could not be made in the file system.
    #[error("entry {:?}: {call}: {source}", .entry.display())]
    EntryCall {
        /// Its name in the archive.
        entry: PathBuf,
        /// The system call.
        call: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The archive breaks the format's rules.
    #[error("tar archive at byte {position}: {source}")]
    Tar {
        /// Where the entry begins, in the decompressed stream.
        position: u64,
        /// Which rule.
        source: tar_core::parse::ParseError,
    },
    /// Something failed while a layer was handled.
    #[error("layer {digest}: {source}")]
    Layer {
        /// The layer's blob.
        digest: Digest,
        /// What.
        source: Box<Error>,
    },
    /// A compressed or plain stream could not be read or written.
    #[error("{what}: {source}")]
    Stream {
        /// Which: `gzip stream`, `zstd stream`, `archive`, ...
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// There is no such thing here.
    #[error("{what} {name} is not there")]
    Missing {
        /// What: `blob`, `image`, `platform`, ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Somebody else has it.
    #[error("{what} {name} is in use")]
    Busy {
        /// What: `store`, `container`.
        what: &'static str,
        /// Its name or path.
        name: String,
    },
    /// There is an image, but none for this platform.
    #[error("there is no image for {wanted}{}", there(.found))]
    Platform {
        /// What was asked for.
        wanted: Box<Platform>,
        /// What there is instead, in the order of the place.
        found: Vec<Platform>,
    },
    /// Something that exists but that this crate does not take.
    #[error("{what} {value:?} is not supported")]
    Unsupported {
        /// What: `media type`, `compression`, ...
        what: &'static str,
        /// Which.
        value: String,
    },
}

impl Error {
    /// The number that the kernel gave (`errno(3)`), where it was asked.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::File { source, .. } | Self::EntryCall { source, .. } | Self::Stream { source, .. } => {
                source.raw_os_error()
            }
            Self::Layer { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    pub(crate) fn invalid(what: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what, value: shorten(value.into()), reason: reason.into() }
    }

    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.into();
        move |errno| Self::File { action, path, source: errno.into() }
    }

    pub(crate) fn in_layer(self, digest: &Digest) -> Self {
        Self::Layer { digest: digest.clone(), source: Box::new(self) }
    }
}

/// What there is instead; not all of it if it is much.
fn there(found: &[Platform]) -> String {
    const MOST: usize = 20;
    if found.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = found.iter().map(|platform| shorten(platform.to_string())).collect();
    names.sort();
    names.dedup();
    let more = if names.len() > MOST { ", …" } else { "" };
    names.truncate(MOST);
    format!(", only for {}{more}", names.join(", "))
}

/// What comes from outside can be long; a message need not be.
fn shorten(value: String) -> String {
    const MOST: usize = 120;
    match value.char_indices().nth(MOST) {
        None => value,
        Some((at, _)) => format!("{}…", &value[..at]),
    }
}
