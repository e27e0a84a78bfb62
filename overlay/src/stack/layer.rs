//! A directory that takes part in a union mount, by path or by descriptor.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::errno::rustix as errno_of;
use crate::{Error, Mount, Result};

/// A directory of a [`Stack`](crate::Stack): a path, or an open directory that is shared by the clones of the
/// value.
///
/// A path is opened when the stack is mounted; symbolic links in it are followed. Two layers are equal if they are
/// the same path, or clones of the same descriptor.
///
/// An open directory may be a detached [`Mount`], such as one with mapped ids, since Linux 6.15; before that the
/// mount has to be attached somewhere. It has to be of the caller's mount namespace.
#[derive(Clone)]
pub struct Layer(Form);

#[derive(Clone)]
enum Form {
    Path(PathBuf),
    Descriptor(Arc<OwnedFd>),
}

impl Layer {
    /// The path, unless it is a descriptor.
    pub fn as_path(&self) -> Option<&Path> {
        match &self.0 {
            Form::Path(path) => Some(path),
            Form::Descriptor(_) => None,
        }
    }

    /// The descriptor, unless it is a path.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Form::Path(_) => None,
            Form::Descriptor(fd) => Some(fd.as_fd()),
        }
    }

    /// The open directory.
    pub(super) fn open(&self) -> Result<Arc<OwnedFd>> {
        let path = match &self.0 {
            Form::Path(path) => path,
            Form::Descriptor(fd) => return Ok(Arc::clone(fd)),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map(Arc::new).map_err(|errno| Error::Path {
            what: "open the layer",
            path: path.clone(),
            errno: errno_of(errno),
        })
    }
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Path(a), Form::Path(b)) => a == b,
            (Form::Descriptor(a), Form::Descriptor(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Layer {}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Path(path) => path.display().fmt(f),
            Form::Descriptor(fd) => write!(f, "descriptor {}", fd.as_raw_fd()),
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Path(path) => path.fmt(f),
            Form::Descriptor(fd) => write!(f, "descriptor {}", fd.as_raw_fd()),
        }
    }
}

macro_rules! from_path {
    ($($path:ty),*) => {
        $(impl From<$path> for Layer {
            fn from(path: $path) -> Self {
                Self(Form::Path(path.into()))
            }
        })*
    };
}

from_path!(PathBuf, &PathBuf, &Path, &str, String);

impl From<Arc<OwnedFd>> for Layer {
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Form::Descriptor(fd))
    }
}

impl From<OwnedFd> for Layer {
    fn from(fd: OwnedFd) -> Self {
        Arc::new(fd).into()
    }
}

impl From<Mount> for Layer {
    fn from(mount: Mount) -> Self {
        mount.into_fd().into()
    }
}
