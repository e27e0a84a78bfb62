//! What a process may use: Linux control groups, on version 1, version 2 and hosts with both.
//!
//! * [`Hierarchies`] is what is mounted, checked to be what the mount table says. It knows where each [`Controller`]
//!   is, or why it is nowhere ([`Unavailable`]), and where this process may make cgroups:
//!   [`Hierarchies::delegated`], [`Hierarchies::base`], [`Hierarchies::nest`].
//! * [`Cgroup`] is one cgroup, held by descriptors of its directories: on v2 one, on v1 one for each hierarchy. It is
//!   made, opened, filled, frozen, killed, removed and delegated; [`Cgroup::fd`] is for a child that is born in it.
//! * [`Resources`] is a plan of [`Setting`]s, the same ones for both versions, each of which must be had or may be left
//!   out ([`Require`]). [`Cgroup::apply`] and [`Cgroup::create_with`] carry it out as a whole, or change nothing; the
//!   [`Outcome`] has what was written and what was left out, with the reason. [`Cgroup::settings`] reads them back.
//! * [`DeviceRules`] say which device nodes may be used: lists on v1, an eBPF program on v2.
//! * [`Statistics`] are what was used, with one meaning on both versions. A [`StatisticsReader`] reads them again and
//!   again by descriptors that stay open.
//! * [`Watch`] waits for what happens: processes killed for want of memory, refused forks, pressure, the end.
//!
//! With the feature `oci` a plan comes from `linux.resources` of the OCI runtime-spec, with `cgroups-rs` from the
//! `Resources` of that crate, and with `tokio` events are futures.
//!
//! The crate makes no process, and changes nothing but the cgroups that it is told to. Nothing is cached beyond the
//! value that a caller holds: [`Hierarchies`] are what was mounted when they were made.
//!
//! # Example
//!
//! What is there, and what would be written? This needs no privilege.
//!
//! ```
//! use cofferdam_cgroups::{Bytes, Controller, Cpu, Hierarchies, Limit, Memory, Resources, Setting};
//!
//! let plan = Resources::new()
//!     .must(Memory::max(Bytes::mib(64)))
//!     .must(Setting::Pids(Limit::Value(32)))
//!     .if_available(Cpu::cpus(0.5));
//! plan.validate()?;
//! for (setting, require) in plan.entries() {
//!     println!("{setting} ({require:?})");
//! }
//! match Hierarchies::discover() {
//!     Ok(hierarchies) => {
//!         for controller in plan.controllers().iter() {
//!             match hierarchies.hierarchy_of(controller) {
//!                 Ok(at) => println!("{controller}: {} at {}", at.version(), at.mount_point().display()),
//!                 Err(reason) => println!("{controller}: {reason}"),
//!             }
//!         }
//!     }
//!     Err(error) => println!("{error}"),
//! }
//! # Ok::<(), cofferdam_cgroups::Error>(())
//! ```
//!
//! A program under these limits, which takes root or a delegated cgroup:
//!
//! ```no_run
//! # use cofferdam_cgroups::{Hierarchies, Resources};
//! # let plan = Resources::new();
//! use std::time::Duration;
//!
//! let (job, outcome) = Hierarchies::discover()?.base()?.create_with("job", &plan)?;
//! for left_out in outcome.left_out() {
//!     println!("without {}: {}", left_out.setting, left_out.reason);
//! }
//! let child = std::process::Command::new("sleep").arg("1").spawn().expect("a program");
//! job.add(child.id())?;
//! println!("{:?}", job.statistics()?.memory);
//! job.kill(Duration::from_secs(5))?;
//! job.remove(Duration::from_secs(5))?;
//! # Ok::<(), cofferdam_cgroups::Error>(())
//! ```
//!
//! # Errors
//!
//! There is one [`Error`]. Each variant is one failed operation with its operands; [`Error::errno`] gives the kernel's
//! number, and the text ends with its name: `write "60000" to /sys/fs/cgroup/job/cpuset.cpus: ERANGE (Numerical result
//! out of range)`. Whether a cgroup was removed meanwhile is asked by [`Cgroup::exists`]; [`Error::is_gone`] says that this may
//! be the reason.
//!
//! # Privileges
//!
//! Root, or an owner: an ordinary user can make cgroups and set limits where a cgroup was delegated, which
//! [`Hierarchies::delegated`] finds. Limits of the delegated cgroup itself stay out of the user's reach. Looking needs
//! no privilege.
//!
//! # Platform
//!
//! Linux 5.14 or later with `/proc`; where a function needs more, it says so. Threaded cgroups of v2 are not supported.
//! See `cgroups(7)`, and cgroup-v2 and cgroup-v1 of the kernel's documentation.
#![deny(unsafe_code)]

mod cgroup;
mod controller;
mod convert;
mod current;
mod devices;
mod dir;
mod errno;
mod error;
#[cfg(any(feature = "oci", feature = "cgroups-rs"))]
mod foreign;
mod hierarchy;
mod path;
mod resources;
mod setting;
mod stats;
#[allow(unsafe_code)]
mod sys;
mod value;
mod version;
mod watch;

pub use cgroup::{Cgroup, EnableFault, FreezerState, MoveFault, Placed};
pub use controller::{Controller, Controllers};
pub use convert::{
    blkio_weight_from_io, io_weight_from_blkio, shares_from_weight, swap_from_sum, weight_from_shares,
};
pub use devices::{
    Access, AccessFault, DeviceKind, DeviceProgramFault, DeviceRule, DeviceRuleFault, DeviceRules,
    DeviceRulesFault, DeviceState,
};
pub use errno::Errno;
pub use error::{Error, Result};
pub use hierarchy::{
    Delegation, Hierarchies, Hierarchy, Membership, Mode, MountEntry, SkipReason, Skipped, Unavailable,
};
pub use path::{CgroupPath, PathFault};
pub use resources::{Applied, LeftOut, Outcome, Require, Resources, Written};
pub use setting::{
    ControlFile, Cpu, CpuSet, HugeTlb, Io, List, ListFault, Memory, Misc, NetCls, NetPrio, Partition, Rate,
    Rdma, Setting, Unified,
};
pub use stats::{
    CgroupStatistics, CpuSetStatistics, CpuStatistics, HugeTlbStatistics, IoStatistics, KernelMemory,
    MemoryEvents, MemoryStat, MemoryStatistics, MiscStatistics, PidsStatistics, PressureStatistics,
    Pressures, RdmaStatistics, Section, Sections, Share, Stall, Statistics, StatisticsReader, SwapStatistics,
};
pub use value::{Bytes, BytesFault, DeviceNumber, DeviceNumberFault, Limit};
pub use version::Version;
#[cfg(feature = "tokio")]
pub use watch::AsyncWatch;
pub use watch::{
    Count, Event, MemoryLevel, Pressure, PressureKind, PressureResource, Scope, Watch, WatchOptions,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
