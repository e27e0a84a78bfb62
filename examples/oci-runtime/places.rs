//! Where containers are, and what all commands need.

use std::path::PathBuf;

use cofferdam::LimitPolicy;
use cofferdam::oci::{Container, Error, Runtime};
use rustix::process::geteuid;

use crate::args::{CgroupManager, Globals, Rootless};
use crate::failure::Failure;
use crate::log::Log;

/// The directory of states below that of the host, or that of an ordinary user.
const DIRECTORY: &str = "cofferdam";

/// What all commands need.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub globals: &'a Globals,
    pub log: &'a Log,
}

impl<'a> Context<'a> {
    pub const fn new(globals: &'a Globals, log: &'a Log) -> Self {
        Self { globals, log }
    }

    /// The runtime over the state directory.
    pub fn runtime(&self) -> Result<Runtime, Failure> {
        let systemd =
            self.globals.systemd_cgroup || self.globals.cgroup_manager == Some(CgroupManager::Systemd);
        if systemd {
            let what = "the systemd cgroup driver (--systemd-cgroup)".to_owned();
            return Err(Error::Unsupported { what }.into());
        }
        let directory = self.globals.root.clone().map_or_else(default_directory, Ok)?;
        let directory = std::path::absolute(&directory).map_err(Failure::of("--root"))?;
        self.log.debug(&format!("state directory {}", directory.display()));
        Ok(Runtime::new(directory))
    }

    /// A container of it.
    pub fn container(&self, id: &str) -> Result<Container, Failure> {
        Ok(self.runtime()?.load(id)?)
    }

    /// What it means that no cgroup can be had.
    pub fn cgroup_policy(&self) -> LimitPolicy {
        match (self.globals.cgroup_manager, self.globals.rootless) {
            (Some(CgroupManager::Disabled), _) => LimitPolicy::None,
            (_, Rootless::True) => LimitPolicy::IfAvailable,
            (_, Rootless::Auto) if !geteuid().is_root() => LimitPolicy::IfAvailable,
            _ => LimitPolicy::Required,
        }
    }

    /// Says what went wrong without being a failure.
    pub fn warn(&self, what: &str, errors: &[Error]) {
        for error in errors {
            self.log.warning(&format!("{what}: {}", crate::failure::text(error)));
        }
    }
}

fn default_directory() -> Result<PathBuf, Failure> {
    if geteuid().is_root() {
        return Ok(PathBuf::from("/run").join(DIRECTORY));
    }
    let directory = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let directory =
        directory.ok_or_else(|| Failure::new("XDG_RUNTIME_DIR is not set, and there is no --root"))?;
    Ok(directory.join(DIRECTORY))
}
