//! The straight line: what the child does between clone and exec.
//!
//! It may run in the parent's memory, beside the parent's threads: no allocation, no lock, no libc, no panic.

use std::ffi::CStr;

use super::calls::{self, Answer};
use super::cell::{Cell, Fault};
use super::sandbox;

/// What one child does; everything is prepared by the parent.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) cell: &'a Cell,
    /// The child shares the parent's memory.
    pub(super) private: bool,
    /// A user namespace: the parent writes the id maps first.
    pub(super) wait: bool,
    /// Becomes stdout and stderr.
    pub(super) output: Option<i32>,
    /// A mount namespace to join.
    pub(super) join: Option<i32>,
    /// Own process group and a limit on files: for programs that are not ours.
    pub(super) fence: Option<u64>,
    /// A new root with all that belongs to it.
    pub(super) root: Option<&'a CStr>,
    /// The highest capability of the kernel.
    pub(super) last_capability: u32,
    pub(super) path: &'a CStr,
    pub(super) argv: *const *const i8,
    pub(super) envp: *const *const i8,
}

/// The child's first and last function.
pub(super) extern "C" fn enter(script: &Script<'_>) -> ! {
    let fault = match line(script) {
        Ok(never) => match never {},
        Err(fault) => fault,
    };
    script.cell.complain(fault);
    calls::exit(127)
}

/// Names a step.
#[inline(always)]
pub(super) fn step(step: &'static str, answer: Answer) -> Result<u64, Fault> {
    answer.map_err(|errno| Fault { step, errno })
}

fn line(script: &Script<'_>) -> Result<std::convert::Infallible, Fault> {
    if script.wait {
        script.cell.wait(script.private);
    }
    if let Some(fd) = script.output {
        step("stdout", calls::dup2(fd, 1))?;
        step("stderr", calls::dup2(fd, 2))?;
    }
    if let Some(fd) = script.join {
        step("join the mount namespace", calls::setns(fd, libc::CLONE_NEWNS))?;
    }
    if let Some(bytes) = script.fence {
        step("process group", calls::own_group())?;
        step("limit of file sizes", calls::limit_file_size(bytes))?;
    }
    if let Some(root) = script.root {
        sandbox::build(root)?;
        sandbox::drop_rights(script.last_capability)?;
    }
    step("default SIGPIPE", calls::default_sigpipe())?;
    step("signal mask", calls::signal_mask(0))?;
    // SAFETY: the parent has built both arrays from strings, with null at the end.
    let errno = unsafe { calls::execve(script.path, script.argv, script.envp) };
    Err(Fault { step: "execve", errno })
}
