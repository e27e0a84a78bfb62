//! What an upper directory changes against the directories below it, as overlayfs would show them; see `overlayfs.rst`
//! of the kernel.
//!
//! Only directories are read: nothing needs to be mounted. While they are in use by a mount or change otherwise, the answer
//! is about no certain moment, and the kernel promises nothing about the upper directory.

mod change;
mod compare;
mod layer;
mod lookup;
mod metadata;
mod trail;
mod walk;

pub use change::{Change, ChangeKind, EntryType};
pub use walk::Changes;
