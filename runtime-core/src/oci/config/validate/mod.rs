//! What must hold in a configuration that can be read: each section is a file.

mod annotations;
mod capabilities;
mod devices;
mod hooks;
mod idmap;
mod memory_policy;
mod mounts;
mod names;
mod namespaces;
mod netdev;
mod nul;
mod paths;
mod process;
mod rdt;
mod resources;
mod rlimits;
mod scheduling;
mod seccomp;
mod spaces;
mod sysctl;
#[cfg(test)]
mod testing;
mod time;
mod version;

use std::fmt;

use oci_spec::runtime::{Linux, LinuxResources, Process, Spec};

use crate::oci::{Error, Result};
use spaces::Spaces;

/// What there is to say of a configuration that can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What it asks for and will not get, where the specification wants no error.
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

/// Checks what the values of a configuration mean, each and together, as far as that does not depend on the host.
///
/// What is left to the parts that apply it: whether paths exist, which options a file system has, the rules of a seccomp
/// profile, and which cgroup controllers there are.
///
/// ```
/// use cofferdam::oci::{default_spec, validate};
///
/// let mut spec = default_spec();
/// spec.set_hostname(Some("x".repeat(65)));
/// let error = validate(&spec).unwrap_err();
/// assert_eq!(error.to_string(), "config.json: hostname: 65 bytes are more than 64");
/// ```
///
/// # Errors
///
/// [`Error::Config`] for the first value that cannot be applied.
pub fn validate(spec: &Spec) -> Result<Report> {
    nul::check(spec, "")?;
    version::check(spec.version())?;
    platform(spec)?;
    paths::root(spec.root().as_ref())?;
    let spaces = Spaces::of(spec.linux().as_ref());
    mounts::check(spec.mounts().as_deref().unwrap_or_default())?;
    hooks::check(spec.hooks().as_ref())?;
    annotations::check(spec.annotations().as_ref())?;
    names::check(spec, spaces)?;
    if let Some(linux) = spec.linux() {
        section_of_linux(linux, spaces)?;
    }
    let Some(process) = spec.process() else { return Ok(Report::default()) };
    if let Some(linux) = spec.linux() {
        namespaces::mapped(process.user(), linux, spaces)?;
    }
    check_process(process)
}

/// Checks a process specification by itself, as for `exec`.
///
/// # Errors
///
/// As [`validate`]; paths begin with `process`.
pub fn validate_process(process: &Process) -> Result<Report> {
    nul::check(process, "process")?;
    check_process(process)
}

/// Checks resources by themselves, as for `update`.
///
/// # Errors
///
/// As [`validate`]; paths begin with `linux.resources`.
pub fn validate_resources(resources: &LinuxResources) -> Result<()> {
    nul::check(resources, "linux.resources")?;
    resources::check(resources)
}

fn check_process(process: &Process) -> Result<Report> {
    process::check(process)?;
    rlimits::check(process.rlimits().as_deref().unwrap_or_default())?;
    scheduling::check(process)?;
    Ok(Report { not_applied: capabilities::check(process.capabilities().as_ref())? })
}

fn section_of_linux(linux: &Linux, spaces: Spaces<'_>) -> Result<()> {
    namespaces::check(linux)?;
    sysctl::check(linux.sysctl().as_ref(), spaces)?;
    paths::check(linux)?;
    devices::check(linux.devices().as_deref().unwrap_or_default())?;
    if let Some(resources) = linux.resources() {
        resources::check(resources)?;
    }
    time::check(linux.time_offsets().as_ref(), spaces)?;
    netdev::check(linux.net_devices().as_ref(), spaces)?;
    rdt::check(linux.intel_rdt().as_ref())?;
    memory_policy::check(linux.memory_policy().as_ref())?;
    seccomp::check(linux.seccomp().as_ref())
}

/// Only a configuration that did not come from a document can have these sections.
fn platform(spec: &Spec) -> Result<()> {
    if spec.vm().is_some() {
        return Err(Error::config("vm", "containers in virtual machines are not supported"));
    }
    let elsewhere = spec.windows().is_some() || spec.solaris().is_some() || spec.zos().is_some();
    if elsewhere && spec.linux().is_none() {
        return Err(Error::config("linux", "is missing: the configuration is for another platform"));
    }
    Ok(())
}
