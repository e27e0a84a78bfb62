//! Which namespaces, and the offsets of a time namespace.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of namespace kinds, in the kernel's `CLONE_NEW*` bits (`namespaces(7)`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Namespaces(u32);

impl Namespaces {
    /// Time: the boot and monotonic clocks (Linux 5.6).
    pub const TIME: Self = Self(0x0000_0080);
    /// Mounts.
    pub const MNT: Self = Self(0x0002_0000);
    /// The view of the cgroup hierarchy.
    pub const CGROUP: Self = Self(0x0200_0000);
    /// Host and domain name.
    pub const UTS: Self = Self(0x0400_0000);
    /// System V IPC and POSIX message queues.
    pub const IPC: Self = Self(0x0800_0000);
    /// User and group ids, capabilities.
    pub const USER: Self = Self(0x1000_0000);
    /// Process ids.
    pub const PID: Self = Self(0x2000_0000);
    /// Network devices, addresses, ports.
    pub const NET: Self = Self(0x4000_0000);

    const NAMED: [(Self, &'static str); 8] = [
        (Self::USER, "user"),
        (Self::PID, "pid"),
        (Self::MNT, "mnt"),
        (Self::NET, "net"),
        (Self::IPC, "ipc"),
        (Self::UTS, "uts"),
        (Self::CGROUP, "cgroup"),
        (Self::TIME, "time"),
    ];

    /// No namespace.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// All eight kinds.
    pub fn all() -> Self {
        Self::NAMED.iter().fold(Self::empty(), |all, (kind, _)| all | *kind)
    }

    /// Whether all kinds of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This set without the kinds of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The kernel's flag word.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set for a flag word; bits that name no namespace are dropped.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & Self::all().0)
    }
}

impl BitOr for Namespaces {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Namespaces {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (kind, name) in Self::NAMED {
            if self.contains(kind) {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespaces({self})")
    }
}

/// How far a clock of a time namespace is from the host's (`time_namespaces(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    /// Seconds; may be negative.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999, added to the seconds.
    pub nanoseconds: u32,
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seconds, self.nanoseconds)
    }
}
