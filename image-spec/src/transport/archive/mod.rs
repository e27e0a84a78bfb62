//! Tar archives as places: what is in them is found by name and read in parts.

mod index;
mod spool;
mod write;

pub(crate) use index::{Archive, Content};
pub(crate) use spool::{Spool, limit, rewindable};
pub(crate) use write::ArchiveWriter;
