//! The files of an image as one tar archive, without anything that says how they are run.

mod read;
mod write;

pub use read::Tarball;
pub use write::TarballWriter;
