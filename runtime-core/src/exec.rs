//! The same door into what already runs: a process in the namespaces of another.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use crate::program::{Program, Wanted, program_methods, run_methods};
use crate::stdio::Stdio;
use crate::{Capabilities, CapabilitySet, Child, Error, ExitStatus, Output, Plan, Resource};

/// A program that will run in the namespaces of a running process: all of those that are not the caller's.
///
/// It is user 0 there unless told otherwise, has the [usual capabilities](crate::DEFAULT_CAPABILITIES) as far as the
/// process may have them, cannot gain privileges, and starts in the root of the process's mount namespace. Its cgroup is
/// the caller's unless [`cgroup`](Self::cgroup) says otherwise. It is a child of the caller.
///
/// # Privileges
/// Those that `setns(2)` asks for: `CAP_SYS_ADMIN` in the user namespace of the process, which the user has who made it.
///
/// ```
/// use cofferdam::{Command, Exec};
///
/// let mut child = Command::new("sleep").arg("60").hostname("box").kill_on_drop(true).spawn()?;
/// let output = Exec::new(&child, "hostname").output()?;
/// assert_eq!(output.stdout, b"box\n");
/// child.kill()?;
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Exec<'a> {
    pidfd: BorrowedFd<'a>,
    pub(crate) program: Program,
}

impl<'a> Exec<'a> {
    /// A command that runs `program` beside the process of a [`Child`] or of any other pidfd.
    pub fn new(process: &'a impl AsFd, program: impl AsRef<OsStr>) -> Self {
        Self { pidfd: process.as_fd(), program: Program::new(program.as_ref()) }
    }

    program_methods!();

    run_methods!();

    /// What would be done, as a value that can be printed and compared. Nothing is done, but the process is looked at.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) before anything happens.
    pub fn plan(&self) -> Result<Plan, Error> {
        Ok(crate::prepare::exec(self, crate::start::INHERIT)?.plan)
    }

    pub(crate) fn pidfd(&self) -> BorrowedFd<'a> {
        self.pidfd
    }

    fn run_to_the_end(&self, streams: crate::start::Streams) -> Result<ExitStatus, Error> {
        crate::start::run(&self.program, &crate::Root::Host, || crate::prepare::exec(self, streams))
    }

    fn start(&self, streams: crate::start::Streams, fault: Option<u32>) -> Result<Child, Error> {
        crate::start::start(&self.program, &crate::Root::Host, fault, || crate::prepare::exec(self, streams))
    }
}
