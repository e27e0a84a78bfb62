//! Processes that sleep in a cgroup: all children of the bench, all of them tiny.
//!
//! One is started. On a word it makes as many others as it is told, where it is by then, and as children of the bench:
//! a cgroup is populated by moving one process. All of them end with the bench.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Error;
use crate::workload::{self, EDI, EDX, ESI, call, mov};

/// The program, in a folder that is removed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    _folder: TempDir,
    path: PathBuf,
}

impl Program {
    /// Writes it.
    pub(crate) fn new() -> Result<Program, Error> {
        let folder = tempfile::Builder::new().prefix("cofferdam-bench-").tempdir();
        let folder = folder.map_err(Error::io("make a temporary folder"))?;
        let path = folder.path().join("sleepers");
        workload::install(&path, &image()).map_err(Error::io(format!("write {}", path.display())))?;
        Ok(Program { _folder: folder, path })
    }

    /// Starts one process, which sleeps.
    pub(crate) fn start(&self) -> Result<Sleepers, Error> {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut first = command.spawn().map_err(Error::io(format!("start {}", self.path.display())))?;
        let (Some(word), Some(ready)) = (first.stdin.take(), first.stdout.take()) else {
            return Err(Error::Inner("a process without pipes".to_owned()));
        };
        Ok(Sleepers { first, word, ready, left: 1 })
    }
}

/// Sleeping processes, killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Sleepers {
    first: Child,
    word: ChildStdin,
    ready: ChildStdout,
    left: u32,
}

impl Sleepers {
    /// The first of them.
    pub(crate) fn pid(&self) -> i32 {
        self.first.id().cast_signed()
    }

    /// Makes them `count` altogether, once; all have begun to sleep then.
    pub(crate) fn grow(&mut self, count: u32) -> Result<(), Error> {
        self.left = count;
        self.word.write_all(&count.to_ne_bytes()).map_err(Error::io("wake the first process"))?;
        let mut ready = vec![0; usize::try_from(count).unwrap_or_default()];
        self.ready.read_exact(&mut ready).map_err(Error::io(format!("make {count} processes")))
    }

    /// Waits until all have ended, as they must have been told by somebody; fails if one was not killed.
    pub(crate) fn reap(mut self) -> Result<(), Error> {
        while self.left > 0 {
            match self.wait().map_err(Error::errno("wait for the processes"))? {
                WaitStatus::Signaled(_, Signal::SIGKILL, _) => {}
                other => return Err(Error::Undone(format!("a process ended otherwise: {other:?}"))),
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> nix::Result<WaitStatus> {
        let ended = waitpid(Pid::from_raw(-self.pid()), None)?;
        self.left -= 1;
        Ok(ended)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        // Nobody is left to kill after `reap`, and an error has no one to go to.
        if self.left > 0 && killpg(Pid::from_raw(self.pid()), Signal::SIGKILL).is_ok() {
            while self.left > 0 && self.wait() != Err(Errno::ECHILD) {}
        }
    }
}

/// Reads how many there shall be, makes the others beside itself, and sleeps. On end of file it exits instead; where
/// a process cannot be made it kills all.
fn image() -> Vec<u8> {
    const BESIDE: i32 = libc::CLONE_PARENT | libc::SIGCHLD;
    let mut code = vec![0x48, 0x83, 0xec, 16]; // sub rsp, 16
    arguments(&mut code, 0, 4);
    call(&mut code, libc::SYS_read);
    code.extend([0x83, 0xf8, 4, 0x74, 12]); // cmp eax, 4; je over the exit
    mov(&mut code, EDI, 0);
    call(&mut code, libc::SYS_exit_group);
    code.extend([0x8b, 0x1c, 0x24]); // mov ebx, [rsp]
    let again = code.len();
    code.extend([0xff, 0xcb, 0x74, 0]); // dec ebx; jz rest
    let done = code.len();
    mov(&mut code, EDI, BESIDE.cast_unsigned());
    mov(&mut code, ESI, 0);
    mov(&mut code, EDX, 0);
    code.extend([0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0]); // xor r10d, r10d; xor r8d, r8d
    call(&mut code, libc::SYS_clone);
    code.extend([0x85, 0xc0, 0x74, 0]); // test eax, eax; jz rest
    let child = code.len();
    code.extend([0x79, 0]); // jns again
    let next = code.len();
    code[next - 1] = back(again, next);
    mov(&mut code, EDI, 0);
    mov(&mut code, ESI, libc::SIGKILL.cast_unsigned());
    call(&mut code, libc::SYS_kill);
    let rest = code.len();
    code[done - 1] = forth(done, rest);
    code[child - 1] = forth(child, rest);
    mov(&mut code, EDI, libc::PR_SET_PDEATHSIG.cast_unsigned());
    mov(&mut code, ESI, libc::SIGKILL.cast_unsigned());
    call(&mut code, libc::SYS_prctl);
    arguments(&mut code, 1, 1);
    call(&mut code, libc::SYS_write);
    let sleep = code.len();
    call(&mut code, libc::SYS_pause);
    code.extend([0xeb, 0]); // jmp sleep
    let end = code.len();
    code[end - 1] = back(sleep, end);
    workload::image(&[], &code)
}

/// A descriptor, the top of the stack, a length.
fn arguments(code: &mut Vec<u8>, fd: u32, len: u32) {
    mov(code, EDI, fd);
    code.extend([0x48, 0x89, 0xe6]); // mov rsi, rsp
    mov(code, EDX, len);
}

fn forth(from: usize, to: usize) -> u8 {
    u8::try_from(to - from).unwrap_or_default()
}

/// The distance as a negative number in one byte.
fn back(to: usize, from: usize) -> u8 {
    u8::try_from(256 + to - from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_sleep_as_asked_and_none_stays() {
        let program = Program::new().unwrap();
        let mut sleepers = program.start().unwrap();
        sleepers.grow(5).unwrap();
        let group = Pid::from_raw(sleepers.pid());
        drop(sleepers);
        assert_eq!(killpg(group, None), Err(Errno::ESRCH));
    }

    #[test]
    fn reaping_tells_that_all_were_killed() {
        let mut sleepers = Program::new().unwrap().start().unwrap();
        sleepers.grow(3).unwrap();
        killpg(Pid::from_raw(sleepers.pid()), Signal::SIGKILL).unwrap();
        sleepers.reap().unwrap();
    }
}
