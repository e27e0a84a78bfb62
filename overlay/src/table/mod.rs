//! The mount table, in both forms in which the kernel gives it.
//!
//! `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`) is there on every kernel, all mounts at once, as text.
//! `listmount(2)` and `statmount(2)` give numbers that are never used again, and one mount at a time; since Linux 6.8.

mod entry;
mod escape;
mod field;
mod id;
mod list;
mod option;
mod read;
mod reply;
mod status;
#[cfg(test)]
mod tests;

pub use entry::{Device, MountEntry};
pub use field::OptionalField;
pub use id::MountId;
pub use list::MountTable;
pub use option::MountOption;
pub use status::{MountStatus, list_mounts, stat_mount};
