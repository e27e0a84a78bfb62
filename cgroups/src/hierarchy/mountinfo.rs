//! The table of mounts, as `/proc/PID/mountinfo` has it; see `proc_pid_mountinfo(5)`.

use crate::DeviceNumber;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One line of `/proc/PID/mountinfo`.
///
/// ```
/// use cofferdam_cgroups::MountEntry;
///
/// let line = b"38 31 0:35 / /mnt/with\\040space rw,nosuid shared:9 - cgroup2 none rw,nsdelegate";
/// let entry = MountEntry::parse(line).unwrap();
/// assert_eq!(entry.mount_point.to_str(), Some("/mnt/with space"));
/// assert_eq!(entry.super_options().collect::<Vec<_>>(), ["rw", "nsdelegate"]);
/// assert_eq!(entry.to_bytes(), line);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// The number of the mount.
    pub id: u64,
    /// The number of the mount that it is on.
    pub parent: u64,
    /// What `stat(2)` says about the files there.
    pub device: DeviceNumber,
    /// Which directory of the file system is at the mount point. For a cgroup file system this is relative to the
    /// reader's cgroup namespace, and begins with `/..` for what lies outside of it.
    pub root: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Options of the mount, separated by commas.
    pub options: OsString,
    /// Optional fields, such as `shared:9`.
    pub tags: Vec<OsString>,
    /// The type of the file system.
    pub fs_type: OsString,
    /// What was mounted.
    pub source: OsString,
    /// Options of the file system as the kernel wrote them, escaped; see [`MountEntry::super_options`].
    pub raw_super_options: OsString,
}

impl MountEntry {
    /// Reads one line, without its newline. None if it does not have the form of one.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
        let mut next = || fields.next();
        let (id, parent, device) = (number(next()?)?, number(next()?)?, next()?);
        let device = std::str::from_utf8(device).ok()?.parse().ok()?;
        let (root, mount_point, options) = (next()?, next()?, next()?);
        let mut tags = Vec::new();
        loop {
            match next()? {
                b"-" => break,
                tag => tags.push(unescape(tag)),
            }
        }
        let (fs_type, source) = (next()?, next()?);
        Some(Self {
            id,
            parent,
            device,
            root: unescape(root).into(),
            mount_point: unescape(mount_point).into(),
            options: unescape(options),
            tags,
            fs_type: unescape(fs_type),
            source: unescape(source),
            raw_super_options: OsStr::from_bytes(next().unwrap_or_default()).to_owned(),
        })
    }

    /// Reads a whole table; the second part are the lines that are none.
    pub fn parse_table(table: &[u8]) -> (Vec<Self>, Vec<Vec<u8>>) {
        let mut entries = Vec::new();
        let mut malformed = Vec::new();
        for line in table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Self::parse(line) {
                Some(entry) => entries.push(entry),
                None => malformed.push(line.to_owned()),
            }
        }
        (entries, malformed)
    }

    /// Options of the file system one by one. On cgroup v1 its controllers are among them.
    pub fn super_options(&self) -> impl Iterator<Item = OsString> {
        self.raw_super_options.as_bytes().split(|byte| *byte == b',').map(unescape)
    }

    /// The line, as the kernel writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut line = format!("{} {} {}", self.id, self.parent, self.device).into_bytes();
        let mut push = |field: &OsStr| {
            line.push(b' ');
            escape(field.as_bytes(), &mut line);
        };
        push(self.root.as_os_str());
        push(self.mount_point.as_os_str());
        push(&self.options);
        self.tags.iter().for_each(|tag| push(tag));
        for field in [OsStr::new("-"), &self.fs_type, &self.source] {
            push(field);
        }
        line.push(b' ');
        line.extend_from_slice(self.raw_super_options.as_bytes());
        line
    }

    /// Whether a lookup of its mount point meets another mount of this table, on the way or on top.
    pub fn is_hidden_in(&self, table: &[Self]) -> bool {
        let (mut mount, mut below) = (self, self.id);
        // No mount lies deeper than there are mounts; a table that says otherwise is no tree.
        for _ in 0..=table.len() {
            let covers = |other: &&Self| ![mount.id, below].contains(&other.id) && other.covers(mount);
            if table.iter().any(|other| covers(&other)) {
                return true;
            }
            match table.iter().find(|other| other.id == mount.parent && other.id != mount.id) {
                Some(parent) => (mount, below) = (parent, mount.id),
                None => return false,
            }
        }
        true
    }

    /// Whether this one is mounted on top of the other, or beside it on a directory above its mount point.
    fn covers(&self, other: &Self) -> bool {
        let above = |path: &Path| other.mount_point != path && other.mount_point.starts_with(path);
        (self.parent == other.id && self.mount_point == other.mount_point)
            || (self.parent == other.parent && above(&self.mount_point))
    }
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Replaces `\040` and the like by their byte; anything else after a backslash stays as it is.
pub(super) fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    OsString::from_vec(bytes)
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

fn escape(field: &[u8], line: &mut Vec<u8>) {
    for byte in field {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\\' | b'#') {
            line.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        } else {
            line.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &str) -> Vec<MountEntry> {
        let (entries, malformed) = MountEntry::parse_table(lines.as_bytes());
        assert!(malformed.is_empty(), "{malformed:?}");
        entries
    }

    fn hidden(lines: &str) -> Vec<u64> {
        let table = table(lines);
        table.iter().filter(|entry| entry.is_hidden_in(&table)).map(|entry| entry.id).collect()
    }

    #[test]
    fn octal_escapes_are_bytes() {
        assert_eq!(unescape(b"a\\040b\\134\\011"), "a b\\\t");
        assert_eq!(unescape(b"\\377").as_bytes(), b"\xff");
        assert_eq!(unescape(b"\\777 \\08 \\"), "\\777 \\08 \\");
    }

    #[test]
    fn optional_fields_and_missing_ones() {
        let entry = MountEntry::parse(b"1 2 0:5 / /a rw shared:1 master:2 - cgroup c rw,cpu").unwrap();
        assert_eq!(entry.tags, ["shared:1", "master:2"]);
        assert_eq!(entry.fs_type, "cgroup");
        for line in ["", "1 2", "1 2 0:5 / /a rw", "1 2 0:5 / /a rw - cgroup", "x 2 0:5 / /a rw - t s o"] {
            assert_eq!(MountEntry::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_mount_on_top_hides_and_one_beside_does_not() {
        let below =
            "1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /sys rw - sysfs s rw\n3 2 0:3 / /sys/cg rw - cgroup2 c rw";
        assert_eq!(hidden(below), [0_u64; 0]);
        assert_eq!(hidden(&format!("{below}\n4 3 0:4 / /sys/cg rw - tmpfs t rw")), [3]);
        // Over /sys, which hides it and what is on it; and on a directory above it.
        assert_eq!(hidden(&format!("{below}\n4 2 0:4 / /sys rw - tmpfs t rw")), [2, 3]);
        assert_eq!(hidden(&format!("{below}\n4 1 0:4 / /sy rw - tmpfs t rw")), [0_u64; 0]);
        assert_eq!(
            hidden("5 5 0:1 / / rw - ext4 d rw\n6 7 0:1 / /a rw - t t rw\n7 6 0:1 / /a rw - t t rw"),
            [6, 7]
        );
    }
}
