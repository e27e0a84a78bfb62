//! Layers made of directories: what is in them, and that they are the same each time.

mod bytes;
mod deep;
mod entries;
mod gnu_tar;
mod round;
#[path = "../common/skip.rs"]
mod skip;
mod support;
mod upper;
