//! Any file by its name.

use super::{out_of_range, unsupported};
use crate::resources::{Operations, Resources, Write};
use crate::{Controller, Result, Version};

/// A file of a v2 cgroup and what to write to it: `unified` of the OCI runtime-spec.
///
/// For what this crate has no type for, or does not know yet. Each line of the value is written by a call of its own, as
/// the kernel takes one line at a time. Files that move processes or change what a cgroup is (`cgroup.procs`,
/// `cgroup.subtree_control` and the like) are no settings and are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unified {
    /// The name of the file, such as `memory.high`.
    pub file: String,
    /// What to write.
    pub value: String,
}

/// These are not settings.
const NO_SETTINGS: [&str; 11] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.subtree_control",
    "cgroup.type",
    "cgroup.kill",
    "cgroup.freeze",
    "cgroup.controllers",
    "cgroup.event_control",
    "freezer.state",
    "devices.allow",
    "devices.deny",
];

impl Unified {
    /// The file and the value.
    pub fn new(file: impl Into<String>, value: impl Into<String>) -> Self {
        Self { file: file.into(), value: value.into() }
    }

    /// The controller before the first full stop; none for `cgroup.*`, and for controllers that are not known here.
    pub(super) fn controller(&self) -> Option<Controller> {
        Controller::from_name(self.file.split('.').next()?, Version::V2)
    }

    pub(super) fn subject(&self) -> String {
        self.file.clone()
    }

    pub(super) fn value_text(&self) -> String {
        self.value.trim_end().to_owned()
    }

    pub(super) fn validate(&self) -> Result<()> {
        check(&self.file, &self.value)
    }

    pub(super) fn lower(&self, version: Version, _all: &Resources) -> Result<Operations> {
        match version {
            Version::V1 => unsupported(version, "files named as on v2"),
            Version::V2 => Ok(lines(&self.file, &self.value)),
        }
    }
}

/// A file of a controller by its name, on the version that there is, and what to write to it.
///
/// As [`Unified`], but for a program that knows which version it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// The controller that the file belongs to.
    pub controller: Controller,
    /// The name of the file, such as `memory.swappiness`.
    pub file: String,
    /// What to write.
    pub value: String,
}

impl ControlFile {
    /// The controller, the file and the value.
    pub fn new(controller: Controller, file: impl Into<String>, value: impl Into<String>) -> Self {
        Self { controller, file: file.into(), value: value.into() }
    }

    pub(super) fn subject(&self) -> String {
        self.file.clone()
    }

    pub(super) fn value_text(&self) -> String {
        self.value.trim_end().to_owned()
    }

    pub(super) fn validate(&self) -> Result<()> {
        check(&self.file, &self.value)
    }

    pub(super) fn lower(&self, _version: Version, _all: &Resources) -> Result<Operations> {
        Ok(lines(&self.file, &self.value))
    }
}

fn check(file: &str, value: &str) -> Result<()> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !file.contains('.') || file.starts_with('.') || file.ends_with('.') || file.contains(odd) {
        return out_of_range("the file", format_args!("{file:?}"), "a control file such as memory.high");
    }
    if NO_SETTINGS.contains(&file) {
        return out_of_range("the file", file, "a file with a limit or a weight");
    }
    if value.trim().is_empty() && !file.starts_with("cpuset.") {
        return out_of_range("the value for a control file", format_args!("{value:?}"), "some text");
    }
    Ok(())
}

/// Files with a line for each device or the like, and what undoes a line.
const KEYED: [(&str, &str); 6] = [
    ("io.max", "rbps=max wbps=max riops=max wiops=max"),
    ("io.weight", "default"),
    ("io.bfq.weight", "default"),
    ("io.latency", "target=0"),
    ("rdma.max", "hca_handle=max hca_object=max"),
    ("misc.max", "max"),
];

/// A write for each line; nothing at all becomes an empty line, which is what the kernel takes.
fn lines(file: &str, value: &str) -> Operations {
    let reset = KEYED.iter().find(|(keyed, _)| *keyed == file).map(|(_, reset)| *reset);
    let write = |line: &str| {
        let write = match (reset, line.trim().split_once(' ')) {
            // The default itself has one value, and is never missing.
            (Some(_), Some(("default", _))) | (None, _) | (_, None) => Write::value(file.to_owned(), line),
            (Some(reset), Some((key, value))) => Write::line(file.to_owned(), key, value, reset),
        };
        write.into()
    };
    if value.trim().is_empty() {
        return vec![write("\n")];
    }
    value.lines().filter(|line| !line.trim().is_empty()).map(write).collect()
}
