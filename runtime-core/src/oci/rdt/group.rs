//! The group of a container.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxIntelRdt, Spec};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use serde::{Deserialize, Serialize};

use super::files::{
    DIRECTORY, MAGIC, PROPERTY, checked_name, existing, magic, make, mounted, open, read, refuse_unmonitored,
    remove,
};
use super::schemata::Schemata;
use crate::oci::{Error, Result};

/// Where the group of a container is, as a plain value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RdtRecord {
    /// The directory of `resctrl`.
    pub root: PathBuf,
    /// The name of the group; empty for the root itself.
    pub group: String,
    /// Whether the group was made for the container, and ends with it.
    pub made: bool,
    /// Whether others may use the group by its name too.
    pub named: bool,
    /// The name of the container's own monitoring group in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
}

/// A group of `resctrl`, held by a descriptor of its directory.
#[derive(Debug)]
pub struct ResourceGroup {
    record: RdtRecord,
    root: OwnedFd,
    dir: OwnedFd,
    monitor: Option<OwnedFd>,
    /// Not the kernel's, but plain files that stand for it.
    fake: bool,
}

impl ResourceGroup {
    /// Makes the group of a configuration, or finds the one that it names; none if it asks for nothing.
    ///
    /// With `root` that is another directory than the mounted one; one of plain files does for tests.
    ///
    /// # Errors
    /// [`Error::Config`] if nothing is mounted, the group should be there and is not, it is there and says something else, or
    /// the kernel refuses a value; [`Error::Path`].
    ///
    /// # Privileges
    /// Root.
    pub fn create(spec: &Spec, id: &str, root: Option<&Path>) -> Result<Option<Self>> {
        let Some(rdt) = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref()) else {
            return Ok(None);
        };
        let schemata = Schemata::of(rdt)?;
        let (group, named) = match rdt.clos_id().as_deref().filter(|name| !name.is_empty()) {
            Some("/") => (String::new(), true),
            Some(name) => (checked_name("linux.intelRdt.closID", name)?, true),
            None => (checked_name(PROPERTY, id)?, false),
        };
        let at = root.map_or_else(mounted, |root| Ok(root.to_owned()))?;
        let root_dir = open(CWD, &at, &at)?;
        let fake = magic(&root_dir) != Some(MAGIC);
        if fake && root.is_none() {
            return Err(Error::config(PROPERTY, format!("{} is not resctrl", at.display())));
        }
        refuse_unmonitored(rdt, &at)?;
        let pre_configured = named && schemata.is_empty();
        let made = !group.is_empty() && !pre_configured && make(&root_dir, &at, &group)?;
        let record = RdtRecord { root: at, group, made, named, monitor: None };
        let mut created = match Self::with(record, root_dir, fake) {
            Err(Error::Path { errno, .. }) if pre_configured && errno.number() == libc::ENOENT => {
                let name = rdt.clos_id().as_deref().unwrap_or_default();
                let reason =
                    format!("there is no group {name:?}, which has to be there if nothing is said of it");
                return Err(Error::config("linux.intelRdt.closID", reason));
            }
            created => created?,
        };
        match created.configure(&schemata, id, *rdt.enable_monitoring() == Some(true)) {
            Ok(()) => Ok(Some(created)),
            Err(cause) => match created.remove() {
                Ok(()) => Err(cause),
                Err(failed) => Err(Error::LeftBehind { source: Box::new(cause), cleanup: Box::new(failed) }),
            },
        }
    }

    /// Finds it again; none if it is gone.
    ///
    /// # Errors
    /// [`Error::Path`] and [`Error::Config`] for a record that names no group.
    pub fn open(record: &RdtRecord) -> Result<Option<Self>> {
        for name in [Some(&record.group), record.monitor.as_ref()].into_iter().flatten() {
            if !name.is_empty() {
                checked_name(PROPERTY, name)?;
            }
        }
        let gone =
            |error: &Error| matches!(error, Error::Path { errno, .. } if errno.number() == libc::ENOENT);
        let root = match open(CWD, &record.root, &record.root) {
            Err(error) if gone(&error) => return Ok(None),
            root => root?,
        };
        let fake = magic(&root) != Some(MAGIC);
        let mut found = match Self::with(record.clone(), root, fake) {
            Err(error) if gone(&error) => return Ok(None),
            found => found?,
        };
        if let Some(name) = &record.monitor {
            let path = Path::new("mon_groups").join(name);
            match open(&found.dir, &path, &found.path().join(&path)) {
                Err(error) if gone(&error) => {}
                monitor => found.monitor = Some(monitor?),
            }
        }
        Ok(Some(found))
    }

    fn with(record: RdtRecord, root: OwnedFd, fake: bool) -> Result<Self> {
        let name = if record.group.is_empty() { "." } else { record.group.as_str() };
        let dir = open(&root, Path::new(name), &record.root.join(&record.group))?;
        Ok(Self { record, root, dir, monitor: None, fake })
    }

    fn configure(&mut self, schemata: &Schemata, id: &str, monitored: bool) -> Result<()> {
        if !schemata.checked.is_empty() && !self.record.made {
            let there = read(&self.dir, &self.path(), "schemata")?;
            if let Some(line) = schemata.differs_from(&there) {
                let reason =
                    format!("the group {:?} is there already and does not have {line:?}", self.record.group);
                return Err(Error::config("linux.intelRdt.closID", reason));
            }
        } else if !schemata.checked.is_empty() {
            self.write_schemata(&schemata.checked)?;
        }
        if !schemata.last.is_empty() {
            self.write_schemata(&schemata.last)?;
        }
        if monitored {
            let name = checked_name(PROPERTY, id)?;
            let path = Path::new("mon_groups").join(&name);
            let whole = self.path().join(&path);
            mkdirat(&self.dir, &path, Mode::from_raw_mode(0o755))
                .map_err(Error::path("monitoring group", &whole))?;
            self.record.monitor = Some(name);
            self.monitor = Some(open(&self.dir, &path, &whole)?);
        }
        Ok(())
    }

    /// Other lines for the schemata of a container that runs.
    ///
    /// # Errors
    /// [`Error::Config`] with what the kernel refuses.
    ///
    /// # Privileges
    /// Root.
    pub fn update(&self, rdt: &LinuxIntelRdt) -> Result<()> {
        let schemata = Schemata::of(rdt)?;
        for lines in [&schemata.checked, &schemata.last] {
            if !lines.is_empty() {
                self.write_schemata(lines)?;
            }
        }
        Ok(())
    }

    /// Puts a process into the group. What it starts later is in it too.
    ///
    /// # Errors
    /// [`Error::Config`] with what the kernel refuses.
    ///
    /// # Privileges
    /// Root.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.write(&self.dir, "tasks", &pid.to_string())?;
        match &self.monitor {
            Some(monitor) => self.write(monitor, "tasks", &pid.to_string()),
            None => Ok(()),
        }
    }

    /// Removes what was made for the container. A group with a name of its own stays as long as others use it.
    ///
    /// # Errors
    /// [`Error::Path`].
    ///
    /// # Privileges
    /// Root.
    pub fn remove(&mut self) -> Result<()> {
        if let (Some(name), Some(dir)) = (&self.record.monitor, self.monitor.take()) {
            self.tidy(&dir)?;
            let path = Path::new("mon_groups").join(name);
            remove(&self.dir, &path, &self.path().join(&path))?;
        }
        if !self.record.made || (self.record.named && self.is_used()?) {
            return Ok(());
        }
        self.tidy(&self.dir)?;
        if self.fake {
            unlinkat(&self.dir, "mon_groups", AtFlags::REMOVEDIR).unwrap_or(());
        }
        remove(&self.root, Path::new(&self.record.group), &self.path())
    }

    /// What [`open`](Self::open) needs to find it again.
    pub fn record(&self) -> &RdtRecord {
        &self.record
    }

    /// Whether any process is in the group.
    fn is_used(&self) -> Result<bool> {
        Ok(!read(&self.dir, &self.path(), "tasks")?.trim().is_empty())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.record.root.join(&self.record.group)
    }

    /// A file of the group, or of its monitoring group; none if there is none.
    pub(super) fn file(&self, name: &str) -> Result<Option<String>> {
        let monitored = self.monitor.as_ref().filter(|_| name.starts_with("mon_data"));
        existing(monitored.unwrap_or(&self.dir), &self.path(), name)
    }

    /// A file of the root; none if there is none.
    pub(super) fn root_file(&self, name: &str) -> Result<Option<String>> {
        existing(&self.root, &self.record.root, name)
    }

    /// Names in the directory of the data that is monitored.
    pub(super) fn monitored(&self) -> Result<Vec<String>> {
        let path = self.path().join("mon_data");
        let dir =
            match openat(self.monitor.as_ref().unwrap_or(&self.dir), "mon_data", DIRECTORY, Mode::empty()) {
                Err(rustix::io::Errno::NOENT) => return Ok(Vec::new()),
                dir => dir.map_err(Error::path("monitored data", &path))?,
            };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(dir).map_err(Error::path("monitored data", &path))? {
            let entry = entry.map_err(Error::path("monitored data", &path))?;
            names.extend(
                entry.file_name().to_str().ok().filter(|name| !name.starts_with('.')).map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    fn write_schemata(&self, lines: &[String]) -> Result<()> {
        self.write(&self.dir, "schemata", &(lines.join("\n") + "\n"))
    }

    /// Writes by one call. Why something is refused the kernel says in a file.
    fn write(&self, dir: &OwnedFd, name: &str, value: &str) -> Result<()> {
        let mut flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if self.fake {
            flags |= OFlags::CREATE | OFlags::APPEND;
        }
        let file = openat(dir, name, flags, Mode::from_raw_mode(0o644))
            .map_err(Error::path("resource control", self.path().join(name)))?;
        let refused = |why: String| {
            let status = self.root_file("info/last_cmd_status").ok().flatten().unwrap_or_default();
            let status = status.trim();
            let status =
                if status.is_empty() || status == "ok" { String::new() } else { format!(" ({status})") };
            let path = self.path().join(name);
            Error::config(
                PROPERTY,
                format!("write {:?} to {}: {why}{status}", value.trim_end(), path.display()),
            )
        };
        match rustix::io::retry_on_intr(|| rustix::io::write(&file, value.as_bytes())) {
            Ok(written) if written == value.len() => Ok(()),
            Ok(written) => Err(refused(format!("only {written} bytes were taken"))),
            Err(errno) => Err(refused(crate::Errno::new(errno.raw_os_error()).to_string())),
        }
    }

    /// The kernel's directories are removed with their files; plain ones are not.
    fn tidy(&self, dir: &OwnedFd) -> Result<()> {
        for name in ["schemata", "tasks"].into_iter().filter(|_| self.fake) {
            match unlinkat(dir, name, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(Error::path("resource control", self.path().join(name))(errno)),
            }
        }
        Ok(())
    }
}
