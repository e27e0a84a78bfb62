//! Containers by the OCI runtime-spec: a configuration becomes a plan, a plan a container with a life cycle.

mod error;
#[allow(dead_code, unused_imports, reason = "grows section by section")]
mod plan;

pub use error::{Error, Result};
pub use oci_spec::runtime::Spec;
