//! Where the caller and the new process meet.

use std::os::fd::{BorrowedFd, OwnedFd};

/// Any error of a [`Rendezvous`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The new process, as the caller sees it at a meeting.
#[derive(Clone, Copy, Debug)]
pub struct Process<'a> {
    /// Its id in the caller's pid namespace.
    pub pid: u32,
    /// Its pidfd.
    pub pidfd: BorrowedFd<'a>,
}

/// What the caller does while the new process waits. An error ends the process and comes back as
/// [`Error::Rendezvous`](crate::Error::Rendezvous).
pub trait Rendezvous {
    /// The process exists in its new namespaces and has not begun its first step. Id maps are written here.
    /// Only called if [`Plan::rendezvous`](crate::Plan::rendezvous) is set.
    ///
    /// # Errors
    ///
    /// Any; the process is ended.
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        let _: Process<'_> = process;
        Ok(())
    }

    /// The process has reached [`Step::Sync`](crate::Step::Sync) with this point and sent these descriptors.
    /// Returns the descriptors that the step receives.
    ///
    /// # Errors
    ///
    /// Any; the process is ended.
    fn sync(
        &mut self,
        point: u32,
        process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        let _: (u32, Process<'_>, Vec<OwnedFd>) = (point, process, received);
        Ok(Vec::new())
    }
}
