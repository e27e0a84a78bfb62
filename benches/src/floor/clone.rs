//! `clone3` in its two forms: sharing the memory with a stack of its own, or copying it as `fork` does.

use std::arch::asm;

use super::calls::{self, Answer};
use super::child::{self, Script};
use crate::sys::Mapping;

/// Handlers of the parent do not exist in the child (libc's constant does not fit its own type).
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// `struct clone_args` up to `cgroup` (`CLONE_ARGS_SIZE_VER2`).
#[repr(C)]
#[derive(Debug, Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Starts a child that runs `script`; answers with its pid. With a stack the child shares the caller's memory.
///
/// # Safety
///
/// The stack must be unused until the child has executed its program or ended, and so long everything that `script`
/// refers to must stay as it is. All signals must be blocked.
pub(super) unsafe fn spawn(script: &Script<'_>, kinds: u64, stack: Option<&Mapping>) -> Answer {
    let mut args = CloneArgs {
        flags: kinds | CLONE_CLEAR_SIGHAND,
        exit_signal: calls::word(libc::SIGCHLD),
        ..CloneArgs::default()
    };
    if let Some(stack) = stack {
        args.flags |= calls::word(libc::CLONE_VM);
        args.stack = calls::word(stack.start().as_ptr());
        args.stack_size = calls::word(stack.len());
    }
    // SAFETY: the arguments live across the call; the rest is the caller's promise.
    calls::answer(unsafe { clone3(&args, script) })
}

/// # Safety
///
/// As for [`spawn`]; `args` must be sound.
#[inline(never)]
unsafe fn clone3(args: &CloneArgs, script: &Script<'_>) -> i64 {
    let answer: i64;
    // SAFETY: the parent goes on after the block with rax, rcx and r11 changed, as declared. The child never leaves
    // it: it calls `child::enter` on an aligned stack, which does not return.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "and rsp, -16",
            "mov rdi, r12",
            "call {enter}",
            "ud2",
            "2:",
            enter = sym child::enter,
            inlateout("rax") libc::SYS_clone3 => answer,
            in("rdi") args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") script,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    answer
}

/// libc's `fork`, with `script` in the child.
///
/// # Safety
///
/// All signals must be blocked.
pub(super) unsafe fn fork(script: &Script<'_>) -> Answer {
    // SAFETY: the child makes raw system calls only, so other threads' locks do not matter.
    match unsafe { libc::fork() } {
        0 => child::enter(script),
        pid => u64::try_from(pid).map_err(|_| libc::EAGAIN),
    }
}
