//! The first door: a command that reads like `std::process::Command` and runs isolated.

mod filesystem;
mod isolation;
mod limits;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use std::os::fd::OwnedFd;

use crate::cgroup::{Enclosed, Limits};
use crate::enclosure::Enclosure;
use crate::program::{Program, Wanted, program_methods, run_methods};
use crate::start::Place;
use crate::stdio::Stdio;
use crate::{Capabilities, CapabilitySet, Child, Error, ExitStatus, Output, Plan, Resource};

/// A program that will run isolated.
///
/// It reads like `std::process::Command`, and it is safe without settings. Unless told otherwise, the program
///
/// * is process 1 of its own pid namespace, and all other namespaces are new too; the network has no more than a
///   loopback device;
/// * is user 0 inside. For an ordinary caller that is the caller itself on the host; for root it is root;
/// * sees the host's files read-only, without set-user-id bits and device nodes, and its own `/proc`, `/sys`,
///   `/dev`, `/tmp` and `/run`;
/// * has the [few capabilities](crate::DEFAULT_CAPABILITIES) that container programs usually have, and cannot
///   gain privileges;
/// * starts in a new session, in the directory `/`, with umask 022, an environment of `PATH` and `TERM`, and no
///   descriptors but the standard streams.
///
/// A command can be started any number of times, from any thread. Everything about it is checked before anything
/// happens; [`plan`](Self::plan) shows what would be done.
///
/// # Requirements
///
/// Linux 5.14. Root, or a host on which ordinary users may make user namespaces.
///
/// ```
/// use cofferdam::Command;
///
/// let output = Command::new("sh").args(["-c", "echo $$ $(hostname)"]).hostname("box").output()?;
/// assert_eq!(output.stdout, b"1 box\n");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Command {
    pub(crate) program: Program,
    pub(crate) enclosure: Enclosure,
    pub(crate) limits: Limits,
}

impl Command {
    /// A command that runs `program`: a path inside the root if it contains a slash, otherwise a name looked up in
    /// the `PATH` of its environment, in its root.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: Program::new(program.as_ref()),
            enclosure: Enclosure::default(),
            limits: Limits::default(),
        }
    }

    program_methods!();

    run_methods!();

    /// What would be done, as a value that can be printed and compared. Nothing is done: the host's paths are looked
    /// at, and who the caller is.
    ///
    /// [`Plan::explain`] gives a line for each action.
    ///
    /// ```
    /// # use cofferdam::Command;
    /// let plan = Command::new("true").hostname("box").plan()?;
    /// assert!(plan.explain().contains("set hostname box\n"));
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Path`], [`Error::NoMountPoint`]; [`Error::Namespace`] for maps that the caller
    /// may not write.
    pub fn plan(&self) -> Result<Plan, Error> {
        crate::prepare::check_limits(self)?;
        let shape = Enclosed::foresee(&self.limits)?;
        Ok(crate::prepare::command(self, crate::start::INHERIT, shape)?.plan)
    }

    fn start(&self, streams: crate::start::Streams, fault: Option<u32>) -> Result<Child, Error> {
        let place = self.place()?;
        crate::start::start(&self.program, &self.enclosure.root, fault, place, |shape| {
            crate::prepare::command(self, streams, shape)
        })
    }

    fn run_to_the_end(&self, streams: crate::start::Streams) -> Result<ExitStatus, Error> {
        let place = self.place()?;
        let prepare = |shape| crate::prepare::command(self, streams, shape);
        crate::start::run(&self.program, &self.enclosure.root, place, prepare)
    }

    /// The cgroup for the limits, once everything else about them is right.
    fn place(&self) -> Result<Place<'static>, Error> {
        crate::prepare::check_limits(self)?;
        Ok(Enclosed::establish(&self.limits)?.map_or(Place::Callers, Place::New))
    }

    /// Starts the program with one operation of the init failing, to test that nothing is left behind.
    #[doc(hidden)]
    pub fn spawn_with_fault(&mut self, operation: u32) -> Result<Child, Error> {
        self.start(crate::start::INHERIT, Some(operation))
    }
}
