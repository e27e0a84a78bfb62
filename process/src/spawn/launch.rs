//! Carries a plan out: one straight line from the plan to the child.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use super::Spawner;
use super::control::{self, Control, Heard, PACKET};
use super::image;
use super::rendezvous::{BoxError, Process, Rendezvous};
use super::streams::Streams;
use super::wait::{self, Wait};
use crate::encode::{self, Context, Operation, Part, Program};
use crate::init::channel::{Message, kind};
use crate::init::format::{self, NO_OPERATION, code};
use crate::sys::{self, Before, Cloned, Gap, Init, Stub};
use crate::{Child, Errno, Error, Namespaces, Plan};

/// How many operations a plan's program has.
pub(super) fn operations(plan: &Plan) -> Result<u32, Error> {
    Ok(u32::try_from(encode::encode(plan, context(plan))?.operations.len()).unwrap_or(u32::MAX))
}

/// Starts the process.
pub(super) fn launch(spawner: Spawner<'_>) -> Result<Child, Error> {
    let Spawner { plan, inputs, rendezvous, fault, to_the_end } = spawner;
    let context = context(plan);
    let mut program = encode::encode(plan, context)?;
    if let Some(operation) = fault.and_then(|fault| program.operations.get_mut(fault as usize)) {
        *operation = Operation::call(-1, []);
    }
    if inputs.len() != plan.inputs() {
        let value = inputs.len().to_string();
        return Err(Error::Invalid {
            what: "number of descriptors",
            value,
            reason: "is not what the plan asks for",
        });
    }
    let streams = Streams::open(plan)?;
    let given: Vec<RawFd> = inputs.iter().map(AsRawFd::as_raw_fd).chain(streams.numbers()).collect();
    let mut bytes = program.to_bytes(&given)?;
    let answers = answers(&program);
    let mut last_word_due = true;
    if answers == 0 && bytes.len() <= PACKET {
        encode::make_last_word(&mut bytes);
        last_word_due = false;
    }
    let (control, theirs) = control::pair()?;
    // Before the clone, so that it is there when the init asks for it; but the stub waits for a word of its own first.
    let rest = if plan.maps_root { &bytes } else { control.send_start(&bytes)? };

    let mut launch = Launch { plan, program: &program, control, answers, last_word_due, to_the_end };
    let (pid, pidfd) = launch.run(inputs, &given, context, theirs, rest, rendezvous)?;
    let [stdin, stdout, stderr] = streams.into_ours();
    Ok(Child {
        pid,
        pidfd,
        status: None,
        stdin: stdin.map(Into::into),
        stdout: stdout.map(Into::into),
        stderr: stderr.map(Into::into),
    })
}

/// What the encoder and the stub must know of this process.
fn context(plan: &Plan) -> Context {
    static LAST_CAPABILITY: OnceLock<u32> = OnceLock::new();
    let raised = if plan.maps_root {
        None
    } else if plan.namespaces.contains(Namespaces::USER) {
        Some(u64::MAX)
    } else if rustix::process::geteuid().is_root() {
        None
    } else {
        Some(sys::permitted_capabilities()).filter(|set| *set != 0)
    };
    Context { last_capability: *LAST_CAPABILITY.get_or_init(sys::last_capability), raised }
}

/// The namespaces that the process makes by itself while the caller maps its ids: a network namespace takes the kernel
/// longer than all others, and on another processor nobody waits for it. They belong to the new user namespace.
fn late(plan: &Plan) -> Namespaces {
    let early = Namespaces::USER | Namespaces::PID | Namespaces::MNT;
    if plan.maps_root { plan.namespaces.without(early) } else { Namespaces::empty() }
}

/// How often the init waits for a word before the last one.
fn answers(program: &Program) -> usize {
    let waits = |operation: &&Operation| [code::SYNC, code::FORK].contains(&operation.code);
    program.operations.iter().filter(waits).count()
}

/// Meets nobody.
struct NoRendezvous;

impl Rendezvous for NoRendezvous {}

/// One spawn under way.
struct Launch<'a> {
    plan: &'a Plan,
    program: &'a Program,
    control: Control,
    /// How many words the init still waits for.
    answers: usize,
    /// The last word is still to be said.
    last_word_due: bool,
    /// The caller waits for the end of the process anyhow.
    to_the_end: bool,
}

impl Launch<'_> {
    /// Clones, meets, and waits until the process has become the program.
    fn run(
        &mut self,
        inputs: &[BorrowedFd<'_>],
        given: &[RawFd],
        context: Context,
        theirs: OwnedFd,
        rest: &[u8],
        rendezvous: Option<&mut dyn Rendezvous>,
    ) -> Result<(u32, OwnedFd), Error> {
        let image = image::get()?;
        let argument = CString::new(theirs.as_raw_fd().to_string()).unwrap_or_default();
        let kept: Vec<RawFd> =
            given.iter().copied().filter(|fd| *fd >= 0).chain([theirs.as_raw_fd()]).collect();
        let gaps = gaps(kept.iter().copied().chain([image.as_fd().as_raw_fd()]));
        let input = |slot: crate::Slot| {
            self.plan.slots.input_slots().position(|known| known == slot).and_then(|at| inputs.get(at))
        };
        let cgroup = self.plan.cgroup.and_then(input).map(AsRawFd::as_raw_fd);
        let mounts_from = self.plan.mounts_from.and_then(input).map(AsRawFd::as_raw_fd);
        let init =
            Init { image: image.as_fd().as_raw_fd(), control: theirs.as_raw_fd(), argument: &argument };
        let late = late(self.plan);
        let before = match (self.plan.maps_root, context.raised) {
            (true, _) => Before::Wait(late.bits()),
            (false, Some(_)) => Before::Raise,
            (false, None) => Before::Nothing,
        };
        let mut stub = Stub::new(&gaps, &kept, init, before, mounts_from);
        let mut cloned = sys::clone(&mut stub, self.plan.namespaces.without(late).bits(), cgroup)?;
        drop(theirs);
        self.converse(&mut cloned, rest, rendezvous)?;
        Ok(cloned.release())
    }

    /// Talks with the init until it has become the program.
    fn converse(
        &mut self,
        cloned: &mut Cloned<'_>,
        rest: &[u8],
        rendezvous: Option<&mut dyn Rendezvous>,
    ) -> Result<(), Error> {
        let mut none = NoRendezvous;
        let rendezvous = rendezvous.unwrap_or(&mut none);
        if self.plan.maps_root {
            // The stub waits for the program, which so is the word to go on.
            self.created(cloned, rendezvous)?;
            self.control.send_rest(rest, cloned.pidfd())?;
            self.last_word()?;
        } else {
            self.control.send_rest(rest, cloned.pidfd())?;
            if self.plan.rendezvous {
                self.created(cloned, rendezvous)?;
                self.answered(&[])?;
            } else {
                self.last_word()?;
            }
        }
        loop {
            match self.control.listen(cloned.pidfd(), self.to_the_end && self.answers == 0)? {
                Heard::Closed | Heard::Ended if self.answers == 0 && self.control.was_taken() => {
                    return Ok(());
                }
                Heard::Closed | Heard::Ended => return Err(self.died(cloned)?),
                Heard::Message(message, received) => match message.kind {
                    kind::SYNC => self.meet(cloned, message.value, received, rendezvous)?,
                    kind::FORKED => {
                        replace(cloned, message.value, received)?;
                        self.answered(&[])?;
                    }
                    _ => return Err(self.failure(message)),
                },
            }
        }
    }

    /// The first meeting. If the process has failed meanwhile, that is why this failed as well.
    fn created(&self, cloned: &Cloned<'_>, rendezvous: &mut dyn Rendezvous) -> Result<(), Error> {
        let Err(source) = rendezvous.created(process(cloned)) else { return Ok(()) };
        match self.control.receive()? {
            Some(Heard::Message(message, _)) => Err(self.failure(message)),
            _ => Err(met("after the clone", source)),
        }
    }

    /// Answers a meeting, and says the last word after the last one.
    fn answered(&mut self, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        self.control.go(descriptors)?;
        self.answers = self.answers.saturating_sub(1);
        self.last_word()
    }

    fn last_word(&self) -> Result<(), Error> {
        if self.answers == 0 && self.last_word_due { self.control.execute() } else { Ok(()) }
    }

    fn meet(
        &mut self,
        cloned: &Cloned<'_>,
        point: u32,
        received: Vec<OwnedFd>,
        rendezvous: &mut dyn Rendezvous,
    ) -> Result<(), Error> {
        let answer = rendezvous.sync(point, process(cloned), received);
        let answer = answer.map_err(|source| met(&format!("at point {point}"), source))?;
        let descriptors: Vec<BorrowedFd<'_>> = answer.iter().map(AsFd::as_fd).collect();
        self.answered(&descriptors)
    }

    /// The error for a message that says that something failed.
    fn failure(&self, message: Message) -> Error {
        let errno = Errno::new(message.errno);
        let label = self.program.labels.get(message.operation as usize);
        if message.operation == format::LATE {
            return Error::Clone { namespaces: late(self.plan).to_string(), call: "unshare", errno };
        }
        let Some(label) = label.filter(|_| message.kind == kind::FAILED) else {
            return init_failure(message);
        };
        match label.part {
            Part::Step(index) => {
                let step =
                    self.plan.steps.get(index).map_or_else(String::new, |step| self.plan.describe(step));
                Error::Step { index: Some(index), step, call: label.call, errno }
            }
            Part::Frame(what) => Error::Step { index: None, step: what.to_owned(), call: label.call, errno },
            Part::Exec => Error::Exec { program: self.plan.program.to_string_lossy().into_owned(), errno },
        }
    }

    /// The error for a process that ended without a word.
    fn died(&self, cloned: &Cloned<'_>) -> Result<Error, Error> {
        let status = wait::wait(cloned.pidfd(), cloned.pid(), Wait::Block)?;
        status.map(Error::Died).ok_or(Error::StatusLost { pid: cloned.pid() })
    }
}

fn process<'c>(cloned: &'c Cloned<'_>) -> Process<'c> {
    Process { pid: cloned.pid(), pidfd: cloned.pidfd() }
}

/// The init went on in a second process: that is the child now, and the first is reaped.
fn replace(cloned: &mut Cloned<'_>, pid: u32, received: Vec<OwnedFd>) -> Result<(), Error> {
    let missing = Error::Init { call: "receive a pidfd", errno: Errno::new(libc::EBADMSG), hint: None };
    let pidfd = received.into_iter().next().ok_or(missing)?;
    let (first, before) = cloned.replace(pid, pidfd);
    // It ends with the message; how does not matter.
    drop(wait::wait(before.as_fd(), first, Wait::Block));
    Ok(())
}

fn met(point: &str, source: BoxError) -> Error {
    Error::Rendezvous { point: point.to_owned(), source }
}

fn init_failure(message: Message) -> Error {
    let call = match message.operation {
        format::STUB => "execveat",
        NO_OPERATION => "run the program",
        _ => "understand the init",
    };
    Error::Init { call, errno: Errno::new(message.errno), hint: None }
}

/// The ranges between the numbers that are kept, and above them.
fn gaps(kept: impl Iterator<Item = RawFd>) -> Vec<Gap> {
    let mut kept: Vec<u32> = kept.filter_map(|fd| u32::try_from(fd).ok()).collect();
    kept.sort_unstable();
    let mut gaps = Vec::with_capacity(kept.len() + 1);
    let mut first = 0;
    for number in kept {
        if number > first {
            gaps.push(Gap { first, last: number - 1 });
        }
        first = first.max(number + 1);
    }
    gaps.push(Gap { first, last: u32::MAX });
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_kept() {
        let pairs = |kept: &[i32]| -> Vec<(u32, u32)> {
            gaps(kept.iter().copied()).iter().map(|gap| (gap.first, gap.last)).collect()
        };
        assert_eq!(pairs(&[]), [(0, u32::MAX)]);
        assert_eq!(pairs(&[0, 1, 2]), [(3, u32::MAX)]);
        assert_eq!(pairs(&[7, 3, 3, 5, -1]), [(0, 2), (4, 4), (6, 6), (8, u32::MAX)]);
    }
}
