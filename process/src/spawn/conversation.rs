//! The conversation with the init, from the clone to the exec, or from the start of a process that was held.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::control::{Control, Heard};
use super::rendezvous::{BoxError, Process, Rendezvous};
use crate::init::channel::{Message, kind};
use crate::init::format::{self, NO_OPERATION};
use crate::{Errno, Error};

/// The process that is talked with.
pub(super) trait Subject {
    /// The process as it is at a meeting.
    fn process(&self) -> Process<'_>;

    /// The init went on in a second process: that is the child now, and the first is reaped.
    fn replace(&mut self, pid: u32, received: Vec<OwnedFd>) -> Result<(), Error> {
        drop((pid, received));
        Err(init_failure(NO_OPERATION, Errno::new(libc::EBADMSG)))
    }

    /// The error for a process that ended without a word.
    fn died(&self) -> Result<Error, Error>;
}

/// What operations are called.
pub(super) trait Words {
    /// The error of an operation, if there is one with this number.
    fn failure(&self, operation: u32, errno: Errno) -> Option<Error>;
}

/// How a conversation ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The init has become the program. The last word is still to be said.
    Program,
    /// The same, and the last word was given with the program.
    ProgramToldAlready,
    /// Everything is set up, and the init is held.
    Ready,
}

/// A conversation under way.
pub(super) struct Conversation<'a> {
    pub(super) control: Control,
    pub(super) words: &'a dyn Words,
    /// How many words the init still waits for before the last one.
    pub(super) answers: usize,
    pub(super) end: End,
    /// The caller waits for the end of the process anyhow.
    pub(super) to_the_end: bool,
}

impl Conversation<'_> {
    /// Answers the init until it has got to the end.
    pub(super) fn run(
        &mut self,
        subject: &mut dyn Subject,
        rendezvous: &mut dyn Rendezvous,
    ) -> Result<(), Error> {
        loop {
            let to_the_end = self.to_the_end && self.answers == 0 && self.end != End::Ready;
            match self.control.listen(subject.process().pidfd, to_the_end)? {
                Heard::Closed | Heard::Ended if self.is_program() => return Ok(()),
                Heard::Closed | Heard::Ended => return Err(subject.died()?),
                Heard::Message(message, received) => match message.kind {
                    kind::SYNC => self.meet(subject, message.value, received, rendezvous)?,
                    kind::FORKED => {
                        subject.replace(message.value, received)?;
                        self.answered(&[])?;
                    }
                    kind::READY if self.end == End::Ready => return Ok(()),
                    _ => return Err(self.failure(message)),
                },
            }
        }
    }

    /// Whether the init has become the program, now that it has closed its end.
    fn is_program(&self) -> bool {
        self.end != End::Ready && self.answers == 0 && self.control.was_taken()
    }

    /// Answers a meeting, and says the last word after the last one.
    pub(super) fn answered(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        self.control.go(descriptors)?;
        self.answers = self.answers.saturating_sub(1);
        self.last_word()
    }

    /// Says the last word if nothing else is to be said.
    pub(super) fn last_word(&self) -> Result<(), Error> {
        if self.answers == 0 && self.end == End::Program { self.control.execute() } else { Ok(()) }
    }

    /// Lets a process that was held go on. If nothing is to be said after this, it is the last word: one message, so
    /// whoever says it cannot end between two.
    pub(super) fn start(&self) -> Result<(), Error> {
        if self.answers == 0 { self.control.execute() } else { self.control.go(&[]) }
    }

    fn meet(
        &mut self,
        subject: &dyn Subject,
        point: u32,
        received: Vec<OwnedFd>,
        rendezvous: &mut dyn Rendezvous,
    ) -> Result<(), Error> {
        let answer = rendezvous.sync(point, subject.process(), received);
        let answer = answer.map_err(|source| met(&format!("at point {point}"), source))?;
        let descriptors: Vec<BorrowedFd<'_>> = answer.iter().map(AsFd::as_fd).collect();
        self.answered(&descriptors)
    }

    /// The error for a message that says that something failed.
    pub(super) fn failure(&self, message: Message) -> Error {
        let errno = Errno::new(message.errno);
        let named = Some(message).filter(|message| message.kind == kind::FAILED);
        named
            .and_then(|message| self.words.failure(message.operation, errno))
            .unwrap_or_else(|| init_failure(message.operation, errno))
    }
}

/// The error for what the caller did at a meeting.
pub(super) fn met(point: &str, source: BoxError) -> Error {
    Error::Rendezvous { point: point.to_owned(), source }
}

/// The error for what belongs to no operation.
fn init_failure(operation: u32, errno: Errno) -> Error {
    let call = match operation {
        format::STUB => "execveat",
        NO_OPERATION => "run the program",
        _ => "understand the init",
    };
    Error::Init { call, errno, hint: None }
}
