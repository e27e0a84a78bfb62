//! Directories and files of `resctrl`, and where it is.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use cofferdam_cgroups::MountEntry;
use oci_spec::runtime::LinuxIntelRdt;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};

use crate::oci::{Error, Result};

pub(super) const PROPERTY: &str = "linux.intelRdt";
/// `RDTGROUP_SUPER_MAGIC` of `linux/magic.h`.
pub(super) const MAGIC: u64 = 0x0765_5821;
pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// A name of a group, and none of the directories that every group has.
pub(super) fn checked_name(property: &str, name: &str) -> Result<String> {
    let reserved = [".", "..", "info", "mon_groups", "mon_data"].contains(&name);
    if name.is_empty() || name.len() > 255 || reserved || name.contains(['/', '\n', '\0']) {
        return Err(Error::config(property, format!("{name:?} is no name of a group of resctrl")));
    }
    Ok(name.to_owned())
}

/// Where it is mounted.
pub(super) fn mounted() -> Result<PathBuf> {
    let table = "/proc/thread-self/mountinfo";
    let failed = |error: std::io::Error| Error::Path {
        what: "mount table",
        path: table.into(),
        errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    let (entries, _) = MountEntry::parse_table(&std::fs::read(table).map_err(failed)?);
    let found = entries.into_iter().find(|entry| entry.fs_type == "resctrl");
    found
        .map(|entry| entry.mount_point)
        .ok_or_else(|| Error::config(PROPERTY, "no resctrl file system is mounted"))
}

/// Monitoring that the machine does not have.
pub(super) fn refuse_unmonitored(rdt: &LinuxIntelRdt, root: &Path) -> Result<()> {
    let asked = [
        ("enableCMT", rdt.enable_cmt(), "llc_occupancy"),
        ("enableMBM", rdt.enable_mbm(), "mbm_total_bytes"),
        ("enableMonitoring", rdt.enable_monitoring(), ""),
    ];
    for (name, wanted, feature) in asked {
        if *wanted != Some(true) {
            continue;
        }
        let features = std::fs::read_to_string(root.join("info/L3_MON/mon_features")).unwrap_or_default();
        if features.trim().is_empty() || !features.contains(feature) {
            return Err(Error::config(format!("{PROPERTY}.{name}"), "this machine cannot monitor it"));
        }
    }
    Ok(())
}

pub(super) fn open(at: impl std::os::fd::AsFd, path: &Path, whole: &Path) -> Result<OwnedFd> {
    openat(at, path, DIRECTORY, Mode::empty()).map_err(Error::path("resource control", whole))
}

/// Whether it had to be made.
pub(super) fn make(root: &OwnedFd, at: &Path, group: &str) -> Result<bool> {
    match mkdirat(root, group, Mode::from_raw_mode(0o755)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::path("resource control", at.join(group))(errno)),
    }
}

pub(super) fn remove(at: &OwnedFd, path: &Path, whole: &Path) -> Result<()> {
    match unlinkat(at, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::path("resource control", whole)(errno)),
    }
}

pub(super) fn magic(dir: &OwnedFd) -> Option<u64> {
    u64::try_from(rustix::fs::fstatfs(dir).ok()?.f_type).ok()
}

/// The content of a file; empty if there is none.
pub(super) fn read(dir: &OwnedFd, path: &Path, name: &str) -> Result<String> {
    Ok(existing(dir, path, name)?.unwrap_or_default())
}

pub(super) fn existing(dir: &OwnedFd, path: &Path, name: &str) -> Result<Option<String>> {
    use std::io::Read;
    let failed = Error::path("resource control", path.join(name));
    let file = match openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
        Ok(file) => file,
    };
    let mut text = String::new();
    match std::fs::File::from(file).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(failed(rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))),
    }
}
