//! Real runs.

mod binds;
mod cgroup;
mod console;
mod default;
mod devices;
mod fault;
mod hostile;
mod mounts;
mod peer;
mod procfs;
mod protect;
mod race;
mod wrong;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::oci::Spec;
pub(super) use crate::oci::plan::testing::{has_busybox, in_user_namespace, is_root};
use crate::oci::plan::testing::{request, run, spec};

/// A container with a root of its own, in which busybox is the only program.
pub(super) fn boxed(root: &Path, command: &str, change: impl FnOnce(&mut Value)) -> Spec {
    fs::create_dir_all(root.join("bin")).unwrap();
    if !root.join("bin/sh").exists() {
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        for name in [
            "cat", "chmod", "cut", "grep", "id", "ls", "mkdir", "mount", "readlink", "sort", "stat", "touch",
            "tty",
        ] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
    }
    spec(&format!("export PATH=/bin; exec 2>&1; {command}"), |value| {
        value["root"] = json!({ "path": root });
        value["mounts"] = json!([{ "destination": "/proc", "type": "proc", "source": "proc" }]);
        change(value);
    })
}

/// Adds entries to `mounts`.
pub(super) fn add(value: &mut Value, more: Value) {
    let Value::Array(more) = more else { panic!("{more} is no list") };
    value["mounts"].as_array_mut().unwrap().extend(more);
}

/// What `spec` writes of files.
pub(super) fn default_files(value: &mut Value) {
    let default = serde_json::to_value(crate::oci::default_spec()).unwrap();
    value["mounts"] = default["mounts"].clone();
    value["linux"]["maskedPaths"] = default["linux"]["maskedPaths"].clone();
    value["linux"]["readonlyPaths"] = default["linux"]["readonlyPaths"].clone();
}

/// What a container writes, or why there is none.
pub(super) fn attempt(spec: &Spec) -> Result<String, String> {
    let prepared = crate::oci::plan::build(&request(spec)).map_err(|error| error.to_string())?;
    run(&prepared).map(|(text, _)| text).map_err(|error| error.to_string())
}

/// A directory of the host with things that must stay as they are.
pub(super) struct Outside {
    directory: tempfile::TempDir,
    before: BTreeMap<String, String>,
    mounts: String,
}

impl Outside {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["keep", "ptmx", "null", "console"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        fs::create_dir(directory.path().join("pts")).unwrap();
        let before = snapshot(directory.path());
        Self { directory, before, mounts: mounts() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Nothing has changed on the host.
    pub(super) fn assert_untouched(&self) {
        assert_eq!(snapshot(self.path()), self.before);
        let mounts = mounts();
        let here = self.path().display().to_string();
        assert!(!mounts.contains(&here) || self.mounts.contains(&here), "{mounts}");
    }

    pub(super) fn is_touched(&self) -> bool {
        snapshot(self.path()) != self.before
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn snapshot(directory: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let stat = fs::symlink_metadata(entry.path()).unwrap();
        let content = if stat.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        let text = format!("{:o} {}:{} {} {:?}", stat.mode(), stat.uid(), stat.gid(), stat.ino(), content);
        all.insert(entry.file_name().to_string_lossy().into_owned(), text);
        if stat.is_dir() {
            let below = snapshot(&entry.path());
            all.extend(
                below.into_iter().map(|(name, text)| (format!("{:?}/{name}", entry.file_name()), text)),
            );
        }
    }
    all
}
