//! Start isolated processes from your own program: in new namespaces, with a root, limits and credentials of their own, as
//! root or as an ordinary user.
//!
//! [`Command`] reads like `std::process::Command`, and is safe without settings:
//!
//! ```
//! use std::time::Duration;
//!
//! use cofferdam::{Command, Resource};
//!
//! let output = Command::new("sh")
//!     .args(["-c", "echo process $$ of user $(id -u) on $(hostname); touch /etc/x || echo read-only"])
//!     .hostname("box")
//!     .env("LANG", "C")
//!     .tmpfs("/srv", Some(16 << 20))
//!     .rlimit(Resource::NOFILE, 64, 64)
//!     .timeout(Duration::from_secs(10))
//!     .output()?;
//!
//! assert_eq!(output.stdout, b"process 1 of user 0 on box\nread-only\n");
//! assert!(output.status.success());
//! # Ok::<(), cofferdam::Error>(())
//! ```
//!
//! * [`Command::plan`] shows what would be done, without doing it.
//! * [`Exec`] starts a process inside the namespaces of a running one.
//! * [`Child`] is held by a pidfd: it can be waited for with a time limit, polled and signalled without races.
//!
//! # How it works
//!
//! The options become a [`Plan`], a plain value. The crate `cofferdam-process` carries it out: a small sealed init, a
//! program of its own, does all of it in the new process, by file descriptors and without privileges that it does not need.
//! Nothing of the calling program runs there, so any thread of any program can start one at any time, however much memory
//! the program has. Its working directory, umask, signal mask, environment and descriptors are never touched.
//!
//! # What is not isolated
//!
//! The kernel is shared. Without a cgroup nothing limits memory and processor time but the [limits](Command::rlimit) of
//! single processes. The host's files can be read as far as the caller may read them, unless
//! [another root](Command::root) is given.
//!
//! # Requirements
//!
//! Linux 5.14 on x86_64 (aarch64 is unverified). Ordinary users need a host that lets them make user namespaces; an error
//! names the setting that forbids it.
#![forbid(unsafe_code)]

mod cgroup;
mod child;
mod command;
mod enclosure;
mod environment;
mod error;
mod exec;
mod explain;
mod held;
#[cfg(feature = "image")]
mod images;
mod limit;
#[cfg(feature = "oci")]
pub mod oci;
mod own;
mod prepare;
mod program;
mod root;
mod start;
mod stdio;
mod streams;
mod sysctl;
mod target;
mod template;
#[cfg(feature = "tokio")]
pub mod tokio;
mod undo;
mod union;

pub use cofferdam_cgroups as cgroups;
#[cfg(feature = "image")]
pub use cofferdam_image_spec as image;
pub use cofferdam_namespaces as namespaces;
pub use cofferdam_overlay as overlay;
pub use cofferdam_process as process;
#[cfg(feature = "oci")]
pub use cofferdam_seccomp as seccomp;

pub use cgroup::{LimitPolicy, remove_stale_cgroups};
pub use child::Child;
pub use cofferdam_namespaces::{IdMap, IdRange, InsideId, Kind, Namespace, OutsideId};
pub use cofferdam_process::{
    Capabilities, Capability, CapabilitySet, ChildStderr, ChildStdin, ChildStdout, ClockOffset, Errno,
    ExitStatus, Namespaces, Output, Plan, Resource,
};
pub use command::Command;
pub use error::Error;
pub use exec::Exec;
pub use root::{Changes, Root, StackRoot};
pub use stdio::Stdio;

#[cfg(feature = "oci")]
use cofferdam_process::Test;
use cofferdam_process::{
    Argument, Attributes, Credentials, Device, Expected, FileKind, Location, Mount, MountFlags, MountOption,
    Open, Propagation, RawCall, Slot, Source, Stdio as PlanStdio, Step, TargetKind,
};

/// The capabilities that a program has as user 0 unless told otherwise, and that no other program there can ever exceed:
/// `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `FSETID`, `KILL`, `SETGID`, `SETUID`, `SETPCAP`, `NET_BIND_SERVICE`, `NET_RAW`,
/// `SYS_CHROOT`, `MKNOD`, `AUDIT_WRITE` and `SETFCAP`, as with most container engines.
pub const DEFAULT_CAPABILITIES: CapabilitySet = CapabilitySet::from_bits(0xa804_25fb);

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
