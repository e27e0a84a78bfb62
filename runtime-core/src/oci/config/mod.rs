//! The configuration of a container: reading it, and what must hold in it before anything is done.
//!
//! Reading is strict. Fields that are not in the specification are ignored, as it demands; everything else that is not
//! understood is an error with the path in the document: a key that stands twice, an unknown constant, a number out of
//! range, a required value that is missing.

mod bundle;
mod document;
mod id;
mod place;
mod raw;
mod reason;
mod strict;
mod text;
mod validate;

use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;

pub use bundle::Bundle;
pub use id::Id;
pub(crate) use raw::HOOKS;
pub use validate::{NotApplied, Report, validate, validate_process, validate_resources};

use super::Result;

/// Reading of configurations.
///
/// Sections of other platforms are not kept; `null` and, where nothing could be meant by it, an empty text are the same
/// as leaving a value out.
///
/// ```
/// use cofferdam::oci::Config;
///
/// let text = br#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {"namespaces": [{"type": "pit"}]}}"#;
/// let error = Config::from_slice(text).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "config.json: linux.namespaces[0].type: \"pit\" is unknown: known are mount, cgroup, uts, ipc, user, pid, network, time"
/// );
/// ```
#[derive(Debug)]
pub enum Config {}

impl Config {
    /// Reads a `config.json`. What its values mean together is not looked at: see [`validate`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`](super::Error::Config) with the path of what is wrong. A document may have 64 MiB, 127 levels and
    /// 2^20 values.
    pub fn from_slice(bytes: &[u8]) -> Result<Spec> {
        part(bytes, "")
    }

    /// Reads a process specification, as `exec` takes it: the object that is `process` in a configuration.
    ///
    /// # Errors
    ///
    /// As [`Config::from_slice`].
    pub fn process_from_slice(bytes: &[u8]) -> Result<Process> {
        part(bytes, "process")
    }

    /// Reads resources, as `update` takes them: the object that is `linux.resources` in a configuration.
    ///
    /// # Errors
    ///
    /// As [`Config::from_slice`].
    pub fn resources_from_slice(bytes: &[u8]) -> Result<LinuxResources> {
        part(bytes, "linux.resources")
    }
}

/// Reads what is at `root` in a configuration.
fn part<T: DeserializeOwned>(bytes: &[u8], root: &str) -> Result<T> {
    let mut document = document::parse(bytes, root)?;
    raw::settle(&mut document, root)?;
    strict::read(document, root)
}
