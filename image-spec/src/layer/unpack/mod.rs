//! One layer, or many, to a directory.

mod archive;
mod attributes;
mod beneath;
mod chain;
mod extract;
mod fault;
mod input;
mod make;
mod name;
mod notes;
mod parents;
mod pax;
mod pending;
mod plan;
mod remove;
mod staging;
mod stream;
mod tree;
mod visit;
mod whiteout;

pub(crate) use visit::{Said, visit};

pub use pending::{Pending, Redirects, Settled};
pub use plan::{Devices, FileCapabilities, Form, OverlayXattrs, Skipped, Unpack, Unpacked};
