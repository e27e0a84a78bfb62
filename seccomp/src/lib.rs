//! Seccomp profiles compiled to BPF in pure Rust, with user notification.
//!
//! * [`Profile`] says which calls a process may make: a default [`Action`], and [`Rule`]s for calls by name, with
//!   [`Condition`]s on their arguments. [`Profile::default_for`] is one for containers; with the feature `oci`
//!   `Profile::from_oci` reads one from the configuration of a container.
//! * [`Filter`] is what the kernel takes: [`Profile::compile`] makes it, for any [`Architecture`] on any other.
//!   [`Filter::explain`] tells it in words, and [`Filter::decide`] what it makes of a call. [`install`] installs it for this thread; who starts other processes gives
//!   [`Filter::to_bytes`] to `seccomp(2)` there.
//! * [`Listener`] is where calls arrive that a filter leaves to be decided ([`Action::Notify`]). A [`Handler`] decides:
//!   [`Listener::serve`] asks it until no process has the filter any more.
//!
//! Nothing is kept between calls, and nothing but [`install`], [`set_no_new_privs`] and the listener's methods asks the
//! kernel for anything.
//!
//! # Example
//!
//! What a filter does, without installing it:
//!
//! ```
//! use cofferdam_seccomp::{Action, Comparison, Condition, Profile};
//!
//! let profile = Profile::new(Action::Errno(1))
//!     .rule(Action::Allow, ["read", "write", "exit_group", "no_such_call"])
//!     .rule_if(Action::Allow, ["ioctl"], [Condition::new(1, Comparison::Eq(0x5401))]);
//! assert_eq!(profile.unknown_names(), ["no_such_call"]);
//! let filter = profile.compile()?;
//! assert!(!filter.notifies() && filter.flags() == 0);
//! assert_eq!(filter.to_bytes().len(), 8 * filter.len());
//! # Ok::<(), cofferdam_seccomp::Error>(())
//! ```

mod architecture;
mod compile;
mod decide;
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

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
