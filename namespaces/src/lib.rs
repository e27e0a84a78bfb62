//! What a process can see: Linux namespaces, as descriptors and plain plans.
//!
//! * [`Namespace`] is an open namespace: verified, comparable, it can be asked for its owner and entered.
//!   It comes from a path, a process, a pidfd, or a descriptor; [`Namespace::bind_to`] keeps it alive
//!   without a process.
//! * [`Set`] is a plan which namespaces are new and which are joined. [`Set::open`] opens them,
//!   [`join_order`] says in which order they can be entered.
//! * [`IdMap`] is a checked map of user or group ids, [`IdMaps`] what a new user namespace gets.
//!   [`IdMaps::plan_for`] decides whether the caller can write them, needs `newuidmap(1)`, or lacks
//!   something, and what.
//! * [`TimeOffsets`] are the clocks of a new time namespace.
//! * [`list`] shows the namespaces of the system, [`UserNamespaces`] the host setting that forbids them,
//!   [`loopback_up`] makes 127.0.0.1 work in a new network namespace.
//!
//! The crate makes no process: namespaces are made by `clone3` or `unshare` of the program that uses it, with
//! [`Kinds::flags`]. It never changes the calling thread but in [`Namespace::enter`], [`join_process`] and
//! [`loopback_up`].
//!
//! # Example
//!
//! Which namespaces would a process share with us, and could we map ids for it?
//!
//! ```
//! use cofferdam_namespaces::{Caller, IdMaps, Kind, Namespace, Set};
//!
//! let plan = Set::new().create(Kind::User | Kind::Mnt | Kind::Pid);
//! plan.validate()?;
//! println!("new: {}, flags for clone3: {:#x}", plan.new_kinds(), plan.new_kinds().flags());
//! for kind in Kind::ALL.into_iter().filter(|kind| !plan.new_kinds().contains(*kind)) {
//!     println!("shared: {}", Namespace::of_current(kind)?);
//! }
//! let caller = Caller::current()?;
//! let maps = IdMaps::rootless(&caller)?;
//! println!("map {} is written this way: {:?}", maps.uid, maps.plan_for(&caller)?);
//! # Ok::<(), cofferdam_namespaces::Error>(())
//! ```
//!
//! # Errors
//!
//! There is one [`Error`]. Each variant is one failed operation with its operands; [`Error::errno`] gives
//! the kernel's number, and the text ends with its name: `write "0 1000 1" to /proc/1234/uid_map: EPERM
//! (Operation not permitted)`.
//!
//! # Platform
//!
//! Linux 5.8 or later with `/proc`; where a function needs more or takes a short cut on a newer kernel, it
//! says so. See `namespaces(7)`, `user_namespaces(7)`, `setns(2)`, `ioctl_nsfs(2)`.
#![deny(unsafe_code)]

mod acquire;
mod caller;
mod errno;
mod error;
mod fault;
mod handle;
mod helpers;
mod idmap;
mod idmaps;
mod idrange;
mod kind;
mod kinds;
mod list;
mod loopback;
mod order;
mod persist;
mod preflight;
mod set;
mod subid;
mod sys;
mod time;
mod user;

pub use caller::{Caller, How};
pub use errno::Errno;
pub use error::{Error, Result};
pub use fault::{Lack, MapFault};
pub use handle::{Identity, Namespace, join_process};
pub use helpers::find_helper;
pub use idmap::IdMap;
pub use idmaps::{IdMaps, Setgroups};
pub use idrange::{IdRange, InsideId, OutsideId};
pub use kind::Kind;
pub use kinds::Kinds;
pub use list::{Listed, Listing, list};
pub use loopback::loopback_up;
pub use order::{Joined, Step, join_order};
pub use persist::{MountPoint, unbind};
pub use preflight::{Diagnosis, UserNamespaces};
pub use set::{Opened, Set, Source};
pub use subid::{SubIdEntry, SubIdRange, SubIds};
pub use time::{Clocks, Offset, TimeOffsets};
pub use user::User;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
