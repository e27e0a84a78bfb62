//! The same door into what already runs: a process in the namespaces of another.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use cofferdam_cgroups::Cgroup;

use crate::program::{Program, Wanted, program_methods, run_methods};
use crate::start::Place;
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
    cgroup: Option<&'a Cgroup>,
    pub(crate) program: Program,
}

impl<'a> Exec<'a> {
    /// A command that runs `program` beside the process of a [`Child`] or of any other pidfd.
    pub fn new(process: &'a impl AsFd, program: impl AsRef<OsStr>) -> Self {
        Self { pidfd: process.as_fd(), cgroup: None, program: Program::new(program.as_ref()) }
    }

    /// Runs it under the limits of a program, in the same cgroup. Nothing changes if that has none of its own.
    pub fn limits_of(&mut self, child: &'a Child) -> &mut Self {
        self.cgroup = child.cgroup();
        self
    }

    program_methods!();

    run_methods!();

    /// What would be done, as a value that can be printed and compared. Nothing is done, but the process is looked at.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) before anything happens.
    pub fn plan(&self) -> Result<Plan, Error> {
        Ok(crate::prepare::exec(self, crate::start::INHERIT, self.place()?.shape())?.plan)
    }

    pub(crate) fn pidfd(&self) -> BorrowedFd<'a> {
        self.pidfd
    }

    fn run_to_the_end(&self, streams: crate::start::Streams) -> Result<ExitStatus, Error> {
        let prepare = |shape| crate::prepare::exec(self, streams, shape);
        crate::start::run(&self.program, &crate::Root::Host, self.place()?, prepare)
    }

    fn start(&self, streams: crate::start::Streams, fault: Option<u32>) -> Result<Child, Error> {
        let prepare = |shape| crate::prepare::exec(self, streams, shape);
        crate::start::start(&self.program, &crate::Root::Host, fault, self.place()?, prepare)
    }

    fn place(&self) -> Result<Place<'_>, Error> {
        match self.cgroup {
            Some(_) if self.program.cgroup.is_some() => Err(Error::invalid(
                "cgroup",
                "given",
                "cannot be had together with the limits of another program",
            )),
            Some(cgroup) => Ok(Place::Others(cgroup, cgroup.task_files()?)),
            None => Ok(Place::Callers),
        }
    }
}
