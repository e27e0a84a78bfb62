//! Extended attributes of entries of a directory, links among them.
//!
//! The calls take a path or a descriptor that is open for reading, which a link, a device or a directory without rights
//! cannot give. So the path is that of the directory's descriptor in procfs and the name, and the last part of it is not
//! followed.

use super::name::fault;
use crate::Result;
use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

/// More than the kernel's limits, `XATTR_SIZE_MAX` and `XATTR_LIST_MAX`.
const MOST: usize = 64 * 1024;
/// Enough for overlay's own and those of security modules.
const USUAL: usize = 256;

fn path(dir: BorrowedFd<'_>, name: &OsStr) -> OsString {
    let mut path = match dir.as_raw_fd() {
        libc::AT_FDCWD => OsString::new(),
        fd => OsString::from(format!("/proc/thread-self/fd/{fd}/")),
    };
    path.push(name);
    path
}

/// Asks with more room until it fits. None if there is nothing, or cannot be.
fn read(mut ask: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Option<Vec<u8>>> {
    for room in [USUAL, MOST] {
        let mut buffer = vec![0; room];
        match ask(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            Err(Errno::RANGE) => {}
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Err(Errno::TOOBIG)
}

/// The value of an attribute. None if there is none, or the file system has no attributes of this kind.
pub(crate) fn get(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    attribute: impl AsRef<OsStr>,
) -> Result<Option<Vec<u8>>> {
    let (path, attribute) = (path(dir, name), attribute.as_ref());
    read(|buffer| lgetxattr(&path, attribute, buffer)).map_err(|raw| fault("lgetxattr", name, raw))
}

/// The names of all attributes that the caller may see.
pub(crate) fn names(dir: BorrowedFd<'_>, name: &OsStr) -> Result<Vec<OsString>> {
    let path = path(dir, name);
    let list = read(|buffer| llistxattr(&path, buffer)).map_err(|raw| fault("llistxattr", name, raw))?;
    let list = list.unwrap_or_default();
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| OsString::from_vec(name.to_owned())).collect())
}

pub(crate) fn set(dir: BorrowedFd<'_>, name: &OsStr, attribute: &str, value: &[u8]) -> Result<()> {
    lsetxattr(path(dir, name), attribute, value, XattrFlags::empty())
        .map_err(|raw| fault("lsetxattr", name, raw))
}
