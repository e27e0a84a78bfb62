//! An errno that prints with its name.

use std::fmt;
use std::io;

/// An error number of the kernel, printed as `EPERM (Operation not permitted)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The error with this number.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// What the standard library calls it.
    pub fn kind(self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.0).kind()
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = nix::errno::Errno::from_raw(self.0);
        if name == nix::errno::Errno::UnknownErrno {
            return write!(f, "errno {}", self.0);
        }
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let meaning = text.split(" (os error").next().unwrap_or_default();
        write!(f, "{name:?} ({meaning})")
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_name_and_meaning() {
        assert_eq!(Errno::new(libc::EPERM).to_string(), "EPERM (Operation not permitted)");
        assert_eq!(Errno::new(9999).to_string(), "errno 9999");
    }
}
