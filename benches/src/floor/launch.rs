//! Starting a program by the straight line, again and again.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::calls;
use super::cell::{Cell, Fault};
use super::child::Script;
use super::clone;
use super::maps::Maps;
use super::wait;
use crate::Error;
use crate::case::{Kind, Shape};
use crate::sys::{Mapping, Sharing};

const STACK: usize = 64 * 1024;
/// A process that is not ours may not fill the disk.
const FILE_SIZE: u64 = 64 << 20;

/// How the child gets its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It runs in the caller's, on a stack of its own, until it executes its program.
    Shared,
    /// It gets a copy, as by `fork`.
    Copied,
}

/// For programs that are not ours: own process group, limited files, killed when it does not end.
#[derive(Debug, Clone)]
pub struct Fence {
    /// How long it may run.
    pub limit: Duration,
    /// A mount namespace to join before it is executed.
    pub mounts: Option<Arc<OwnedFd>>,
}

/// What to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Namespaces, and whether to build the sandbox.
    pub shape: Shape,
    /// The sandbox's root.
    pub root: &'a Path,
    /// The program's path, in the new root if there is one.
    pub program: &'a Path,
    /// The arguments, the program's name included.
    pub argv: Vec<&'a OsStr>,
    /// The environment, `NAME=value`.
    pub env: Vec<&'a OsStr>,
    /// Copy or share.
    pub memory: Memory,
    /// Becomes stdout and stderr; inherited if absent.
    pub output: Option<File>,
    /// The guard around a foreign program.
    pub fence: Option<Fence>,
}

/// A [`Launch`] with all memory that it needs.
#[derive(Debug)]
pub struct Launcher {
    shape: Shape,
    root: CString,
    program: CString,
    argv: Strings,
    envp: Strings,
    output: Option<File>,
    fence: Option<Fence>,
    maps: Option<Maps>,
    last_capability: u32,
    cell: Cell,
    stack: Option<Mapping>,
}

impl Launcher {
    /// Prepares everything that need not be done anew for each start.
    ///
    /// # Errors
    ///
    /// A string with a zero byte, lack of memory, an unreadable `/proc`.
    pub fn new(launch: Launch<'_>) -> Result<Launcher, Error> {
        let stack = match launch.memory {
            Memory::Shared => Some(stack().map_err(Error::io("map a stack"))?),
            Memory::Copied => None,
        };
        Ok(Launcher {
            shape: launch.shape,
            root: text(launch.root.as_os_str())?,
            program: text(launch.program.as_os_str())?,
            argv: Strings::new(&launch.argv)?,
            envp: Strings::new(&launch.env)?,
            output: launch.output,
            fence: launch.fence,
            maps: launch.shape.has(Kind::User).then(Maps::of_caller),
            last_capability: last_capability()?,
            cell: Cell::new().map_err(Error::io("map a shared page"))?,
            stack,
        })
    }

    /// Starts the program and returns its exit status (128 + n for signal n) when it has been reaped.
    ///
    /// # Errors
    ///
    /// The step that failed, or that the program did not end in time; no process is left in either case.
    pub fn run(&mut self) -> Result<i32, Error> {
        self.cell.reset();
        let script = self.script();
        let pid = self.spawn(&script).map_err(|errno| failed(Fault { step: "clone", errno }))?;
        if let Err(fault) = self.release(pid) {
            self.kill(pid)?;
            return Err(failed(fault));
        }
        if let Some(Fence { limit, .. }) = self.fence
            && !wait::ended_within(pid, limit).map_err(|errno| failed(Fault { step: "poll", errno }))?
        {
            self.kill(pid)?;
            return Err(Error::Hang(limit));
        }
        let status = wait::reap(pid).map_err(|errno| failed(Fault { step: "waitid", errno }))?;
        match self.cell.fault() {
            Some(fault) => Err(failed(fault)),
            None => Ok(status),
        }
    }

    fn script(&self) -> Script<'_> {
        let mounts = self.fence.as_ref().and_then(|fence| fence.mounts.as_ref());
        Script {
            cell: &self.cell,
            private: self.stack.is_some(),
            wait: self.maps.is_some(),
            output: self.output.as_ref().map(AsRawFd::as_raw_fd),
            join: mounts.map(|fd| fd.as_raw_fd()),
            fence: self.fence.as_ref().map(|_| FILE_SIZE),
            root: self.shape.sandbox.then_some(self.root.as_c_str()),
            last_capability: self.last_capability,
            path: &self.program,
            argv: self.argv.as_ptr(),
            envp: self.envp.as_ptr(),
        }
    }

    fn spawn(&self, script: &Script<'_>) -> Result<i32, i32> {
        let mask = calls::signal_mask(u64::MAX)?;
        let kinds = self.shape.clone_flags();
        let pid = if self.stack.is_none() && kinds == 0 {
            // SAFETY: signals are blocked.
            unsafe { clone::fork(script) }
        } else {
            // SAFETY: signals are blocked; `run` leaves the stack and what the script refers to alone until the
            // child has been reaped, and takes `self` by unique reference.
            unsafe { clone::spawn(script, kinds, self.stack.as_ref()) }
        };
        calls::signal_mask(mask)?;
        i32::try_from(pid?).map_err(|_| libc::ERANGE)
    }

    fn release(&self, pid: i32) -> Result<(), Fault> {
        let Some(maps) = &self.maps else { return Ok(()) };
        maps.write(pid)?;
        self.cell.go(self.stack.is_some()).map_err(|errno| Fault { step: "futex", errno })
    }

    /// Kills the child, and its process group if it has one, and reaps it.
    fn kill(&self, pid: i32) -> Result<(), Error> {
        let failed = |errno| failed(Fault { step: "kill", errno });
        if self.fence.is_some() {
            match calls::kill(-pid, libc::SIGKILL) {
                Err(libc::ESRCH) | Ok(_) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        calls::kill(pid, libc::SIGKILL).map_err(failed)?;
        wait::reap(pid).map(|_| ()).map_err(failed)
    }
}

fn failed(fault: Fault) -> Error {
    Error::Step { step: fault.step, source: io::Error::from_raw_os_error(fault.errno) }
}

fn stack() -> io::Result<Mapping> {
    let mut stack = Mapping::new(STACK, Sharing::Private)?;
    stack.guard()?;
    Ok(stack)
}

fn last_capability() -> Result<u32, Error> {
    const FILE: &str = "/proc/sys/kernel/cap_last_cap";
    let content = fs::read_to_string(FILE).map_err(Error::io(format!("read {FILE}")))?;
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    content.trim().parse().map_err(invalid).map_err(Error::io(format!("read {FILE}")))
}

fn text(value: &OsStr) -> Result<CString, Error> {
    CString::new(value.as_bytes()).map_err(io::Error::from).map_err(Error::io(format!("use {value:?}")))
}

/// Strings and the array of pointers to them, with null at the end.
#[derive(Debug)]
struct Strings {
    pointers: Vec<*const i8>,
    _owned: Vec<CString>,
}

// SAFETY: the pointers point into the strings of the same value, which are not tied to a thread.
unsafe impl Send for Strings {}

impl Strings {
    fn new(values: &[&OsStr]) -> Result<Strings, Error> {
        let owned = values.iter().map(|value| text(value)).collect::<Result<Vec<_>, _>>()?;
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Ok(Strings { pointers, _owned: owned })
    }

    fn as_ptr(&self) -> *const *const i8 {
        self.pointers.as_ptr()
    }
}
