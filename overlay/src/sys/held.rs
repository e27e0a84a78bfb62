//! A process that does nothing, in a user namespace of its own, so that the namespace exists while its maps are
//! written. It lives for some hundred microseconds.
//!
//! It shares the caller's memory and descriptors (`CLONE_VM`, `CLONE_FILES`), so that making it costs the same in a
//! large program as in a small one, and no descriptor is held open by it. It shares the caller's stack pointer too,
//! and is harmless because it never uses it: what it runs is a few instructions without any access to memory. All
//! signals are blocked in it, so that no handler runs there either. It has no exit signal, so nobody in the program
//! who waits for children meets it. It ends with the thread that made it.

use std::arch::asm;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal};

use crate::Errno;

/// `struct clone_args`, as of Linux 5.3.
#[repr(C)]
#[derive(Debug, Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

const CLONE_VM: u64 = 0x0000_0100;
const CLONE_FILES: u64 = 0x0000_0400;
const CLONE_PIDFD: u64 = 0x0000_1000;
const CLONE_NEWUSER: u64 = 0x1000_0000;

/// The process, killed and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct HeldProcess {
    pid: u32,
    pidfd: OwnedFd,
}

impl HeldProcess {
    /// Makes it, in a new user namespace.
    pub(crate) fn in_user_namespace() -> Result<Self, Errno> {
        let mut pidfd: RawFd = -1;
        let arguments = CloneArguments {
            flags: CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_NEWUSER,
            pidfd: (&raw mut pidfd).expose_provenance() as u64,
            ..CloneArguments::default()
        };
        let masked = SignalsBlocked::new()?;
        // SAFETY: the arguments are those of a process that uses neither stack nor memory, as `clone_held` promises
        // of it, and the kernel writes one descriptor to `pidfd`.
        let result = unsafe { clone_held(&raw const arguments, std::process::id()) };
        drop(masked);
        let Ok(pid) = u32::try_from(result) else {
            return Err(Errno::from_raw(i32::try_from(-result).unwrap_or(libc::EIO)));
        };
        // SAFETY: the kernel has put a new descriptor there, which nobody else owns.
        Ok(Self { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
    }

    /// Its id in the caller's pid namespace. It stays its id until this value is dropped.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for HeldProcess {
    fn drop(&mut self) {
        // The kernel refuses neither to a parent that has not reaped its child; and nobody else reaps this one, as
        // it has no exit signal.
        let by_id = || Pid::from_raw(self.pid.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
        if pidfd_send_signal(self.pidfd.as_fd(), Signal::KILL).is_ok()
            || by_id().is_some_and(|sent| sent.is_ok())
        {
            reap(&self.pidfd);
        }
    }
}

fn reap(pidfd: &OwnedFd) {
    const P_PIDFD: libc::idtype_t = 3;
    let id = pidfd.as_raw_fd().unsigned_abs();
    loop {
        // SAFETY: a null pointer for the information is allowed in the kernel's call, and the descriptor is open.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                P_PIDFD,
                id,
                std::ptr::null_mut::<libc::siginfo_t>(),
                libc::WEXITED | libc::__WALL,
                std::ptr::null_mut::<libc::rusage>(),
            )
        };
        if result == 0 || Errno::last() != Errno::from_raw(libc::EINTR) {
            return;
        }
    }
}

/// `clone3`; the child asks to be killed with its parent's thread, ends if that has come too late, and then sleeps
/// for ever.
///
/// # Safety
///
/// The arguments are valid; signals are blocked.
#[cfg(target_arch = "x86_64")]
unsafe fn clone_held(arguments: *const CloneArguments, parent: u32) -> i64 {
    let result: i64;
    // SAFETY: the parent's registers and stack are as after any system call. The child reads and writes no memory,
    // and never leaves the loop.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 4f",
            "mov edi, 1", // PR_SET_PDEATHSIG
            "mov esi, 9", // SIGKILL
            "mov eax, {prctl}",
            "syscall",
            "mov eax, {getppid}",
            "syscall",
            "cmp eax, r12d",
            "jne 3f",
            "2:",
            "mov eax, {pause}",
            "syscall",
            "jmp 2b",
            "3:",
            "xor edi, edi",
            "mov eax, {exit}",
            "syscall",
            "ud2",
            "4:",
            prctl = const libc::SYS_prctl,
            getppid = const libc::SYS_getppid,
            pause = const libc::SYS_pause,
            exit = const libc::SYS_exit,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<CloneArguments>(),
            in("r12") parent,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// `clone3`; the child asks to be killed with its parent's thread, ends if that has come too late, and then sleeps
/// for ever. Unverified: no such machine has run it yet.
///
/// # Safety
///
/// The arguments are valid; signals are blocked.
#[cfg(target_arch = "aarch64")]
unsafe fn clone_held(arguments: *const CloneArguments, parent: u32) -> i64 {
    let result: i64;
    // SAFETY: the parent's registers and stack are as after any system call. The child reads and writes no memory,
    // and never leaves the loop.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 4f",
            "mov x0, #1", // PR_SET_PDEATHSIG
            "mov x1, #9", // SIGKILL
            "mov x8, {prctl}",
            "svc 0",
            "mov x8, {getppid}",
            "svc 0",
            "cmp w0, w20",
            "b.ne 3f",
            "2:",
            "mov x0, xzr", // ppoll of nothing, without a limit: there is no pause
            "mov x1, xzr",
            "mov x2, xzr",
            "mov x3, xzr",
            "mov x4, xzr",
            "mov x8, {ppoll}",
            "svc 0",
            "b 2b",
            "3:",
            "mov x0, xzr",
            "mov x8, {exit}",
            "svc 0",
            "brk #1",
            "4:",
            prctl = const libc::SYS_prctl,
            getppid = const libc::SYS_getppid,
            ppoll = const libc::SYS_ppoll,
            exit = const libc::SYS_exit,
            in("x8") libc::SYS_clone3,
            inlateout("x0") arguments => result,
            in("x1") size_of::<CloneArguments>(),
            in("x20") parent,
        );
    }
    result
}

/// All signals blocked in this thread, also those that libc keeps for itself, until dropped.
struct SignalsBlocked {
    before: u64,
}

impl SignalsBlocked {
    fn new() -> Result<Self, Errno> {
        let (all, mut before) = (u64::MAX, 0_u64);
        set_mask(&all, Some(&mut before)).map(|()| Self { before })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // Cannot fail: a valid pointer, size and operation.
        set_mask(&self.before, None).unwrap_or_default();
    }
}

fn set_mask(mask: &u64, before: Option<&mut u64>) -> Result<(), Errno> {
    let before = before.map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let mask = std::ptr::from_ref(mask);
    // SAFETY: masks of eight bytes, as the kernel has them.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, before, size_of::<u64>()) };
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    fn state(held: &HeldProcess) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", held.pid())).ok()?;
        stat.rsplit(") ").next()?.chars().next()
    }

    fn until(held: &HeldProcess, wanted: char) {
        let end = Instant::now() + Duration::from_secs(10);
        while state(held) != Some(wanted) {
            assert!(Instant::now() < end, "{:?}", state(held));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn it_sleeps_until_it_is_dropped() {
        let held = match HeldProcess::in_user_namespace() {
            Ok(held) => held,
            Err(errno) => {
                assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|v| v != "1"), "{errno}");
                eprintln!("skipped: no user namespace: {errno}");
                return;
            }
        };
        until(&held, 'S');
        let namespace = |id: &str| std::fs::read_link(format!("/proc/{id}/ns/user")).unwrap_or_default();
        assert_ne!(namespace(&held.pid().to_string()), namespace("self"));
        let directory = PathBuf::from(format!("/proc/{}", held.pid()));
        drop(held);
        assert!(!directory.exists());
    }

    #[test]
    fn it_ends_with_the_thread_that_made_it() {
        let thread = std::thread::spawn(|| {
            let held = HeldProcess::in_user_namespace().ok()?;
            until(&held, 'S');
            Some(held)
        });
        match thread.join().unwrap() {
            Some(held) => until(&held, 'Z'),
            None => eprintln!("skipped: no user namespace"),
        }
    }
}
