//! A set of namespace kinds in one byte.

use crate::{Kind, Result};
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};
use std::str::FromStr;

/// A set of [`Kind`]s.
///
/// `Display` and `FromStr` use names joined by commas, `net,mnt`; the empty set is `none`.
///
/// ```
/// use cofferdam_namespaces::{Kind, Kinds};
/// let kinds = Kind::Net | Kind::Mnt;
/// assert!(kinds.contains(Kind::Net));
/// assert_eq!(kinds.to_string(), "net,mnt");
/// assert_eq!("net,mnt".parse::<Kinds>()?, kinds);
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// The set without a member.
    pub const EMPTY: Self = Self(0);
    /// The set of all eight kinds.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether `kind` is a member.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// This set without `kind`.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !kind.bit())
    }

    /// Adds `kind`; says whether it was missing.
    pub const fn insert(&mut self, kind: Kind) -> bool {
        let missing = !self.contains(kind);
        *self = self.with(kind);
        missing
    }

    /// Whether there is no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of members.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The members in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// All `CLONE_NEW*` flags of the set, for `clone3`, `unshare` or `setns`.
    pub fn flags(self) -> u32 {
        self.iter().fold(0, |flags, kind| flags | kind.flag())
    }
}

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Self {
        Self::EMPTY.with(kind)
    }
}

impl<K: Into<Kinds>> BitOr<K> for Kinds {
    type Output = Self;

    fn bitor(self, other: K) -> Self {
        Self(self.0 | other.into().0)
    }
}

impl<K: Into<Kinds>> BitOr<K> for Kind {
    type Output = Kinds;

    fn bitor(self, other: K) -> Kinds {
        Kinds::from(self) | other
    }
}

impl<K: Into<Kinds>> BitOrAssign<K> for Kinds {
    fn bitor_assign(&mut self, other: K) {
        *self = *self | other;
    }
}

impl BitAnd for Kinds {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Kinds {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl Extend<Kind> for Kinds {
    fn extend<I: IntoIterator<Item = Kind>>(&mut self, kinds: I) {
        *self |= kinds.into_iter().collect::<Self>();
    }
}

impl IntoIterator for Kinds {
    type Item = Kind;
    type IntoIter = std::vec::IntoIter<Kind>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut separator = "";
        for kind in self.iter() {
            write!(f, "{separator}{kind}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromStr for Kinds {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::EMPTY);
        }
        text.split(',').map(Kind::from_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_as_a_set() {
        let mut kinds = Kind::Pid | Kind::Time;
        assert_eq!(kinds.len(), 2);
        assert!(!kinds.insert(Kind::Pid));
        assert!(kinds.insert(Kind::User));
        assert_eq!(kinds.iter().collect::<Vec<_>>(), [Kind::Pid, Kind::User, Kind::Time]);
        assert_eq!(kinds.without(Kind::Pid).into_iter().collect::<Kinds>(), Kind::User | Kind::Time);
        assert_eq!(kinds - Kinds::from(Kind::User), Kind::Pid | Kind::Time);
        assert_eq!(kinds & Kind::User.into(), Kind::User.into());
        assert_eq!(Kind::ALL.into_iter().collect::<Kinds>(), Kinds::ALL);
    }

    #[test]
    fn prints() {
        assert_eq!(Kinds::EMPTY.to_string(), "none");
        assert_eq!(format!("{:?}", Kind::Net | Kind::Mnt), "{Net, Mnt}");
        assert_eq!((Kind::Pid | Kind::Net).flags(), 0x6000_0000);
    }

    #[test]
    fn every_set_round_trips() {
        for bits in 0..=u8::MAX {
            let kinds = Kinds(bits);
            assert_eq!(kinds.to_string().parse::<Kinds>().expect("own text"), kinds);
        }
        assert!("".parse::<Kinds>().is_err());
        assert!("net,,mnt".parse::<Kinds>().is_err());
    }
}
