//! What fails while an entry is handled; the entry's name is added where it is known.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::Error;

/// Why an entry cannot be taken or made.
#[derive(Debug)]
pub(super) enum Fault {
    Refused(String),
    Call(&'static str, Errno),
    Whole(Error),
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    pub(super) fn limit(what: &'static str, limit: impl TryInto<u64>) -> Self {
        Self::Whole(Error::Limit { what, limit: limit.try_into().unwrap_or(u64::MAX) })
    }

    /// The error about the entry of this name, of which a message needs no more than the beginning.
    pub(super) fn at(self, name: &[u8]) -> Error {
        const MOST: usize = 255;
        let entry = || {
            let mut shown = name[..name.len().min(MOST)].to_vec();
            if name.len() > MOST {
                shown.extend("…".bytes());
            }
            PathBuf::from(OsString::from_vec(shown))
        };
        match self {
            Self::Refused(reason) => Error::Entry { entry: entry(), reason },
            Self::Call(call, errno) => Error::EntryCall { entry: entry(), call, source: errno.into() },
            Self::Whole(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Whole(error)
    }
}

/// Names the system call that failed.
pub(super) trait Call<T> {
    fn call(self, name: &'static str) -> Result<T>;
}

impl<T> Call<T> for rustix::io::Result<T> {
    fn call(self, name: &'static str) -> Result<T> {
        self.map_err(|errno| Fault::Call(name, errno))
    }
}
