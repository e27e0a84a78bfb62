//! The number that a failed system call left, with its kernel name.

use std::fmt;
use std::io;

/// A Linux error number.
///
/// `Display` gives the name and the meaning: `EPERM (Operation not permitted)`. See `errno(3)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

macro_rules! names {
    ($($name:ident),* $(,)?) => {
        const fn name_of(raw: i32) -> Option<&'static str> {
            match raw {
                $(libc::$name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

names! {
    EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC, EBADF, ECHILD, EAGAIN, ENOMEM, EACCES, EFAULT,
    ENOTBLK, EBUSY, EEXIST, EXDEV, ENODEV, ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, ENOTTY, ETXTBSY, EFBIG,
    ENOSPC, ESPIPE, EROFS, EMLINK, EPIPE, EDOM, ERANGE, EDEADLK, ENAMETOOLONG, ENOSYS, ENOTEMPTY, ELOOP,
    EOVERFLOW, EUSERS, EOPNOTSUPP, ESTALE, EDQUOT, ECANCELED, EPROTO, ENODATA, ETIMEDOUT, ENOTSOCK,
}

impl Errno {
    /// The error with this number, as the kernel's headers number it.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number, as `std::io::Error::raw_os_error` would give it.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The kernel's name such as `EPERM`, for the numbers that this crate can meet.
    pub const fn name(self) -> Option<&'static str> {
        name_of(self.0)
    }

    /// The number in a standard error; `EIO` where it carries none.
    pub(crate) fn of(error: &io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// The number that the last failed call of this thread left.
    pub(crate) fn last() -> Self {
        Self::of(&io::Error::last_os_error())
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

/// For the crate's own use of rustix; not a promise about its version.
pub(crate) fn rustix(errno: rustix::io::Errno) -> Errno {
    Errno(errno.raw_os_error())
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let meaning = text.split(" (os error").next().unwrap_or(&text);
        match self.name() {
            Some(name) => write!(f, "{name} ({meaning})"),
            None => write!(f, "errno {} ({meaning})", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_name_and_meaning() {
        assert_eq!(Errno::from_raw(1).to_string(), "EPERM (Operation not permitted)");
        assert_eq!(format!("{:?}", Errno::from_raw(22)), "EINVAL");
        assert_eq!(Errno::from_raw(9999).name(), None);
        assert!(Errno::from_raw(9999).to_string().starts_with("errno 9999"));
    }
}
