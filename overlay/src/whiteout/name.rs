//! Names of entries of a directory, and what went wrong with one.

use crate::errno::rustix as errno;
use crate::{Error, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Checks that this names an entry of a directory, and nothing elsewhere.
pub(crate) fn entry(name: &OsStr) -> Result<&OsStr> {
    let bytes = name.as_bytes();
    let fault = match bytes {
        b"" => "is empty",
        b"." | b".." => "is no entry of its own",
        _ if bytes.contains(&b'/') => "has a slash",
        _ if bytes.contains(&0) => "has a zero byte",
        _ => return Ok(name),
    };
    Err(Error::Invalid { what: "name", value: name.to_string_lossy().into_owned(), reason: fault.to_owned() })
}

/// An entry of a directory, or `.`, the directory.
pub(super) fn entry_or_itself(name: &OsStr) -> Result<&OsStr> {
    if name == "." { Ok(name) } else { entry(name) }
}

/// A call on an entry failed.
pub(crate) fn fault(call: &'static str, name: &OsStr, raw: rustix::io::Errno) -> Error {
    Error::Call { call, on: name.to_string_lossy().into_owned(), errno: errno(raw), log: Vec::new() }
}
