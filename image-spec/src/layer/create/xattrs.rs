//! Extended attributes of an inode: those that go into a layer, and what overlay notes in its own.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{fgetxattr, flistxattr, lgetxattr, llistxattr};
use rustix::io::{Errno, Result};

/// An inode whose attributes are read.
pub(super) enum Inode<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// What cannot be opened for it, such as a link, by a path through `/proc/self/fd`.
    At(CString),
}

impl Inode<'_> {
    /// A name in a directory.
    pub(super) fn at(dir: BorrowedFd<'_>, name: &CStr) -> Self {
        let dir = format!("/proc/self/fd/{}/", dir.as_raw_fd());
        Self::At(CString::new([dir.as_bytes(), name.to_bytes()].concat()).unwrap_or_default())
    }

    fn list(&self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Open(fd) => flistxattr(fd, buffer),
            Self::At(path) => llistxattr(path, buffer),
        }
    }

    fn get(&self, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Open(fd) => fgetxattr(fd, name, buffer),
            Self::At(path) => lgetxattr(path, name, buffer),
        }
    }
}

/// What overlay notes on an inode of an upper directory (kernel, Documentation/filesystems/overlayfs.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Nothing of this directory's lower ones is seen.
    pub(super) opaque: bool,
    /// Among this directory's files are whiteouts that an attribute marks, since Linux 6.7.
    pub(super) whiteouts_inside: bool,
    /// The content is in a lower file.
    pub(super) metacopy: bool,
    /// What is below it is found under another name in lower directories.
    pub(super) redirect: bool,
    /// Such a whiteout.
    pub(super) whiteout: bool,
}

impl Marks {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    fn note(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"opaque" => {
                self.opaque |= value == b"y";
                self.whiteouts_inside |= value == b"x";
            }
            b"metacopy" => self.metacopy = true,
            b"redirect" => self.redirect = true,
            b"whiteout" => self.whiteout = true,
            // `origin`, `impure`, `nlink` and others are hints of one overlay only.
            _ => {}
        }
    }
}

/// The attributes of an inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Xattrs {
    pub(super) kept: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) marks: Marks,
}

/// Reads those that a layer can carry to another host: `user.*`, `trusted.*`, access control lists and the capabilities
/// of a file. Labels and signatures belong to the host they are on.
pub(super) fn read(inode: &Inode<'_>) -> Result<Xattrs> {
    let mut found = Xattrs::default();
    for name in names(inode)?.split_inclusive(|&byte| byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        let text = name.to_bytes();
        let overlay = text.strip_prefix(b"trusted.overlay.").or_else(|| text.strip_prefix(b"user.overlay."));
        let carried = [&b"user."[..], b"trusted.", ACCESS_LIST, CAPABILITY];
        if !carried.iter().any(|prefix| text.starts_with(prefix)) {
            continue;
        }
        let Some(value) = value(inode, name)? else { continue };
        match overlay {
            Some(mark) => found.marks.note(mark, &value),
            None => found.kept.push((text.to_vec(), value)),
        }
    }
    Ok(found)
}

/// Whether a file is a whiteout by attribute.
pub(super) fn is_whiteout(inode: &Inode<'_>) -> Result<bool> {
    Ok(read(inode)?.marks.whiteout)
}

pub(super) const CAPABILITY: &[u8] = b"security.capability";
/// `system.posix_acl_access` and `system.posix_acl_default`.
pub(super) const ACCESS_LIST: &[u8] = b"system.posix_acl_";

/// File capabilities as they are in a container whose root is the one they are bound to: the form of version 2, without
/// an id of the host. `None` if they are not bound to an id, or to one that `to_container` does not make root.
pub(super) fn unbound(value: &[u8], to_container: impl Fn(u32) -> Option<u32>) -> Option<Vec<u8>> {
    let (head, rest) = value.split_first_chunk::<4>()?;
    let (sets, root) = rest.split_last_chunk::<4>()?;
    let magic = u32::from_le_bytes(*head);
    if magic & REVISION != REVISION_3
        || sets.len() != 16
        || to_container(u32::from_le_bytes(*root)) != Some(0)
    {
        return None;
    }
    Some([&(magic & !REVISION | REVISION_2).to_le_bytes(), sets].concat())
}

/// `VFS_CAP_REVISION_*` of linux/capability.h.
const REVISION: u32 = 0xff00_0000;
const REVISION_2: u32 = 0x0200_0000;
const REVISION_3: u32 = 0x0300_0000;

fn names(inode: &Inode<'_>) -> Result<Vec<u8>> {
    let mut buffer = [0; 1024];
    match inode.list(&mut buffer) {
        Ok(count) => Ok(buffer[..count].to_vec()),
        Err(Errno::RANGE) => {
            // XATTR_LIST_MAX
            let mut buffer = vec![0; 1 << 16];
            let count = inode.list(&mut buffer)?;
            buffer.truncate(count);
            Ok(buffer)
        }
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}

/// `None` if it was removed since it was listed.
fn value(inode: &Inode<'_>, name: &CStr) -> Result<Option<Vec<u8>>> {
    let mut buffer = [0; 256];
    match inode.get(name, &mut buffer) {
        Ok(count) => Ok(Some(buffer[..count].to_vec())),
        Err(Errno::RANGE) => {
            // XATTR_SIZE_MAX
            let mut buffer = vec![0; 1 << 16];
            let count = inode.get(name, &mut buffer)?;
            buffer.truncate(count);
            Ok(Some(buffer))
        }
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_bound_to_the_root_of_the_container_are_unbound() {
        let sets = [7_u8; 16];
        let third = [&0x0300_0001_u32.to_le_bytes()[..], &sets, &1000_u32.to_le_bytes()].concat();
        let second = [&0x0200_0001_u32.to_le_bytes()[..], &sets].concat();
        assert_eq!(unbound(&third, |id| Some(id - 1000)), Some(second.clone()));
        assert_eq!(unbound(&third, Some), None);
        assert_eq!(unbound(&second, |_| Some(0)), None);
        assert_eq!(unbound(&[], |_| Some(0)), None);
        assert_eq!(unbound(&third[..23], |_| Some(0)), None);
    }

    #[test]
    fn marks_are_those_of_the_kernels_documentation() {
        let mut marks = Marks::default();
        for name in [&b"origin"[..], b"impure", b"nlink", b"overlay.opaque"] {
            marks.note(name, b"y");
        }
        assert!(!marks.any());
        marks.note(b"opaque", b"n");
        assert!(!marks.any());
        marks.note(b"opaque", b"x");
        assert!(marks.whiteouts_inside && !marks.opaque);
        marks.note(b"opaque", b"y");
        assert!(marks.opaque);
    }
}
