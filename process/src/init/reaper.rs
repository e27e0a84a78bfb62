//! Process 1 of a pid namespace: reaps orphans, forwards signals, ends with the program.

use super::machine::Machine;
use super::sys::{self, checked, fd, nr};

const SIGCHLD: u32 = 17;
const WNOHANG: usize = 1;

/// Goes on in a child, which becomes the program; this process stays. All signals are blocked since the clone,
/// so none is lost: they wait to be taken.
pub(super) fn stay(machine: &mut Machine<'_>) -> Result<usize, i32> {
    let arguments = [0, 0, 0, 0, u64::from(SIGCHLD), 0, 0, 0_u64];
    // SAFETY: without CLONE_VM this is a fork: the child has its own copy of the memory and goes on here.
    let child =
        unsafe { checked(nr::CLONE3, [arguments.as_ptr() as usize, size_of_val(&arguments), 0, 0, 0, 0])? };
    if child == 0 {
        return Ok(0);
    }
    // SAFETY: takes numbers only. The child reports to the caller from here on.
    unsafe { checked(nr::CLOSE_RANGE, [0, i32::MAX as usize, 0, 0, 0, 0])? };
    machine.control = -1;
    loop {
        let (signal, from_process) = next_signal();
        if signal == SIGCHLD {
            reap(child);
        } else if from_process {
            // SAFETY: takes numbers only; a child that is just ending needs no signal.
            let _ = unsafe { sys::call(nr::KILL as usize, [child, signal as usize, 0, 0, 0, 0]) };
        }
    }
}

/// Takes the next signal; tells whether a process sent it. What the terminal sends goes to the program anyhow.
fn next_signal() -> (u32, bool) {
    let all = u64::MAX;
    let mut info = [0_i32; 32];
    loop {
        let arguments = [(&raw const all) as usize, info.as_mut_ptr() as usize, 0, 8, 0, 0];
        // SAFETY: the mask is eight bytes, the buffer has the size of `siginfo_t`.
        if let Ok(signal) = unsafe { checked(nr::RT_SIGTIMEDWAIT, arguments) } {
            // The third word is si_code; zero and below means sent by a process.
            return (signal as u32, info[2] <= 0);
        }
    }
}

/// Reaps whatever has ended. When it is the program, this process ends with its status, and the kernel ends
/// all that is left in the namespace.
fn reap(child: usize) {
    loop {
        let mut status: i32 = 0;
        let arguments = [fd(-1), (&raw mut status) as usize, WNOHANG, 0, 0, 0];
        // SAFETY: the kernel writes one number.
        match unsafe { checked(nr::WAIT4, arguments) } {
            Ok(0) | Err(_) => return,
            Ok(pid) if pid == child => sys::exit(code(status)),
            Ok(_) => {}
        }
    }
}

/// The exit code for a wait status, as a shell gives it.
fn code(status: i32) -> i32 {
    let signal = status & 0x7f;
    if signal == 0 { (status >> 8) & 0xff } else { 128 + signal }
}
