//! What is stored about a container.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::oci::cgroup::CgroupRecord;
use crate::oci::hooks::Surroundings;
use crate::oci::rdt::RdtRecord;
use crate::oci::{Details, Error, State, Status};

/// The layout of the record. A program that meets another one leaves it alone.
const VERSION: u32 = 1;

/// All that is known of a container besides what the kernel knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    /// When it was created, since 1970.
    pub(crate) created: Duration,
    /// The user who created it.
    pub(crate) owner: u32,
    /// Whether it was created completely.
    pub(crate) complete: bool,
    /// Its process, once that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Identity>,
    /// What the init still has to do after the start, for messages about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remaining: Option<String>,
    /// Its cgroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<CgroupRecord>,
    /// It is only where the cgroup was going to be made.
    #[serde(default)]
    pub(crate) cgroup_planned: bool,
    /// Its group of resctrl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rdt: Option<RdtRecord>,
    /// Where notifications are forwarded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notify_socket: Option<PathBuf>,
    /// The configuration as it was.
    pub(crate) config: Spec,
}

/// What it takes to clean up after a container.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pieces {
    process: Option<Identity>,
    pub(crate) cgroup: Option<CgroupRecord>,
    pub(crate) cgroup_planned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rdt: Option<RdtRecord>,
}

impl Pieces {
    /// Its process, if that lives.
    pub(crate) fn open(&self) -> Result<Option<(u32, OwnedFd)>, Error> {
        let Some(process) = &self.process else { return Ok(None) };
        Ok(process.open()?.map(|pidfd| (process.pid, pidfd)))
    }
}

/// The version alone, which is read first.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Record {
    /// What is written, or what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Versioned { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("is of version {version}, and this program knows version {VERSION}"));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }
}

impl Record {
    /// A container that is about to be made.
    pub(crate) fn new(id: &str, bundle: &Path, spec: &Spec) -> Self {
        let root = spec.root().as_ref().map_or(Path::new(""), |root| root.path().as_path());
        Self {
            version: VERSION,
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            rootfs: bundle.join(root),
            created: super::time::now(),
            owner: rustix::process::getuid().as_raw(),
            complete: false,
            process: None,
            remaining: None,
            cgroup: None,
            cgroup_planned: false,
            rdt: None,
            notify_socket: None,
            config: spec.clone(),
        }
    }

    pub(crate) fn pieces(&self) -> Pieces {
        let (process, cgroup) = (self.process.clone(), self.cgroup.clone());
        Pieces { process, cgroup, cgroup_planned: self.cgroup_planned, rdt: self.rdt.clone() }
    }

    /// The state as the runtime-spec has it.
    pub(crate) fn state(&self, status: Status, pid: Option<u32>) -> State {
        State {
            oci_version: self.config.version().clone(),
            id: self.id.clone(),
            status,
            pid,
            bundle: self.bundle.clone(),
            annotations: self.annotations(),
        }
    }

    /// What engines want to know.
    pub(crate) fn details(&self, status: Status, pid: Option<u32>) -> Details {
        Details {
            oci_version: self.config.version().clone(),
            id: self.id.clone(),
            pid: pid.unwrap_or(0),
            status,
            bundle: self.bundle.clone(),
            rootfs: self.rootfs.clone(),
            created: super::time::rfc3339(self.created),
            annotations: self.annotations(),
            owner: name_of(self.owner).unwrap_or_else(|| format!("#{}", self.owner)),
        }
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let annotations = self.config.annotations().iter().flatten();
        annotations.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Where its hooks run.
    pub(crate) fn surroundings<'a>(&'a self, process: Option<BorrowedFd<'a>>) -> Surroundings<'a> {
        Surroundings { spec: &self.config, bundle: &self.bundle, process }
    }
}

/// The name of a user of the host.
fn name_of(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = users.lines().map(|line| line.split(':'));
    let number = uid.to_string();
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    })
}
