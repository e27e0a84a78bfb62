//! A process that is set up by one program and started later, perhaps by another.

use super::Slot;

/// Who starts a process that is held ([`Plan::hold`](super::Plan::hold)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The caller, by [`Held::start`](crate::Held::start). The process ends with the caller.
    Caller,
    /// Who connects to this listening socket (`AF_UNIX`, `SOCK_SEQPACKET`) and calls [`resume`](crate::resume). The process
    /// lets go of the caller and waits on, whatever becomes of it. Whoever may connect may start it: the socket belongs
    /// into a directory that nobody else can enter.
    Listener(Slot),
}
