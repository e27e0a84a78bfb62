//! What a process can see: Linux namespaces.
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
