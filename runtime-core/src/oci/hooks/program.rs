//! One hook as a process.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam_process::{Child, Spawner};
use oci_spec::runtime::Hook;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, memfd_create, seek};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Surroundings;
use crate::prepare::{Draft, Kinds, Prepared};
use crate::start::Place;
use crate::target::Target;
use crate::{Credentials, Error, ExitStatus, InsideId, Namespaces, PlanStdio, Step};

/// So much of what a hook writes is kept for an error.
const KEPT: usize = 16 << 10;

/// Runs a hook to its end, in the namespaces of the process `inside` or the caller's own. An error is a text.
pub(super) fn run(
    hook: &Hook,
    inside: Option<BorrowedFd<'_>>,
    around: Surroundings<'_>,
    input: &[u8],
) -> Result<(), String> {
    let end = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok());
    let end = end.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
    let input = in_memory(input).map_err(|error| error.to_string())?;
    let prepared = plan(hook, inside, around, input.as_fd()).map_err(|error| error.to_string())?;
    let opened =
        crate::start::open_all(&prepared, None, &Place::Callers).map_err(|error| error.to_string())?;
    let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
    let child = Spawner::new(&prepared.plan, &inputs).spawn().map_err(|error| error.to_string())?;
    drop(inputs);
    let mut running = Running::new(child, around.process, end).map_err(|error| error.to_string())?;
    match running.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(running.told(&describe(status))),
        Err(Stop::TimedOut) => Err(running
            .told(&format!("killed after its timeout of {} seconds", hook.timeout().unwrap_or_default()))),
        Err(Stop::Ended) => Err(running.told("killed, as the process of the container has ended")),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// What a hook reads is there as a whole: nobody has to write while it runs, or minds if it does not read.
fn in_memory(input: &[u8]) -> std::io::Result<OwnedFd> {
    let file = memfd_create("container state", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = std::fs::File::from(file);
    file.write_all(input)?;
    let seals = rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SHRINK | rustix::fs::SealFlags::GROW;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file.into())
}

fn plan<'a>(
    hook: &Hook,
    inside: Option<BorrowedFd<'a>>,
    around: Surroundings<'a>,
    input: BorrowedFd<'a>,
) -> Result<Prepared<'a>, Error> {
    let mut draft = Draft::bare("");
    draft.plan.program = hook.path().into();
    draft.plan.args = match hook.args().as_deref() {
        None | Some([]) => vec![hook.path().into()],
        Some(args) => args.iter().map(OsString::from).collect(),
    };
    let pair = |text: &String| text.split_once('=').map(|(key, value)| (key.into(), value.into()));
    draft.plan.env = hook.env().iter().flatten().filter_map(pair).collect();
    draft.plan.stdin = PlanStdio::Descriptor(draft.input("the state of the container", input));
    draft.plan.stdout = PlanStdio::Pipe;
    draft.plan.stderr = PlanStdio::Pipe;
    match inside {
        Some(process) => join(&mut draft, process)?,
        None if around.bundle.is_dir() => draft.step(Step::WorkingDirectory(around.bundle.to_owned())),
        None => draft.step(Step::WorkingDirectory(Path::new("/").to_owned())),
    }
    // A group of its own, that is ended as a whole.
    draft.step(Step::NewSession);
    Ok(draft.finish(None))
}

/// Into the namespaces of the container, as root there.
fn join(draft: &mut Draft<'_>, process: BorrowedFd<'_>) -> Result<(), Error> {
    let target = Target::look_at(process)?;
    let joined = target.differing()?;
    let other_user = crate::enclosure::kinds_of(&joined).contains(Namespaces::USER);
    // What the process has as its root: before it changes that, the files of the host, although the new root hides them.
    let root = target.root()?;
    Kinds { joined, ..Kinds::default() }.join(draft)?;
    let root = draft.opened("the root of the container's process", root);
    draft.step(Step::ChangeRoot { root });
    draft.step(Step::Close(root));
    if other_user {
        let (users, groups, _) = target.maps()?;
        let root = InsideId::new(0);
        draft.step(Step::Credentials(Credentials {
            uid: users.to_outside(root).map(|_| 0),
            gid: groups.to_outside(root).map(|_| 0),
            ..Credentials::default()
        }));
    }
    draft.step(Step::WorkingDirectory(Path::new("/").to_owned()));
    Ok(())
}

/// Why a hook was not waited for to its end.
enum Stop {
    TimedOut,
    Ended,
    Failed(String),
}

impl From<rustix::io::Errno> for Stop {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Failed(errno.to_string())
    }
}

/// A hook that runs. It is killed with its group if it is not waited for to its end.
struct Running<'a> {
    child: Child,
    streams: [Option<std::fs::File>; 2],
    written: Vec<u8>,
    process: Option<BorrowedFd<'a>>,
    end: Option<Instant>,
    done: bool,
}

impl<'a> Running<'a> {
    fn new(
        mut child: Child,
        process: Option<BorrowedFd<'a>>,
        end: Option<Instant>,
    ) -> Result<Self, rustix::io::Errno> {
        let streams = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        // From here on it is ended if something fails.
        let mut running =
            Self { child, streams: [None, None], written: Vec::new(), process, end, done: false };
        for stream in streams.iter().flatten() {
            fcntl_setfl(stream, fcntl_getfl(stream)? | OFlags::NONBLOCK)?;
        }
        running.streams = streams.map(|stream| stream.map(Into::into));
        Ok(running)
    }

    /// Until it has ended. What others that it started still have open does not matter.
    fn wait(&mut self) -> Result<ExitStatus, Stop> {
        loop {
            let (ended, container_ended) = self.look()?;
            self.read();
            if ended {
                self.done = true;
                return self.child.wait().map_err(|error| Stop::Failed(error.to_string()));
            }
            if container_ended {
                return Err(Stop::Ended);
            }
            if self.end.is_some_and(|end| end <= Instant::now()) {
                return Err(Stop::TimedOut);
            }
        }
    }

    /// Waits until something happens: whether the hook has ended, and whether the container has.
    fn look(&self) -> Result<(bool, bool), Stop> {
        let pidfd = self.child.pidfd();
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        fds.extend(self.process.map(|process| PollFd::from_borrowed_fd(process, PollFlags::IN)));
        fds.extend(self.streams.iter().flatten().map(|stream| PollFd::new(stream, PollFlags::IN)));
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        retry_on_intr(|| poll(&mut fds, left.as_ref()))?;
        let ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok((ready(0), self.process.is_some() && ready(1)))
    }

    /// Takes what it wrote; the beginning is kept.
    fn read(&mut self) {
        let mut chunk = [0; 4096];
        for stream in &mut self.streams {
            while let Some(file) = stream {
                match file.read(&mut chunk) {
                    Ok(count) if count > 0 => {
                        let space = KEPT.saturating_sub(self.written.len()).min(count);
                        self.written.extend_from_slice(chunk.get(..space).unwrap_or_default());
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Nothing more is to be had.
                    Ok(_) | Err(_) => *stream = None,
                }
            }
        }
    }

    /// What happened, with what it wrote, on one line.
    fn told(&self, what: &str) -> String {
        let written = String::from_utf8_lossy(&self.written);
        match written.trim() {
            "" => what.to_owned(),
            written => format!("{what}: {}", written.escape_debug()),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // The group has the number of the hook, which is its own as long as the hook is not waited for.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process_group(group, Signal::KILL).unwrap_or(());
        }
        // There is nobody to tell; what was wrong before is what counts.
        drop(self.child.kill(libc::SIGKILL));
        drop(self.child.wait());
    }
}
