//! From a plan to a running process.

mod control;
mod conversation;
mod held;
mod image;
mod launch;
mod remaining;
mod rendezvous;
mod streams;
pub(crate) mod wait;

use std::os::fd::BorrowedFd;

pub use held::{Held, resume};
pub use remaining::Remaining;
pub use rendezvous::{BoxError, Process, Rendezvous};

use crate::{Child, Error, ExitStatus, Plan, Stdio};

/// A plan about to be spawned, with what belongs to this one time.
#[allow(missing_debug_implementations, reason = "holds a trait object of the caller")]
pub struct Spawner<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) inputs: &'a [BorrowedFd<'a>],
    pub(crate) rendezvous: Option<&'a mut dyn Rendezvous>,
    pub(crate) fault: Option<u32>,
    pub(crate) to_the_end: bool,
}

impl<'a> Spawner<'a> {
    /// A plan and the descriptors for its inputs, in the order of the [`Plan::input`] calls.
    pub fn new(plan: &'a Plan, inputs: &'a [BorrowedFd<'a>]) -> Self {
        Self { plan, inputs, rendezvous: None, fault: None, to_the_end: false }
    }

    /// Who meets the new process at its rendezvous points.
    #[must_use]
    pub fn rendezvous(mut self, rendezvous: &'a mut dyn Rendezvous) -> Self {
        self.rendezvous = Some(rendezvous);
        self
    }

    /// Makes one operation of the init's program fail with `ENOSYS`, to test that nothing is left behind.
    #[doc(hidden)]
    #[must_use]
    pub fn fail_at(mut self, operation: u32) -> Self {
        self.fault = Some(operation);
        self
    }

    /// Starts the process. Returns when it has become the program.
    ///
    /// # Errors
    ///
    /// The first step that failed, named with its operands. Nothing is left behind then: no process, mount or
    /// descriptor. [`Error::Invalid`] if the plan is to be [held](Plan::hold).
    pub fn spawn(self) -> Result<Child, Error> {
        launch::launch(self)
    }

    /// Starts the process, and returns when everything is set up and it waits to be started ([`Plan::hold`]). If the caller
    /// ends before, the process ends.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn); with [`Plan::find_program`] also the errors of an exec that can be known by then.
    pub fn hold(self) -> Result<Held, Error> {
        launch::hold(self)
    }

    /// Starts the process and waits for its end. This process sleeps once, where [`spawn`](Self::spawn) and
    /// [`Child::wait`] make it sleep twice. Standard streams that are pipes are closed on this side.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    pub fn status(mut self) -> Result<ExitStatus, Error> {
        let piped = [self.plan.stdin, self.plan.stdout, self.plan.stderr].contains(&Stdio::Pipe);
        self.to_the_end = !piped;
        let mut child = launch::launch(self)?;
        drop((child.stdout.take(), child.stderr.take()));
        child.wait()
    }
}

impl Plan {
    /// Starts the process with these descriptors for its inputs, in the order of the [`Plan::input`] calls.
    /// Returns when it has become the program.
    ///
    /// # Errors
    ///
    /// As [`Spawner::spawn`].
    pub fn spawn(&self, inputs: &[BorrowedFd<'_>]) -> Result<Child, Error> {
        Spawner::new(self, inputs).spawn()
    }

    /// How many operations the init's program has, for [`Spawner::fail_at`].
    #[doc(hidden)]
    pub fn operations(&self) -> Result<u32, Error> {
        launch::operations(self)
    }
}
