//! What is stored about containers, for whoever comes later.
//!
//! `ROOT/ID/` is the container `ID`. Who makes the directory has the name. In it are:
//!
//! * `state.json`: the [`Record`], replaced as a whole.
//! * `pieces`: a symbolic link whose text is enough to clean up ([`Pieces`]), should the record be damaged.
//! * `start`: the socket at which the init waits for the start.
//! * `notify`: the directory of the socket for `sd_notify(3)`, if the container has one.
//!
//! The lock is that of the directory itself (`flock(2)`): the kernel releases it when its holder ends, however that happens.

mod entry;
mod identity;
mod record;
pub(super) mod time;

pub(crate) use entry::{Entry, Lock, Root, Staged};
pub(crate) use identity::{Identity, has_ended};
pub(crate) use record::{Pieces, Record};
