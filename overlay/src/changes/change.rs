//! One change.

use rustix::fs::FileType;
use std::fmt;
use std::path::PathBuf;

/// Something that the upper directory changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// Where, relative to the root.
    pub path: PathBuf,
    /// How.
    pub kind: ChangeKind,
    /// What is there now; of a deletion, what was there.
    pub entry: EntryType,
}

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// There was nothing of this name.
    Added,
    /// What was there is replaced: a file by one with other content, anything by something of another type, and a directory by one that
    /// has nothing of it. What was in a directory that is replaced is gone without an item of its own; what is in the new one is added.
    Modified,
    /// The name is gone, and if it was a directory, all that was in it.
    Deleted,
    /// The content is the same, but not the mode, the owner, the time of modification or an extended attribute. For a directory
    /// this says nothing about what is in it: each change there has its own item, and gives the directory another time.
    MetadataOnly,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::MetadataOnly => "metadata only",
        })
    }
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntryType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A fifo.
    Fifo,
    /// A socket.
    Socket,
    /// Something that is none of these.
    Unknown,
}

impl EntryType {
    pub(super) fn of(mode: u32) -> Self {
        match FileType::from_raw_mode(mode) {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            FileType::CharacterDevice => Self::CharacterDevice,
            FileType::BlockDevice => Self::BlockDevice,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            FileType::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symbolic link",
            Self::CharacterDevice => "character device",
            Self::BlockDevice => "block device",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Unknown => "unknown",
        })
    }
}
