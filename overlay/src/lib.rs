//! What a process's root is: mounts by descriptor, union mounts, id-mapped mounts, the mount table.
//!
//! * [`Mount`] is a mount by descriptor: cloned from what is there, or made by [`Filesystem`] parameter by parameter. It
//!   is looked into, changed ([`Attributes`]) and attached when it is as it should be; before that nobody else sees it.
//! * [`Stack`] is a union mount as a plan: directories on top of each other. It is checked, mounted in the best form that
//!   the kernel knows ([`Support`], [`Method`]), or turned into [`Parameter`]s that another process carries out.
//! * [`UserNamespace::for_mapping`] makes what [`Mount::map_ids`] needs so that ids appear as others.
//! * [`MountTable`] says what is mounted.
//! * [`make_whiteout`], [`make_opaque`] and [`whiteout_form`] write and read deletions in the layers of a stack.
//!
//! The kernel's words on a mistake are in the [`Error`]. Nothing is logged or printed, and no program is started.
//!
//! # Example
//!
//! ```no_run
//! use cofferdam_overlay::{CWD, Stack};
//!
//! let root = Stack::new().lower("/images/app").lower("/images/base").mount()?;
//! root.attach(CWD, "/run/box/root")?;
//! # Ok::<(), cofferdam_overlay::Error>(())
//! ```
//!
//! # Platform
//!
//! Linux 5.12 or later with `/proc` for all but what says otherwise; union mounts, [`Filesystem`] and clones without
//! changes need 5.2. See `fsopen(2)`, `open_tree(2)`, `mount_setattr(2)`, and the kernel's `overlayfs.rst`.

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
