//! One line of the mount table.

use super::field::{OptionalField, canonical};
use super::option::{MountOption, Options, os};
use crate::MountFlags;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One line of `/proc/PID/mountinfo`; see `proc_pid_mountinfo(5)`.
///
/// It keeps the line as the kernel wrote it; the fields are decoded when they are asked for. Paths are bytes, of any
/// encoding.
///
/// ```
/// use cofferdam_overlay::{MountEntry, OptionalField};
///
/// let line = br"38 31 0:35 / /mnt/with\040space rw,nosuid shared:9 - overlay none rw,lowerdir+=/a,lowerdir+=/b";
/// let entry = MountEntry::parse(line)?;
/// assert_eq!(entry.mount_point().to_str(), Some("/mnt/with space"));
/// assert_eq!(entry.optional_fields().next(), Some(OptionalField::Shared(9)));
/// let lowers = entry.super_options().filter(|option| option.is("lowerdir+"));
/// assert_eq!(lowers.filter_map(|option| option.value).collect::<Vec<_>>(), ["/a", "/b"]);
/// assert_eq!(entry.as_bytes(), line);
/// # Ok::<(), cofferdam_overlay::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MountEntry {
    line: Box<[u8]>,
    id: u32,
    parent: u32,
    device: Device,
    fields: Fields,
}

/// The number of a device, or of a file system that has none: `stat(2)` gives it for the files there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Which driver; 0 for a file system without a device.
    pub major: u32,
    /// Which of the driver's devices.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// Where the fields are in the line.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Fields {
    root: Range<usize>,
    point: Range<usize>,
    options: Range<usize>,
    optional: Range<usize>,
    fs_type: Range<usize>,
    source: Range<usize>,
    super_options: Range<usize>,
}

impl MountEntry {
    /// Reads one line, without its newline.
    ///
    /// # Errors
    ///
    /// [`Error::MountInfo`](crate::Error::MountInfo), as line 1, if it does not have the form of one.
    pub fn parse(line: &[u8]) -> crate::Result<Self> {
        Self::of_line(line).map_err(|fault| crate::Error::mount_info(1, line, fault))
    }

    pub(super) fn of_line(line: &[u8]) -> Result<Self, &'static str> {
        if line.contains(&b'\n') || line.contains(&0) {
            return Err("has a newline or a zero byte");
        }
        let mut words = Words { line, at: Some(0) };
        let id = words.number().ok_or("has no mount id")?;
        let parent = words.number().ok_or("has no id of a parent")?;
        let device = words.device().ok_or("has no device number")?;
        let root = words.filled().ok_or("has no root")?;
        let point = words.filled().ok_or("has no mount point")?;
        let options = words.filled().ok_or("has no mount options")?;
        let start = words.at.ok_or("has no separator")?;
        let optional = loop {
            let word = words.filled().ok_or("has no separator")?;
            if &line[word.clone()] == b"-" {
                break start..word.start.saturating_sub(1).max(start);
            }
        };
        let fs_type = words.filled().ok_or("has no type of a file system")?;
        // The kernel writes an empty source as nothing between two spaces.
        let source = words.next().ok_or("has no source")?;
        // The rest of the line: not every file system escapes what is in its options.
        let super_options = words.at.ok_or("has no options of the file system")?..line.len();
        let fields = Fields { root, point, options, optional, fs_type, source, super_options };
        Ok(Self { line: line.into(), id, parent, device, fields })
    }

    fn field(&self, range: &Range<usize>) -> &[u8] {
        self.line.get(range.clone()).unwrap_or_default()
    }

    /// The number of the mount. It is given to another one after this one is gone; see [`MountId`](crate::MountId) for
    /// one that is not.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The number of the mount that it is on. For the mount at the reader's root one that is not in the table, or its own.
    pub fn parent(&self) -> u32 {
        self.parent
    }

    /// What `stat(2)` says about the files there. (Btrfs has other numbers for its files.)
    pub fn device(&self) -> Device {
        self.device
    }

    /// Which directory or file of the file system is at the mount point, usually `/`. Not always a path: `net:[4026531840]` for a
    /// namespace; `/..` and on for what lies outside of the reader's cgroup namespace.
    pub fn root(&self) -> Cow<'_, Path> {
        path(self.field(&self.fields.root))
    }

    /// Where it is mounted, below the reader's root directory. `//deleted` follows if the directory was removed in another
    /// mount namespace.
    pub fn mount_point(&self) -> Cow<'_, Path> {
        path(self.field(&self.fields.point))
    }

    /// Options of the mount itself: `rw`, `nosuid`, `relatime`, ...
    pub fn options(&self) -> impl Iterator<Item = MountOption> {
        Options::of(self.field(&self.fields.options)).map(MountOption::parse)
    }

    /// Whether an option of the mount itself is set: `has_option("nosuid")`.
    pub fn has_option(&self, name: &str) -> bool {
        Options::of(self.field(&self.fields.options)).any(|option| option == name.as_bytes())
    }

    /// The attributes of the mount itself, as far as they have names; see [`MountEntry::options`] for all of them.
    pub fn flags(&self) -> MountFlags {
        let mut flags = MountFlags::STRICTATIME;
        for option in Options::of(self.field(&self.fields.options)) {
            match option {
                b"ro" => flags |= MountFlags::RDONLY,
                b"nosuid" => flags |= MountFlags::NOSUID,
                b"nodev" => flags |= MountFlags::NODEV,
                b"noexec" => flags |= MountFlags::NOEXEC,
                b"nodiratime" => flags |= MountFlags::NODIRATIME,
                b"nosymfollow" => flags |= MountFlags::NOSYMFOLLOW,
                b"noatime" => flags = flags.difference(MountFlags::ATIME) | MountFlags::NOATIME,
                b"relatime" => flags = flags.difference(MountFlags::ATIME),
                _ => {}
            }
        }
        flags
    }

    /// Whether nothing can be written through it: the mount or its file system is read-only.
    pub fn is_read_only(&self) -> bool {
        let of_fs = Options::of(self.field(&self.fields.super_options)).next();
        self.has_option("ro") || of_fs == Some(b"ro")
    }

    /// How mounts below it are passed on. None of them: it is private.
    pub fn optional_fields(&self) -> impl Iterator<Item = OptionalField> {
        let fields = self.field(&self.fields.optional).split(|byte| *byte == b' ');
        fields.filter(|field| !field.is_empty()).map(OptionalField::parse)
    }

    /// The type of the file system, with a subtype after a dot: `ext4`, `fuse.sshfs`.
    pub fn fs_type(&self) -> Cow<'_, OsStr> {
        os(self.field(&self.fields.fs_type))
    }

    /// What was mounted, as was said then: a device, any word, or nothing.
    pub fn source(&self) -> Cow<'_, OsStr> {
        os(self.field(&self.fields.source))
    }

    /// Options of the file system, the first of them `rw` or `ro`, in the kernel's order. Some repeat, as overlay's `lowerdir+`.
    pub fn super_options(&self) -> impl Iterator<Item = MountOption> {
        Options::of(self.field(&self.fields.super_options)).map(MountOption::parse)
    }

    /// The value of the first option of the file system that has this name and a value.
    pub fn super_option(&self, name: &str) -> Option<std::ffi::OsString> {
        self.super_options().find(|option| option.is(name) && option.value.is_some())?.value
    }

    /// The line as it was read, without its newline.
    pub fn as_bytes(&self) -> &[u8] {
        &self.line
    }
}

impl fmt::Display for MountEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.line).fmt(f)
    }
}

impl fmt::Debug for MountEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MountEntry(\"{}\")", self.line.escape_ascii())
    }
}

fn path(field: &[u8]) -> Cow<'_, Path> {
    match os(field) {
        Cow::Borrowed(text) => Cow::Borrowed(Path::new(text)),
        Cow::Owned(text) => Cow::Owned(PathBuf::from(text)),
    }
}

/// The words of a line, each ended by one space. `at` is where the next one begins.
struct Words<'a> {
    line: &'a [u8],
    at: Option<usize>,
}

impl Words<'_> {
    /// The next word, which may be empty.
    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let space = self.line[start..].iter().position(|byte| *byte == b' ').map(|length| start + length);
        self.at = space.map(|space| space + 1);
        Some(start..space.unwrap_or(self.line.len()))
    }

    fn filled(&mut self) -> Option<Range<usize>> {
        self.next().filter(|word| !word.is_empty())
    }

    fn text(&mut self) -> Option<&str> {
        let word = self.filled()?;
        std::str::from_utf8(&self.line[word]).ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.text().and_then(canonical)
    }

    fn device(&mut self) -> Option<Device> {
        let (major, minor) = self.text()?.split_once(':')?;
        Some(Device { major: canonical(major)?, minor: canonical(minor)? })
    }
}
