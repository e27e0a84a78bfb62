//! Mounts, in the words of the file descriptor based mount API (`mount_setattr(2)`, `fsopen(2)`).

use std::ffi::OsString;
use std::ops::{BitOr, BitOrAssign};
use std::path::{Path, PathBuf};

use super::{Location, Slot, TargetKind};

/// A mount: made or cloned, given its attributes, and attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where the mount comes from.
    pub source: Source,
    /// What is set on it before anyone can see it.
    pub attributes: Attributes,
    /// Where it is attached; `None` leaves it detached, for `into`.
    pub target: Option<Target>,
    /// Keeps the mount's descriptor.
    pub into: Option<Slot>,
}

/// Where a mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A new instance of a file system (`fsopen`, `fsconfig`, `fsmount`).
    New {
        /// The type: `proc`, `tmpfs`, ...
        filesystem: OsString,
        /// Its parameters, in order.
        options: Vec<MountOption>,
    },
    /// A copy of an existing mount (`open_tree` with `OPEN_TREE_CLONE`): a bind mount. Inside a new mount
    /// namespace the location must be a path there; the kernel refuses descriptors from outside.
    Tree {
        /// What is copied.
        from: Location,
        /// With all mounts below it.
        recursive: bool,
    },
    /// A detached mount that the caller or an earlier step made.
    Detached(Slot),
}

/// One parameter of a new file system (`fsconfig(2)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountOption {
    /// A parameter without a value.
    Flag(OsString),
    /// A key and its value.
    Value(OsString, OsString),
    /// A key whose value is a descriptor.
    Descriptor(OsString, Slot),
}

/// Attributes of a mount: the `MOUNT_ATTR_*` bits, propagation and id map of `mount_setattr(2)` (5.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Set these.
    pub set: MountFlags,
    /// Clear these.
    pub clear: MountFlags,
    /// On all mounts of the tree, not only its top.
    pub recursive: bool,
    /// Changes how mount events spread.
    pub propagation: Option<Propagation>,
    /// Maps ids by this user namespace (`MOUNT_ATTR_IDMAP`).
    pub idmap: Option<Slot>,
}

impl Attributes {
    /// Only sets flags, on the top mount.
    pub fn set(flags: MountFlags) -> Self {
        Self { set: flags, ..Self::default() }
    }

    /// Sets flags on the whole tree.
    pub fn set_recursive(flags: MountFlags) -> Self {
        Self { set: flags, recursive: true, ..Self::default() }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self { recursive: self.recursive, ..Self::default() }
    }
}

/// `MOUNT_ATTR_*` bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountFlags(u64);

impl MountFlags {
    /// Read-only.
    pub const RDONLY: Self = Self(0x01);
    /// Set-user-id bits and file capabilities have no effect.
    pub const NOSUID: Self = Self(0x02);
    /// Device nodes cannot be opened.
    pub const NODEV: Self = Self(0x04);
    /// Programs cannot be executed.
    pub const NOEXEC: Self = Self(0x08);
    /// Access times are not updated.
    pub const NOATIME: Self = Self(0x10);
    /// Access times are always updated.
    pub const STRICTATIME: Self = Self(0x20);
    /// Access times of directories are not updated.
    pub const NODIRATIME: Self = Self(0x80);
    /// Symbolic links are not followed (5.14).
    pub const NOSYMFOLLOW: Self = Self(0x0020_0000);

    /// No flag.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// The kernel's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Any bits, known here or not.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for MountFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for MountFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// How mount events spread between copies of a mount (`mount_namespaces(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// From the original to the copy.
    Slave,
    /// Both ways.
    Shared,
    /// Not at all, and cannot be bind mounted.
    Unbindable,
}

/// Where a mount is attached: a path below a root, resolved inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The root; `None` is the init's own root.
    pub root: Option<Slot>,
    /// The path; symbolic links never lead out of the root.
    pub path: PathBuf,
    /// What to make where the target is missing; `None` demands that it exists.
    pub make: Option<TargetKind>,
    /// The root is a file system that an earlier step has made, and nobody else can have put a link there: the
    /// path is used as it is.
    pub fresh: bool,
}

impl Mount {
    /// A new instance of a file system, without parameters.
    pub fn new(filesystem: impl Into<OsString>) -> Self {
        Self::of(Source::New { filesystem: filesystem.into(), options: Vec::new() })
    }

    /// A copy of what is at a location.
    pub fn bind(from: Location, recursive: bool) -> Self {
        Self::of(Source::Tree { from, recursive })
    }

    /// A mount that exists already, detached.
    pub fn detached(mount: Slot) -> Self {
        Self::of(Source::Detached(mount))
    }

    fn of(source: Source) -> Self {
        Self { source, attributes: Attributes::default(), target: None, into: None }
    }

    /// Adds a parameter with a value; no effect but on new instances.
    #[must_use]
    pub fn option(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        if let Source::New { options, .. } = &mut self.source {
            options.push(MountOption::Value(key.into(), value.into()));
        }
        self
    }

    /// Sets attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Attaches it at a path below a root, which must exist or is made as `make` says.
    #[must_use]
    pub fn target(mut self, root: Option<Slot>, path: impl AsRef<Path>, make: Option<TargetKind>) -> Self {
        self.target = Some(Target { root, path: path.as_ref().to_owned(), make, fresh: false });
        self
    }

    /// Attaches it at a path of a file system that an earlier step has made; the path must exist there.
    #[must_use]
    pub fn target_in_fresh(mut self, root: Slot, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        self.target = Some(Target { root: Some(root), path, make: None, fresh: true });
        self
    }

    /// Keeps its descriptor in a slot.
    #[must_use]
    pub fn into_slot(mut self, slot: Slot) -> Self {
        self.into = Some(slot);
        self
    }
}
