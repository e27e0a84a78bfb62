//! `clone3` onto a stack of the new process's own, in the caller's memory.

use std::arch::asm;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

use super::stack::{Lease, Stack};
use super::stub::{Stub, first_stage, second_stage};
use crate::init::sys::nr;
use crate::spawn::wait;
use crate::{Errno, Error};

/// `struct clone_args`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CloneArguments {
    pub(super) flags: u64,
    pub(super) pidfd: u64,
    pub(super) child_tid: u64,
    pub(super) parent_tid: u64,
    pub(super) exit_signal: u64,
    pub(super) stack: u64,
    pub(super) stack_size: u64,
    pub(super) tls: u64,
    pub(super) set_tid: u64,
    pub(super) set_tid_size: u64,
    pub(super) cgroup: u64,
}

const CLONE_VM: u64 = 0x0000_0100;
const CLONE_FILES: u64 = 0x0000_0400;
const CLONE_PIDFD: u64 = 0x0000_1000;
const CLONE_VFORK: u64 = 0x0000_4000;
const CLONE_PARENT: u64 = 0x0000_8000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A new process that still may read the caller's memory: it is ended and reaped when this is dropped, before
/// that memory goes away. [`release`](Self::release) lets it live, once it has executed the init.
#[derive(Debug)]
pub(crate) struct Cloned<'a> {
    pid: u32,
    pidfd: ManuallyDrop<OwnedFd>,
    stack: ManuallyDrop<Lease>,
    reads: PhantomData<&'a Stub<'a>>,
}

impl Cloned<'_> {
    /// Its id in the caller's pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its pidfd.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The process has gone on in another; gives the former one.
    pub(crate) fn replace(&mut self, pid: u32, pidfd: OwnedFd) -> (u32, OwnedFd) {
        let before = std::mem::replace(&mut *self.pidfd, pidfd);
        (std::mem::replace(&mut self.pid, pid), before)
    }

    /// Lets the process live. It has memory of its own now.
    pub(crate) fn release(self) -> (u32, OwnedFd) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again and not dropped, so each is taken once.
        unsafe {
            ManuallyDrop::drop(&mut this.stack);
            (this.pid, ManuallyDrop::take(&mut this.pidfd))
        }
    }
}

impl Drop for Cloned<'_> {
    fn drop(&mut self) {
        // What went wrong before is what the caller hears of. Without a kill by pidfd, which the kernel never
        // refuses to a parent in its own user namespace or above, the stack would stay lent.
        let gone = matches!(wait::abort(self.pidfd.as_fd(), self.pid), Ok(_) | Err(Error::StatusLost { .. }));
        // SAFETY: dropped here and nowhere else; the stack only if no process uses it.
        unsafe {
            ManuallyDrop::drop(&mut self.pidfd);
            if gone {
                ManuallyDrop::drop(&mut self.stack);
            }
        }
    }
}

/// Makes a process that runs the stub. With `stub.mounts_from` set, a first process enters that mount namespace
/// and makes it. `namespaces` are `CLONE_NEW*` flags.
pub(crate) fn clone<'a>(
    stub: &'a mut Stub<'a>,
    namespaces: u32,
    cgroup: Option<RawFd>,
) -> Result<Cloned<'a>, Error> {
    let stack = Stack::take()?;
    let [lower, upper] = stack.halves();
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArguments {
        flags: CLONE_VM | CLONE_PIDFD | u64::from(namespaces),
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        stack: lower.0,
        stack_size: lower.1,
        ..CloneArguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.unsigned_abs());
    }
    let masked = SignalsBlocked::new()?;
    // SAFETY: the stub and what it points to are borrowed for as long as the result lives, whose drop waits for
    // the end of the process. The stacks are this process's alone.
    let (call, result) = unsafe {
        match stub.mounts_from {
            None => ("clone3", clone_onto(&raw const arguments, second_stage, stub)),
            Some(_) => two_stages(stub, arguments, upper),
        }
    };
    drop(masked);
    let Ok(pid) = u32::try_from(result) else {
        return Err(failed(call, Errno::new(i32::try_from(-result).unwrap_or(0)), namespaces));
    };
    // SAFETY: the kernel has put a new descriptor there.
    let pidfd = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(pidfd) });
    Ok(Cloned { pid, pidfd, stack: ManuallyDrop::new(stack), reads: PhantomData })
}

/// Clones a first process that shares the descriptors, so that the pidfd of the second appears here, waits for
/// its end, and reaps it. The second is a child of this process by `CLONE_PARENT`.
///
/// # Safety
///
/// The stub and all that it points to stay valid until the second process has executed the init or has ended.
unsafe fn two_stages(
    stub: &mut Stub<'_>,
    second: CloneArguments,
    (stack, stack_size): (u64, u64),
) -> (&'static str, isize) {
    stub.second = CloneArguments { flags: second.flags | CLONE_PARENT, exit_signal: 0, ..second };
    let flags = CLONE_VM | CLONE_FILES | CLONE_VFORK;
    let arguments = CloneArguments { flags, stack, stack_size, ..CloneArguments::default() };
    // SAFETY: as the caller promises. CLONE_VFORK returns when the first process has ended.
    let first = unsafe { clone_onto(&raw const arguments, first_stage, stub) };
    if first < 0 {
        return ("clone3", first);
    }
    // SAFETY: reaps the child just made; a null status is allowed.
    unsafe { libc::syscall(libc::SYS_wait4, first, std::ptr::null_mut::<i32>(), libc::__WALL, 0) };
    let result = stub.result.load(Ordering::Acquire);
    ("clone3 from the other mount namespace", result)
}

/// `clone3`; the child runs `entry` on the stack in the arguments.
///
/// # Safety
///
/// The arguments name a stack that is large enough and used by nobody else, and `entry` does not return.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn clone_onto(
    arguments: *const CloneArguments,
    entry: unsafe extern "C" fn(*mut Stub<'_>) -> !,
    stub: *mut Stub<'_>,
) -> isize {
    let result: isize;
    // SAFETY: the parent's registers and stack are as after any system call. The child has the parent's registers
    // and an empty, aligned stack; it calls `entry` and never comes back.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") nr::CLONE3 as usize => result,
            in("rdi") arguments,
            in("rsi") size_of::<CloneArguments>(),
            in("r12") stub,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// `clone3`; the child runs `entry` on the stack in the arguments. Unverified: no such machine has run it yet.
///
/// # Safety
///
/// The arguments name a stack that is large enough and used by nobody else, and `entry` does not return.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn clone_onto(
    arguments: *const CloneArguments,
    entry: unsafe extern "C" fn(*mut Stub<'_>) -> !,
    stub: *mut Stub<'_>,
) -> isize {
    let result: isize;
    // SAFETY: the parent's registers and stack are as after any system call. The child has the parent's registers
    // and an empty, aligned stack; it calls `entry` and never comes back.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") nr::CLONE3 as usize,
            inlateout("x0") arguments => result,
            in("x1") size_of::<CloneArguments>(),
            in("x20") stub,
            in("x21") entry,
        );
    }
    result
}

fn failed(call: &'static str, errno: Errno, namespaces: u32) -> Error {
    if errno.number() == libc::ENOSYS {
        return Error::Unsupported { feature: "clone3 with namespaces and pidfd", since: "5.3", errno };
    }
    let namespaces = crate::Namespaces::from_bits(namespaces).to_string();
    Error::Clone { namespaces, call, errno }
}

/// All signals blocked in this thread, also those that libc keeps for itself, until dropped.
struct SignalsBlocked {
    before: u64,
}

impl SignalsBlocked {
    fn new() -> Result<Self, Error> {
        let (all, mut before) = (u64::MAX, 0_u64);
        set_mask(&all, Some(&mut before)).map(|()| Self { before })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // Cannot fail: a valid pointer, size and operation.
        drop(set_mask(&self.before, None));
    }
}

fn set_mask(mask: &u64, before: Option<&mut u64>) -> Result<(), Error> {
    let before = before.map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: masks of eight bytes, as the kernel has them.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, before, size_of::<u64>()) };
    super::last(result).map(|_| ()).map_err(|errno| Error::Call { call: "rt_sigprocmask", errno })
}
