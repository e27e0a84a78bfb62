//! What a process's root is: mounts by descriptor, union mounts, id-mapped mounts, the mount table.

#![deny(unsafe_code)]

mod changes;
mod errno;
mod error;
mod mount;
mod stack;
mod sys;
mod table;
mod whiteout;

pub use changes::{Change, ChangeKind, Changes, EntryType};
pub use errno::Errno;
pub use error::{Error, Result};
pub use mount::{
    Attributes, CWD, Filesystem, IdMapping, MappedRange, Mount, MountFlags, Propagation, UserNamespace,
};
pub use stack::{Layer, MAX_LOWERS, Method, Parameter, RedirectDir, Stack, Support, Uuid, Value, Xino};
pub use table::{
    Device, MountEntry, MountId, MountOption, MountStatus, MountTable, OptionalField, list_mounts, stat_mount,
};
pub use whiteout::{
    Opacity, WhiteoutForm, XattrNamespace, make_opaque, make_whiteout, make_xattr_whiteout, opacity,
    whiteout_form,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
