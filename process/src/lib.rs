//! Start an isolated Linux process from any program, threaded or not: fast, and without running a line of the
//! caller's code in the new process.
//!
//! A [`Plan`] says what is to be done, as a plain value that can be printed, compared and tested without
//! privileges. [`Plan::spawn`] carries it out:
//!
//! 1. The plan becomes a flat program of system calls and a table of descriptors.
//! 2. `clone3(2)` with `CLONE_VM` makes the process on a stack of its own, all signals blocked. No page table is
//!    copied, so the size of the caller does not matter, and the few instructions that run there touch neither
//!    lock nor allocator nor libc.
//! 3. It executes the *sealed init*: a static program of a few kilobytes, part of this crate, in a memory file
//!    that nobody can change. The init is not dumpable, carries out the program step by step, reports a
//!    failure as (step, errno), and finally becomes the program of the plan.
//!
//! The caller's working directory, umask, signal mask, environment, dumpable flag and descriptors are never
//! touched.
//!
//! ```
//! use cofferdam_process::{Plan, Stdio};
//!
//! let mut plan = Plan::new("echo");
//! plan.args.push("hello".into());
//! plan.stdout = Stdio::Pipe;
//! let output = plan.spawn(&[])?.wait_with_output()?;
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok::<(), cofferdam_process::Error>(())
//! ```
//!
//! # Set up now, started later
//!
//! A container is created first and started later, often by another process. [`Plan::hold`] makes the init wait when
//! everything is set up: for its caller, or at a listening socket, where it does not need its creator any more.
//!
//! ```
//! use std::os::fd::AsFd;
//!
//! use cofferdam_process::{Hold, Plan, Process, Remaining, Rendezvous, Spawner, Step, resume};
//! use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
//!
//! /// Nobody is met in this plan.
//! struct Nobody;
//! impl Rendezvous for Nobody {}
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let socket = || socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
//! let address = SocketAddrUnix::new(directory.path().join("start"))?;
//! let listener = socket()?;
//! bind(&listener, &address)?;
//! listen(&listener, 8)?;
//!
//! let mut plan = Plan::new("true");
//! plan.hold = Some(Hold::Listener(plan.input("start socket")));
//! plan.find_program = true;
//! plan.last = vec![Step::NoNewPrivileges];
//! let (mut child, remaining) = Spawner::new(&plan, &[listener.as_fd()]).hold()?.detach();
//! let written_down = remaining.to_text();
//!
//! // From here on, perhaps in another process.
//! let connection = socket()?;
//! connect(&connection, &address)?;
//! let process = Process { pid: child.id(), pidfd: child.pidfd() };
//! resume(connection, process, &Remaining::from_text(&written_down)?, &mut Nobody)?;
//! assert!(child.wait()?.success());
//! # Ok(())
//! # }
//! ```
//!
//! # Requirements
//!
//! Linux 5.14 or later on x86_64 (aarch64 is written but unverified). What needs a privilege says so at the
//! step; in a new user namespace the process has all privileges over what it owns.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod child;
mod encode;
mod errno;
mod error;
#[allow(dead_code, reason = "the init is built from the same files; here they are under test")]
mod init;
mod plan;
mod spawn;
mod stdio;
mod sys;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use std::process::{ExitStatus, Output};

pub use child::Child;
pub use errno::Errno;
pub use error::Error;
pub use plan::{
    Argument, Attributes, CAPABILITY_NAMES, Capabilities, Capability, CapabilitySet, ClockOffset,
    Credentials, Device, Expected, Field, FileKind, Hold, Location, Mount, MountFlags, MountOption,
    Namespaces, Open, Plan, Propagation, RawCall, Resource, Slot, Source, Stdio, Step, Target, TargetKind,
    Test,
};
pub use spawn::{BoxError, Held, Process, Remaining, Rendezvous, Spawner, resume};
pub use stdio::{ChildStderr, ChildStdin, ChildStdout};
