//! What the process has open, and where it stands: standard streams, controlling terminal, working directory, umask.

use std::os::fd::BorrowedFd;
use std::path::Path;

use oci_spec::runtime::Process;
use rustix::fs::{FileType, fstat, major};

use super::{call, slot_of};
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::start::Streams;
use crate::{Argument, Location, Open, PlanStdio, RawCall, Step, TargetKind};

/// The standard streams where there is no terminal. They belong to the user of the process, which else could not open
/// `/dev/stdout` again.
pub(super) fn streams(draft: &mut Draft<'_>, process: &Process, streams: Streams) -> Result<()> {
    if process.terminal().unwrap_or(false) {
        return Ok(());
    }
    let own = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let names = ["standard input", "standard output", "standard error"];
    let mut chosen = [streams.stdin, streams.stdout, streams.stderr];
    for ((stream, own), name) in chosen.iter_mut().zip(own).zip(names) {
        if *stream == PlanStdio::Inherit && belongs_to_other(own, process.user().uid()) {
            let slot = draft.input(name, own);
            *stream = PlanStdio::Descriptor(slot);
            draft.step(chown(slot, process.user().uid()));
        }
    }
    [draft.plan.stdin, draft.plan.stdout, draft.plan.stderr] = chosen;
    Ok(())
}

/// Whether a stream is of a kind that is handed over to the user: a pipe or a pseudo terminal. Other devices and files are
/// the host's.
fn belongs_to_other(stream: BorrowedFd<'_>, uid: u32) -> bool {
    /// The first and last major number of pseudo terminals.
    const TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;
    let Ok(stat) = fstat(stream) else { return false };
    let own = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => TERMINALS.contains(&major(stat.st_rdev)),
        _ => false,
    };
    own && uid != 0 && stat.st_uid != uid
}

fn chown(slot: crate::Slot, uid: u32) -> Step {
    let keep = Argument::Number(u64::from(u32::MAX));
    Step::Call(RawCall {
        name: "fchown a standard stream".into(),
        number: u32::try_from(libc::SYS_fchown).unwrap_or(0),
        arguments: vec![Argument::Descriptor(slot), Argument::Number(u64::from(uid)), keep],
        into: None,
        // Who owns it is not the container's to change; it can be used as it is.
        tolerate: Some(libc::EPERM),
    })
}

/// The terminal belongs to the new session.
pub(super) fn controlling_terminal(draft: &mut Draft<'_>, process: &Process) -> Result<()> {
    const TIOCSCTTY: u64 = 0x540e;
    if !process.terminal().unwrap_or(false) {
        return Ok(());
    }
    let Some(terminal) = slot_of(draft.plan.stdin) else {
        return Err(Error::config("process.terminal", "is set, but there is no terminal"));
    };
    draft.step(chown(terminal, process.user().uid()));
    let arguments = vec![Argument::Descriptor(terminal), Argument::Number(TIOCSCTTY), Argument::Number(0)];
    draft.step(call("ioctl TIOCSCTTY", libc::SYS_ioctl, arguments));
    Ok(())
}

/// The working directory, before the process is its user. If it is missing, it can be made, by who is root there. Tells whether
/// it is to be tried again as the user: who else it may be closed to may not be known, as in a file system of another host.
pub(super) fn directory(draft: &mut Draft<'_>, process: &Process, make: bool) -> bool {
    let path = process.cwd();
    if make {
        make_directory(draft, path);
    }
    let again = process.user().uid() != 0;
    let path = path.clone();
    draft.step(if again { Step::TryWorkingDirectory(path) } else { Step::WorkingDirectory(path) });
    again
}

fn make_directory(draft: &mut Draft<'_>, path: &Path) {
    let (root, directory) = (draft.plan.slot("the root"), draft.plan.slot("the working directory"));
    draft.step(Step::Open { location: Location::path("/"), how: Open::PATH, into: root });
    let kind = TargetKind::Directory;
    draft.step(Step::MakeTarget { root, path: path.to_owned(), kind, into: directory });
    draft.steps([Step::Close(directory), Step::Close(root)]);
}

/// As other runtimes have it, where nothing is said.
pub(super) fn umask(process: &Process) -> u32 {
    process.user().umask().unwrap_or(0o022)
}
