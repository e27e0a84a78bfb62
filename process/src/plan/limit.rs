//! Resource limits by the kernel's names (`setrlimit(2)`).

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A resource that `setrlimit(2)` limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource(u32);

/// The names, indexed by number as on x86_64 and aarch64.
const NAMES: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

impl Resource {
    /// CPU time in seconds.
    pub const CPU: Self = Self(0);
    /// Size of a file that is written, in bytes.
    pub const FSIZE: Self = Self(1);
    /// The data segment, in bytes.
    pub const DATA: Self = Self(2);
    /// The stack, in bytes.
    pub const STACK: Self = Self(3);
    /// A core dump, in bytes.
    pub const CORE: Self = Self(4);
    /// Processes and threads of the user.
    pub const NPROC: Self = Self(6);
    /// One more than the highest descriptor number.
    pub const NOFILE: Self = Self(7);
    /// Locked memory, in bytes.
    pub const MEMLOCK: Self = Self(8);
    /// Address space, in bytes.
    pub const AS: Self = Self(9);

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl FromStr for Resource {
    type Err = Error;

    /// Accepts `nofile`, `NOFILE` and `RLIMIT_NOFILE`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);
        let found = NAMES.iter().position(|known| *known == name);
        found.and_then(|index| u32::try_from(index).ok()).map(Self).ok_or_else(|| Error::Invalid {
            what: "resource limit",
            value: text.to_owned(),
            reason: "is not a resource that Linux limits",
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = usize::try_from(self.0).ok().and_then(|index| NAMES.get(index));
        write!(f, "RLIMIT_{}", name.unwrap_or(&"?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_c_library() {
        assert_eq!(Resource::NOFILE.number(), libc::RLIMIT_NOFILE);
        assert_eq!("rlimit_nproc".parse::<Resource>().unwrap().number(), libc::RLIMIT_NPROC);
        assert_eq!("RTTIME".parse::<Resource>().unwrap().number(), libc::RLIMIT_RTTIME);
        assert_eq!(Resource::AS.to_string(), "RLIMIT_AS");
        assert!("files".parse::<Resource>().is_err());
    }
}
