//! The whole table, and what is looked for in it.

use super::entry::MountEntry;
use crate::{Error, Result};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// All mounts that a process can see, in the kernel's order.
///
/// ```
/// use cofferdam_overlay::MountTable;
///
/// let table = MountTable::read()?;
/// let proc = table.at("/proc").expect("procfs is mounted");
/// println!("{} is {} {}", proc.mount_point().display(), proc.fs_type().display(), proc.id());
/// # Ok::<(), cofferdam_overlay::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MountTable {
    entries: Vec<MountEntry>,
    /// Where in `entries` the children of a mount are.
    children: HashMap<u32, Vec<usize>>,
    by_id: HashMap<u32, usize>,
}

impl MountTable {
    /// Reads the bytes of a file such as `/proc/PID/mountinfo`.
    ///
    /// # Errors
    ///
    /// [`Error::MountInfo`] with the number of the first line that does not have the form of one, or that is cut off.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut table = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let number = table.entries.len() + 1;
            let end = rest.iter().position(|byte| *byte == b'\n');
            let end = end.ok_or_else(|| Error::mount_info(number, rest, "has no newline at its end"))?;
            let (line, tail) = (&rest[..end], &rest[end + 1..]);
            let entry = MountEntry::of_line(line).map_err(|fault| Error::mount_info(number, line, fault))?;
            table.push(entry);
            rest = tail;
        }
        Ok(table)
    }

    fn push(&mut self, entry: MountEntry) {
        let at = self.entries.len();
        self.by_id.entry(entry.id()).or_insert(at);
        // The root of all mounts is its own parent.
        if entry.parent() != entry.id() {
            self.children.entry(entry.parent()).or_default().push(at);
        }
        self.entries.push(entry);
    }

    /// All mounts, in the kernel's order.
    pub fn iter(&self) -> std::slice::Iter<'_, MountEntry> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The mount with this number.
    pub fn get(&self, id: u32) -> Option<&MountEntry> {
        self.by_id.get(&id).and_then(|at| self.entries.get(*at))
    }

    /// The mounts that are on a mount, in the table's order: on its directories, and on its root.
    pub fn children(&self, id: u32) -> impl DoubleEndedIterator<Item = &MountEntry> {
        self.children.get(&id).into_iter().flatten().filter_map(|at| self.entries.get(*at))
    }

    /// The mounts that are on none of this table: the reader's root, or what is below it if that is no mount.
    pub fn roots(&self) -> impl Iterator<Item = &MountEntry> {
        let is_root =
            |entry: &&MountEntry| entry.parent() == entry.id() || self.get(entry.parent()).is_none();
        self.entries.iter().filter(is_root)
    }

    /// The mount that a lookup of this mount point meets: the topmost of those mounted there. None if it is not a mount point, or if
    /// all that are there are hidden by mounts on directories above.
    ///
    /// The path is taken as it is: absolute, below the reader's root, without symbolic links, `.` and `..`.
    pub fn at(&self, mount_point: impl AsRef<Path>) -> Option<&MountEntry> {
        let mount_point = mount_point.as_ref();
        self.containing(mount_point).filter(|entry| entry.mount_point() == mount_point)
    }

    /// The mount on which a lookup of this path ends, as far as the table tells. See [`MountTable::at`] on the path;
    /// [`MountTable::of`] asks the kernel.
    pub fn containing(&self, path: impl AsRef<Path>) -> Option<&MountEntry> {
        let path = path.as_ref();
        let mut here = nearest(self.roots(), path)?;
        // No mount lies deeper than there are mounts; a table that says otherwise is no tree.
        for _ in 0..self.entries.len() {
            match nearest(self.children(here.id()), path) {
                Some(next) => here = next,
                None => break,
            }
        }
        Some(here)
    }

    /// The bytes that [`MountTable::parse`] made this of.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            bytes.extend_from_slice(entry.as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }
}

/// Of mounts beside each other that which a lookup meets first: on the way to what is below, it never gets there. One on the root of
/// its parent is met before all.
fn nearest<'a>(mounts: impl Iterator<Item = &'a MountEntry>, path: &Path) -> Option<&'a MountEntry> {
    mounts.filter(|entry| path.starts_with(entry.mount_point())).min_by_key(|entry| {
        let point = entry.mount_point();
        point.components().count()
    })
}

impl PartialEq for MountTable {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for MountTable {}

impl fmt::Debug for MountTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

impl<'a> IntoIterator for &'a MountTable {
    type Item = &'a MountEntry;
    type IntoIter = std::slice::Iter<'a, MountEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
