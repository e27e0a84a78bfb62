//! The attributes of a mount, and changes of them.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Attributes of a mount, in the kernel's bits (`MOUNT_ATTR_*` of `fsmount(2)` and `mount_setattr(2)`).
///
/// Bits without a name here are kept and passed on. `Display` has the words of `mount(8)`: `ro,nosuid,noatime`.
///
/// ```
/// use cofferdam_overlay::MountFlags;
/// assert_eq!((MountFlags::RDONLY | MountFlags::NODEV).to_string(), "ro,nodev");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MountFlags(u64);

impl MountFlags {
    /// Nothing can be written through this mount.
    pub const RDONLY: Self = Self(0x01);
    /// Set-user-id and set-group-id bits and file capabilities count for nothing.
    pub const NOSUID: Self = Self(0x02);
    /// Device files cannot be opened.
    pub const NODEV: Self = Self(0x04);
    /// Nothing can be executed.
    pub const NOEXEC: Self = Self(0x08);
    /// Access times are not kept. Without it and [`STRICTATIME`](Self::STRICTATIME) it is `relatime`, the
    /// kernel's default.
    pub const NOATIME: Self = Self(0x10);
    /// Access times are written at each access.
    pub const STRICTATIME: Self = Self(0x20);
    /// The field that [`NOATIME`](Self::NOATIME) and [`STRICTATIME`](Self::STRICTATIME) are two values of:
    /// clearing it makes a mount `relatime`.
    pub const ATIME: Self = Self(0x70);
    /// Access times of directories are not kept.
    pub const NODIRATIME: Self = Self(0x80);
    /// Symbolic links are not followed (Linux 5.14).
    pub const NOSYMFOLLOW: Self = Self(0x20_0000);

    /// No attribute: writable, `relatime`.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// The attributes with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The kernel's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are in this.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This without those of `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether any bit is in both.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for MountFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for MountFlags {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

const WORDS: [(MountFlags, &str); 8] = [
    (MountFlags::RDONLY, "ro"),
    (MountFlags::NOSUID, "nosuid"),
    (MountFlags::NODEV, "nodev"),
    (MountFlags::NOEXEC, "noexec"),
    (MountFlags::NOATIME, "noatime"),
    (MountFlags::STRICTATIME, "strictatime"),
    (MountFlags::NODIRATIME, "nodiratime"),
    (MountFlags::NOSYMFOLLOW, "nosymfollow"),
];

impl fmt::Display for MountFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = WORDS.iter().filter(|(flag, _)| self.contains(*flag));
        let rest = known.clone().fold(*self, |rest, (flag, _)| rest.difference(*flag));
        let mut words: Vec<String> = known.map(|(_, word)| (*word).to_owned()).collect();
        if !rest.is_empty() {
            words.push(format!("{:#x}", rest.0));
        }
        f.write_str(&words.join(","))
    }
}

impl fmt::Debug for MountFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MountFlags({self})")
    }
}

/// Where mounts and unmounts below a mount are seen too, `mount_namespaces(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// `MS_PRIVATE`: nowhere, and none come from elsewhere.
    Private,
    /// `MS_SLAVE`: they come from elsewhere, and go nowhere.
    Slave,
    /// `MS_SHARED`: both ways.
    Shared,
    /// `MS_UNBINDABLE`: private, and the mount cannot be cloned.
    Unbindable,
}

impl Propagation {
    /// The kernel's `MS_*` bit.
    pub const fn bits(self) -> u64 {
        match self {
            Self::Unbindable => 1 << 17,
            Self::Private => 1 << 18,
            Self::Slave => 1 << 19,
            Self::Shared => 1 << 20,
        }
    }
}

/// A change of a mount's attributes, carried out by [`Mount::change`](crate::Mount::change) as one
/// `mount_setattr(2)`: all of it happens, or nothing.
///
/// ```
/// use cofferdam_overlay::{Attributes, MountFlags, Propagation};
/// let sealed = Attributes::new().set(MountFlags::RDONLY).propagation(Propagation::Private).recursive();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub(super) set: MountFlags,
    pub(super) clear: MountFlags,
    pub(super) propagation: Option<Propagation>,
    pub(super) recursive: bool,
}

impl Attributes {
    /// A change of nothing.
    pub const fn new() -> Self {
        Self { set: MountFlags::empty(), clear: MountFlags::empty(), propagation: None, recursive: false }
    }

    /// Gives the mount these, besides what it has. One way of keeping access times replaces another.
    #[must_use]
    pub const fn set(mut self, flags: MountFlags) -> Self {
        self.set = self.set.union(flags);
        if flags.intersects(MountFlags::ATIME) {
            self.clear = self.clear.union(MountFlags::ATIME);
        }
        self
    }

    /// Takes these from the mount. Clearing any way of keeping access times makes it `relatime`.
    #[must_use]
    pub const fn clear(mut self, flags: MountFlags) -> Self {
        self.clear = self.clear.union(flags);
        if flags.intersects(MountFlags::ATIME) {
            self.clear = self.clear.union(MountFlags::ATIME);
        }
        self
    }

    /// Changes its propagation.
    #[must_use]
    pub const fn propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = Some(propagation);
        self
    }

    /// The same for all mounts below it.
    #[must_use]
    pub const fn recursive(mut self) -> Self {
        self.recursive = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(MountFlags::empty().to_string(), "");
        assert_eq!(
            (MountFlags::NOATIME | MountFlags::from_bits(1 << 40)).to_string(),
            "noatime,0x10000000000"
        );
        assert_eq!(
            MountFlags::from_bits(u64::MAX).difference(MountFlags::from_bits(u64::MAX)).to_string(),
            ""
        );
    }

    #[test]
    fn access_times_are_one_field() {
        let change = Attributes::new().set(MountFlags::NOATIME | MountFlags::NODEV);
        assert_eq!(change.clear, MountFlags::ATIME);
        assert_eq!(Attributes::new().set(MountFlags::NODEV).clear, MountFlags::empty());
        assert_eq!(Attributes::new().clear(MountFlags::NOATIME).clear, MountFlags::ATIME);
    }
}
