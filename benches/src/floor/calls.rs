//! The system calls of the straight line, as safe functions where the types make them so.
//!
//! Answers are `Result<u64, i32>` with the plain error number: nothing here allocates or touches thread-local storage, so
//! all of it may run in a child that shares the parent's memory.

use std::ffi::CStr;
use std::ptr;

pub(super) use crate::sys::{Answer, answer};
use crate::sys::{Reg, syscall};

#[inline(always)]
fn address(text: Option<&CStr>) -> *const libc::c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}

/// `mount(2)`; absent strings are null.
#[inline(always)]
pub(super) fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: u64,
    data: Option<&CStr>,
) -> Answer {
    // SAFETY: the kernel only reads the strings, which end with a zero byte and live across the call.
    answer(unsafe {
        syscall!(libc::SYS_mount, address(source), target.as_ptr(), address(kind), flags, address(data))
    })
}

/// A call of which each argument is a string or a number: `chdir`, `symlink`, `mkdirat`, ...
macro_rules! text_call {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $kind:ty => $value:expr),*) = $number:expr) => {
        $(#[$doc])*
        #[inline(always)]
        pub(super) fn $name($($arg: $kind),*) -> Answer {
            // SAFETY: strings are only read and end with a zero byte; numbers go by value; the call changes no memory.
            answer(unsafe { syscall!($number, $($value),*) })
        }
    };
}

text_call!(/** `chdir(2)`. */ chdir(path: &CStr => path.as_ptr()) = libc::SYS_chdir);
text_call!(/** `mkdir(2)`. */ mkdir(path: &CStr => path.as_ptr(), mode: u32 => mode) = libc::SYS_mkdir);
text_call!(/** `mknod(2)` of an empty plain file. */ plain_file(path: &CStr => path.as_ptr(), mode: u32 => libc::S_IFREG | mode) = libc::SYS_mknod);
text_call!(/** `symlink(2)`. */ symlink(to: &CStr => to.as_ptr(), at: &CStr => at.as_ptr()) = libc::SYS_symlink);
text_call!(/** `pivot_root(2)`. */ pivot_root(root: &CStr => root.as_ptr(), old: &CStr => old.as_ptr()) = libc::SYS_pivot_root);
text_call!(/** `umount2(2)`. */ umount(path: &CStr => path.as_ptr(), flags: i32 => flags) = libc::SYS_umount2);
text_call!(/** `setns(2)`. */ setns(fd: i32 => fd, kind: i32 => kind) = libc::SYS_setns);
text_call!(/** `dup2(2)`. */ dup2(from: i32 => from, to: i32 => to) = libc::SYS_dup2);
text_call!(/** `setpgid(0, 0)`. */ own_group() = libc::SYS_setpgid);
text_call!(/** `prctl(2)` with numbers only. */ prctl(option: i32 => option, value: u32 => value) = libc::SYS_prctl);
text_call!(/** `kill(2)`. */ kill(pid: i32 => pid, signal: i32 => signal) = libc::SYS_kill);

/// Limits the size of files that the process may write.
#[inline(always)]
pub(super) fn limit_file_size(bytes: u64) -> Answer {
    let limit = [bytes, bytes];
    // SAFETY: the kernel reads the two words of the new limit; the old one is not asked for.
    answer(unsafe {
        syscall!(libc::SYS_prlimit64, 0, libc::RLIMIT_FSIZE, limit.as_ptr(), ptr::null::<u64>())
    })
}

/// Empties the effective, permitted and inheritable sets.
#[inline(always)]
pub(super) fn drop_capabilities() -> Answer {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let sets = [0_u32; 6];
    // SAFETY: both are only read and have the sizes of version 3: two and six 32-bit words.
    answer(unsafe { syscall!(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) })
}

/// Sets the signal mask of the thread and answers with the former one.
#[inline(always)]
pub(super) fn signal_mask(mask: u64) -> Result<u64, i32> {
    let mut old = 0_u64;
    // SAFETY: both sets are 8 bytes as said; the mask of the calling thread only.
    let raw =
        unsafe { syscall!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, 8) };
    answer(raw).map(|_| old)
}

/// Gives SIGPIPE, which Rust programs ignore, its default action again.
#[inline(always)]
pub(super) fn default_sigpipe() -> Answer {
    let action = [0_u64; 4];
    // SAFETY: the kernel's sigaction is four words on x86-64, all zero is the default action; the child's signal
    // handlers are its own, as CLONE_SIGHAND is not used.
    answer(unsafe { syscall!(libc::SYS_rt_sigaction, libc::SIGPIPE, action.as_ptr(), ptr::null::<u64>(), 8) })
}

/// `execve(2)`; answers only when it failed.
///
/// # Safety
///
/// `argv` and `envp` must be arrays of strings that end with null.
#[inline(always)]
pub(super) unsafe fn execve(path: &CStr, argv: *const *const i8, envp: *const *const i8) -> i32 {
    // SAFETY: the path is a string; the arrays are the caller's promise.
    let raw = unsafe { syscall!(libc::SYS_execve, path.as_ptr(), argv, envp) };
    answer(raw).err().unwrap_or(libc::EIO)
}

/// Ends the process.
#[inline(always)]
pub(super) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: does not return and touches no memory.
        unsafe { syscall!(libc::SYS_exit_group, status) };
    }
}

/// Writes a control file: open, one write, close.
pub(super) fn write_file(path: &CStr, content: &[u8]) -> Result<(), i32> {
    // SAFETY: the path is a string, only read.
    let fd = answer(unsafe { syscall!(libc::SYS_open, path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel reads `content` only; the descriptor was just opened.
    let written = answer(unsafe { syscall!(libc::SYS_write, fd, content.as_ptr(), content.len()) });
    // SAFETY: the descriptor is ours and not used again.
    let closed = answer(unsafe { syscall!(libc::SYS_close, fd) });
    written?;
    closed.map(|_| ())
}

/// Waits while `word` is 0.
#[inline(always)]
pub(super) fn futex_wait(word: *const u32, flags: i32) -> Answer {
    // SAFETY: the kernel only reads the word; an unmapped address is answered with EFAULT.
    answer(unsafe { syscall!(libc::SYS_futex, word, libc::FUTEX_WAIT | flags, 0, ptr::null::<u64>()) })
}

/// Wakes the one that waits on `word`.
#[inline(always)]
pub(super) fn futex_wake(word: *const u32, flags: i32) -> Answer {
    // SAFETY: the address is only a key here.
    answer(unsafe { syscall!(libc::SYS_futex, word, libc::FUTEX_WAKE | flags, 1) })
}

/// A register's worth of `value`, for structures that the kernel reads.
pub(super) fn word(value: impl Reg) -> u64 {
    value.reg()
}

/// `prctl(PR_SET_NO_NEW_PRIVS)`, which insists on zeros after its first operand.
#[inline(always)]
pub(super) fn no_new_privs() -> Answer {
    // SAFETY: numbers only; it changes the calling thread's flag.
    answer(unsafe { syscall!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}
