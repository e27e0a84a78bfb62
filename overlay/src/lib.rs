//! What a process's root is: mounts by descriptor, union mounts, id-mapped mounts, the mount table.

#![deny(unsafe_code)]

mod errno;
mod error;
mod mount;
mod sys;

pub use errno::Errno;
pub use error::{Error, Result};
pub use mount::{
    Attributes, CWD, Filesystem, IdMapping, MappedRange, Mount, MountFlags, Propagation, UserNamespace,
};
