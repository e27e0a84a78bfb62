//! Images kept on disk: an OCI image layout with the unpacked layers beside it.
//!
//! How it is laid out is told at [`Store`].
//!
//! # Several processes
//! Every lock is a `flock(2)`, which ends with its holder. They are taken in this order:
//!
//! 1. the store: shared by all that makes or opens something, while it does so; exclusive by a collection;
//! 2. layers that are to be made, the lowest first: layers of two images that have one in common have all below it in
//!    common, so no two imports wait for each other;
//! 3. the directory of the store, while `index.json` is replaced; who writes to it as a [`Layout`](crate::Layout) does the same.
//!
//! Blobs have no lock. Two processes that need the same one both make it; of a layer the second replaces it with equal
//! content, of a document the first one stays, as it may be locked by now.
//! A [`StoredImage`] holds a shared lock on the blob of its manifest and a [`Container`] one on its directory, so a
//! collection knows what is in use without being kept away by it.
//!
//! # Crashes
//! Documents and blobs are written and synced under `tmp`, then renamed. A layer is renamed when its digest is right, but its
//! files are not synced one by one, which would take longer than unpacking it. Its record has the kernel's id of the boot
//! during which it was made. After another boot it counts only if the record says that it was synced; otherwise it is
//! made again from its blob. [`Store::sync`] syncs the file system and says so in the records. What a killed process
//! left in `tmp` is removed by the next who writes.

mod blobs;
mod compare;
mod container;
mod dir;
mod gc;
mod image;
mod import;
mod layers;
mod lock;
mod making;
mod names;
mod obtain;
mod open;
mod options;
mod remove;
mod scratch;
mod tee;
mod transport;
mod usage;
mod verify;
mod walk;

pub use container::Container;
pub use gc::Collected;
pub use image::{StoredImage, StoredLayer};
pub use open::Store;
pub use options::ImportOptions;
pub use usage::{ImageUsage, Usage};
pub use verify::{Damage, Report, VerifyOptions};
