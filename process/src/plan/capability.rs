//! Capabilities by the kernel's names.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The names of all capabilities up to Linux 6.18, indexed by number.
pub const CAPABILITY_NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// One capability, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

impl Capability {
    /// `CAP_SYS_ADMIN`.
    pub const SYS_ADMIN: Self = Self(21);

    /// The capability with this number, 0 to 63.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 64 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for Capability {
    type Err = Error;

    /// Accepts the kernel's name in any case, with or without `CAP_`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let found = CAPABILITY_NAMES.iter().position(|known| known.strip_prefix("CAP_") == Some(name));
        found.and_then(|index| u8::try_from(index).ok()).map(Self).ok_or_else(|| Error::Invalid {
            what: "capability",
            value: text.to_owned(),
            reason: "is not a capability that Linux has",
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CAPABILITY_NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "CAP_{}", self.0),
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// None.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Every capability, known here or not.
    pub const fn all() -> Self {
        Self(!0)
    }

    /// The bits, capability 0 lowest.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A set by its bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether the capability is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 >> capability.0 & 1 == 1
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability.0)
    }

    /// The set with one less.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability.0))
    }

    /// The capabilities in the set, by number.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        (0..64).map(Capability).filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        iter.into_iter().fold(Self::empty(), Self::with)
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapabilitySet({self})")
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        if self.0.count_ones() > 32 {
            return write!(f, "all{}", Excluded(!self.0));
        }
        let names: Vec<String> = self.iter().map(|capability| capability.to_string()).collect();
        f.write_str(&names.join(" "))
    }
}

/// The known capabilities that a nearly full set lacks.
struct Excluded(u64);

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = CapabilitySet(self.0 & ((1 << CAPABILITY_NAMES.len()) - 1));
        for (index, capability) in known.iter().enumerate() {
            write!(f, "{}{capability}", if index == 0 { " but " } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_in_any_case_and_printed_as_the_kernel_does() {
        for (index, name) in CAPABILITY_NAMES.iter().enumerate() {
            let parsed: Capability = name.to_lowercase().trim_start_matches("cap_").parse().unwrap();
            assert_eq!(usize::from(parsed.number()), index);
            assert_eq!(parsed.to_string(), *name);
        }
        assert!("CAP_NOTHING".parse::<Capability>().is_err());
    }

    #[test]
    fn nearly_full_sets_name_what_they_lack() {
        assert_eq!(CapabilitySet::all().without(Capability::SYS_ADMIN).to_string(), "all but CAP_SYS_ADMIN");
        assert_eq!(CapabilitySet::empty().to_string(), "none");
        assert_eq!(CapabilitySet::empty().with(Capability::SYS_ADMIN).to_string(), "CAP_SYS_ADMIN");
    }
}
