//! Carries a plan out: one straight line from the plan to the child.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use super::Spawner;
use super::control::{self, Control, Heard, PACKET};
use super::conversation::{Conversation, End, Subject, Words, met};
use super::held::{self, Held};
use super::image;
use super::remaining::Remaining;
use super::rendezvous::{Process, Rendezvous};
use super::streams::Streams;
use super::wait::{self, Wait};
use crate::encode::{self, Context, Operation, Part, Program};
use crate::init::format::{self, code};
use crate::sys::{self, Before, Cloned, Gap, Guard, Init, Stub};
use crate::{Child, Errno, Error, Namespaces, Plan};

/// How many operations a plan's program has.
pub(super) fn operations(plan: &Plan) -> Result<u32, Error> {
    Ok(u32::try_from(encode::encode(plan, context(plan))?.operations.len()).unwrap_or(u32::MAX))
}

/// Starts the process, and waits until it is the program.
pub(super) fn launch(spawner: Spawner<'_>) -> Result<Child, Error> {
    if spawner.plan.hold.is_some() {
        return Err(wrong(spawner.plan, "is to be held, which is not what spawning does"));
    }
    let started = start(spawner)?;
    Ok(held::child(started.guard, started.streams))
}

/// Starts the process, and waits until it is held.
pub(super) fn hold(spawner: Spawner<'_>) -> Result<Held, Error> {
    let plan = spawner.plan;
    let Some(hold) = plan.hold else { return Err(wrong(plan, "is not to be held")) };
    let Started { guard, streams, control, program, until } = start(spawner)?;
    Ok(Held::new(guard, streams, control, Remaining::after(until, &program, plan), hold))
}

fn wrong(plan: &Plan, reason: &'static str) -> Error {
    Error::Invalid { what: "plan for", value: plan.program.to_string_lossy().into_owned(), reason }
}

/// A process that has become the program, or is held.
struct Started {
    guard: Guard,
    streams: [Option<OwnedFd>; 3],
    control: Control,
    program: Program,
    /// The operation that holds it, or how many there are.
    until: usize,
}

fn start(spawner: Spawner<'_>) -> Result<Started, Error> {
    let Spawner { plan, inputs, rendezvous, fault, to_the_end } = spawner;
    let context = context(plan);
    let mut program = encode::encode(plan, context)?;
    let until = plan.hold.and_then(|_| program.position(code::HOLD));
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
    let answers = answers(&program, until);
    let mut end = if until.is_some() { End::Ready } else { End::Program };
    if end == End::Program && answers == 0 && bytes.len() <= PACKET {
        encode::make_last_word(&mut bytes);
        end = End::ProgramToldAlready;
    }
    let (control, theirs) = control::pair()?;
    // Before the clone, so that it is there when the init asks for it; but the stub waits for a word of its own first.
    let rest = if plan.maps_root { &bytes } else { control.send_start(&bytes)? };

    let words = Labels { plan, program: &program };
    let conversation = Conversation { control, words: &words, answers, end, to_the_end };
    let mut launch = Launch { plan, conversation };
    let (pid, pidfd) = launch.run(inputs, &given, context, theirs, rest, rendezvous)?;
    let control = launch.conversation.control;
    let until = until.unwrap_or(program.operations.len());
    Ok(Started { guard: Guard::new(pid, pidfd), streams: streams.into_ours(), control, program, until })
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

/// How often the init waits for a word before the last one, or before it is held.
fn answers(program: &Program, until: Option<usize>) -> usize {
    let waits = |operation: &&Operation| [code::SYNC, code::FORK].contains(&operation.code);
    program.operations.iter().take(until.unwrap_or(usize::MAX)).filter(waits).count()
}

/// Meets nobody.
struct NoRendezvous;

impl Rendezvous for NoRendezvous {}

/// One spawn under way.
struct Launch<'a> {
    plan: &'a Plan,
    conversation: Conversation<'a>,
}

impl Launch<'_> {
    /// Clones, meets, and waits until the process has become the program, or is held.
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

    /// Talks with the init until it has become the program, or is held.
    fn converse(
        &mut self,
        cloned: &mut Cloned<'_>,
        rest: &[u8],
        rendezvous: Option<&mut dyn Rendezvous>,
    ) -> Result<(), Error> {
        let mut none = NoRendezvous;
        let rendezvous = rendezvous.unwrap_or(&mut none);
        let talk = &mut self.conversation;
        if self.plan.maps_root {
            // The stub waits for the program, which so is the word to go on.
            created(talk, cloned, rendezvous)?;
            talk.control.send_rest(rest, cloned.pidfd())?;
            talk.last_word()?;
        } else {
            talk.control.send_rest(rest, cloned.pidfd())?;
            if self.plan.rendezvous {
                created(talk, cloned, rendezvous)?;
                talk.answered(&[])?;
            } else {
                talk.last_word()?;
            }
        }
        talk.run(cloned, rendezvous)
    }
}

/// The first meeting. If the process has failed meanwhile, that is why this failed as well.
fn created(
    talk: &Conversation<'_>,
    cloned: &Cloned<'_>,
    rendezvous: &mut dyn Rendezvous,
) -> Result<(), Error> {
    let Err(source) = rendezvous.created(cloned.process()) else { return Ok(()) };
    match talk.control.receive()? {
        Some(Heard::Message(message, _)) => Err(talk.failure(message)),
        _ => Err(met("after the clone", source)),
    }
}

/// The operations of a plan that is carried out.
struct Labels<'a> {
    plan: &'a Plan,
    program: &'a Program,
}

impl Words for Labels<'_> {
    fn failure(&self, operation: u32, errno: Errno) -> Option<Error> {
        if operation == format::LATE {
            return Some(Error::Clone { namespaces: late(self.plan).to_string(), call: "unshare", errno });
        }
        let label = self.program.labels.get(operation as usize)?;
        Some(match label.part {
            Part::Step(index) => {
                Error::Step { index: Some(index), step: self.plan.text(index), call: label.call, errno }
            }
            Part::Frame(what) => Error::Step { index: None, step: what.to_owned(), call: label.call, errno },
            Part::Exec => Error::Exec { program: self.plan.program.to_string_lossy().into_owned(), errno },
        })
    }
}

impl Subject for Cloned<'_> {
    fn process(&self) -> Process<'_> {
        Process { pid: self.pid(), pidfd: self.pidfd() }
    }

    fn replace(&mut self, pid: u32, received: Vec<OwnedFd>) -> Result<(), Error> {
        let missing = Error::Init { call: "receive a pidfd", errno: Errno::new(libc::EBADMSG), hint: None };
        let pidfd = received.into_iter().next().ok_or(missing)?;
        let (first, before) = Cloned::replace(self, pid, pidfd);
        // It ends with the message; how does not matter.
        drop(wait::wait(before.as_fd(), first, Wait::Block));
        Ok(())
    }

    fn died(&self) -> Result<Error, Error> {
        held::died(self.process())
    }
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
