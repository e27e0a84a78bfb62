//! Seccomp profiles compiled to BPF in pure Rust, with user notification.
//!
//! * [`Profile`] says which calls a process may make. [`Profile::default_for`] is a profile for containers; with the
//!   feature `oci` one comes from the configuration of a container.
//! * [`Filter`] is what the kernel takes: [`Profile::compile`] makes it, for any architecture on any other.

mod architecture;
mod compile;
mod error;
mod explain;
mod filter;
mod install;
mod notify;
mod profile;
mod sys;
mod syscalls;

pub use architecture::Architecture;
pub use error::{Error, Result};
pub use filter::{Filter, Instruction};
pub use install::{install, set_no_new_privs};
pub use notify::{Handler, Listener, Notification, Response};
pub use profile::{Action, Comparison, Condition, Flags, Profile, Rule};
