//! What can be done with a device node.

use std::fmt;
use std::str::FromStr;

/// A set of the three kinds of access to a device: `r`, `w` and `m`.
///
/// ```
/// use cofferdam_cgroups::Access;
///
/// let access: Access = "wr".parse()?;
/// assert_eq!(access, Access::READ.or(Access::WRITE));
/// assert_eq!(access.or(Access::MKNOD).to_string(), "rwm");
/// assert!("rwx".parse::<Access>().is_err());
/// # Ok::<(), cofferdam_cgroups::AccessFault>(())
/// ```
// The bits are those of `BPF_DEVCG_ACC_*`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// `m`: make a node of the device, by `mknod(2)`.
    pub const MKNOD: Self = Self(1);
    /// `r`: open a node for reading.
    pub const READ: Self = Self(2);
    /// `w`: open a node for writing.
    pub const WRITE: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    const LETTERS: [(Self, char); 3] = [(Self::READ, 'r'), (Self::WRITE, 'w'), (Self::MKNOD, 'm')];

    /// What is in one or the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of another set is in this one.
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As a context of the kernel has them.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

/// The letters, in the kernel's order; nothing for none.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (access, letter) in Self::LETTERS {
            if self.contains(access) {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({self})")
    }
}

/// A text is no set of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a composition of r, w and m")]
pub struct AccessFault;

/// At least one letter, in any order, each at most once.
impl FromStr for Access {
    type Err = AccessFault;

    fn from_str(text: &str) -> Result<Self, AccessFault> {
        let mut set = Self::EMPTY;
        for letter in text.chars() {
            let (access, _) =
                Self::LETTERS.into_iter().find(|(_, known)| *known == letter).ok_or(AccessFault)?;
            if set.contains(access) {
                return Err(AccessFault);
            }
            set = set.or(access);
        }
        if set.is_empty() { Err(AccessFault) } else { Ok(set) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_in_any_order_and_printed_in_the_kernels() {
        assert_eq!("mwr".parse(), Ok(Access::ALL));
        assert_eq!(Access::ALL.to_string(), "rwm");
        assert_eq!(Access::MKNOD.or(Access::READ).to_string(), "rm");
        for text in ["", "x", "rr", "r w", "RW"] {
            assert_eq!(text.parse::<Access>(), Err(AccessFault), "{text:?}");
        }
    }

    #[test]
    fn sets_behave_like_sets() {
        let rw = Access::READ.or(Access::WRITE);
        assert!(rw.contains(Access::READ) && rw.contains(Access::EMPTY) && !rw.contains(Access::ALL));
        assert_eq!(Access::ALL.minus(rw), Access::MKNOD);
        assert!(rw.and(Access::MKNOD).is_empty());
    }
}
