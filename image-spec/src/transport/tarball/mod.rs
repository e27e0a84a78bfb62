//! The files of an image as one tar archive, without anything that says how they are run.

mod read;

pub use read::Tarball;
