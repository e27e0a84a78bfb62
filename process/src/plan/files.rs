//! Files and directories named by a plan.

use std::path::{Path, PathBuf};

use super::Slot;

/// A path, seen from a directory descriptor or from the init's working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The directory; `None` is the init's own view (`AT_FDCWD`).
    pub dir: Option<Slot>,
    /// The path; empty names the directory itself.
    pub path: PathBuf,
}

impl Location {
    /// A path as the init sees it.
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self { dir: None, path: path.as_ref().to_owned() }
    }

    /// A path below a directory.
    pub fn at(dir: Slot, path: impl AsRef<Path>) -> Self {
        Self { dir: Some(dir), path: path.as_ref().to_owned() }
    }
}

/// How [`Step::Open`](super::Step::Open) opens and resolves (`openat2(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// `O_*` flags; `O_CLOEXEC` is always added.
    pub flags: u64,
    /// Mode of a file that is created, otherwise zero.
    pub mode: u64,
    /// `RESOLVE_*` flags. `EAGAIN` is retried.
    pub resolve: u64,
}

impl Open {
    /// A handle (`O_PATH`) on what the path names, symbolic links resolved inside the directory as if it were
    /// the root, never through procfs magic links.
    pub const PATH_IN_ROOT: Self =
        Self { flags: O_PATH, mode: 0, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    /// A handle on a directory, resolved in the root like [`PATH_IN_ROOT`](Self::PATH_IN_ROOT).
    pub const DIRECTORY_IN_ROOT: Self =
        Self { flags: O_PATH | O_DIRECTORY, mode: 0, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    /// A handle on what the path names for the init, like plain `open(2)`.
    pub const PATH: Self = Self { flags: O_PATH, mode: 0, resolve: 0 };
}

const O_PATH: u64 = libc::O_PATH.unsigned_abs() as u64;
const O_DIRECTORY: u64 = libc::O_DIRECTORY.unsigned_abs() as u64;
const RESOLVE_IN_ROOT: u64 = libc::RESOLVE_IN_ROOT;
const RESOLVE_NO_MAGICLINKS: u64 = libc::RESOLVE_NO_MAGICLINKS;

/// What a mount target must be, and is made as where it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A directory or file, as this descriptor is.
    SameAs(Slot),
}

/// The type of a file, as `stat(2)` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileKind {
    /// The `S_IFMT` bits.
    pub const fn mode(self) -> u32 {
        match self {
            Self::Regular => libc::S_IFREG,
            Self::Directory => libc::S_IFDIR,
            Self::CharacterDevice => libc::S_IFCHR,
            Self::BlockDevice => libc::S_IFBLK,
            Self::Fifo => libc::S_IFIFO,
            Self::Socket => libc::S_IFSOCK,
        }
    }
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// What an inode is verified to be; `None` is not looked at. A mismatch fails with `EXDEV` for another file
/// system, device or inode, and with `EINVAL` for another type or device number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The type of the file.
    pub kind: Option<FileKind>,
    /// The number of a device node.
    pub rdev: Option<Device>,
    /// The magic number of its file system (`statfs(2)`).
    pub filesystem: Option<u64>,
    /// The device that it lies on.
    pub dev: Option<Device>,
    /// Its inode number.
    pub ino: Option<u64>,
    /// The magic number of a file system that it must not lie on; a mismatch is `EXDEV`.
    pub other_filesystem: Option<u64>,
}

/// What a [`Step::If`](super::Step::If) depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Whether a file exists; if it does, it is opened.
    Exists {
        /// Where it would be.
        location: Location,
        /// How it is opened.
        how: Open,
        /// The slot for its descriptor.
        into: Slot,
    },
    /// Whether an open file is a directory.
    IsDirectory(Slot),
}
