//! The standard streams of one spawn.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_getfd;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{Error, Plan, Stdio};

/// One stream: what the program gets, and what the caller keeps.
#[derive(Debug, Default)]
struct Stream {
    number: RawFd,
    /// Kept open until the process has its copy.
    _theirs: Option<OwnedFd>,
    ours: Option<OwnedFd>,
}

/// The three streams.
#[derive(Debug)]
pub(super) struct Streams([Stream; 3]);

impl Streams {
    /// Opens what the plan asks for.
    pub(super) fn open(plan: &Plan) -> Result<Self, Error> {
        let stdin = Stream::open(plan.stdin, rustix::stdio::stdin(), true)?;
        let stdout = Stream::open(plan.stdout, rustix::stdio::stdout(), false)?;
        let stderr = Stream::open(plan.stderr, rustix::stdio::stderr(), false)?;
        Ok(Self([stdin, stdout, stderr]))
    }

    /// The numbers of the program's ends; -1 for a descriptor of the plan.
    pub(super) fn numbers(&self) -> [RawFd; 3] {
        [0, 1, 2].map(|index: usize| self.0[index].number)
    }

    /// The caller's ends of pipes.
    pub(super) fn into_ours(self) -> [Option<OwnedFd>; 3] {
        self.0.map(|stream| stream.ours)
    }
}

impl Stream {
    fn open(stdio: Stdio, own: BorrowedFd<'_>, input: bool) -> Result<Self, Error> {
        match stdio {
            Stdio::Descriptor(_) => Ok(Self { number: -1, ..Self::default() }),
            Stdio::Inherit if fcntl_getfd(own).is_ok() => {
                Ok(Self { number: own.as_raw_fd(), ..Self::default() })
            }
            Stdio::Inherit | Stdio::Null => {
                let flags = if input { OFlags::RDONLY } else { OFlags::WRONLY };
                let null = open("/dev/null", flags | OFlags::CLOEXEC, Mode::empty());
                Ok(Self::theirs(null.map_err(Error::call("open /dev/null"))?, None))
            }
            Stdio::Pipe => {
                let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::call("pipe2"))?;
                let (theirs, ours) = if input { (read, write) } else { (write, read) };
                Ok(Self::theirs(theirs, Some(ours)))
            }
        }
    }

    fn theirs(theirs: OwnedFd, ours: Option<OwnedFd>) -> Self {
        Self { number: theirs.as_fd().as_raw_fd(), _theirs: Some(theirs), ours }
    }
}
