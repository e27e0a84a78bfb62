//! What a process's root is: mounts by descriptor, union mounts, id-mapped mounts, the mount table.

#![deny(unsafe_code)]

mod errno;
mod error;

pub use errno::Errno;
pub use error::{Error, Result};
