//! x86_64: system calls, the entry of the init.

use core::arch::asm;

/// The numbers of the calls that the init makes by itself.
pub(crate) mod nr {
    pub(crate) const CLOSE: u32 = 3;
    pub(crate) const MMAP: u32 = 9;
    pub(crate) const RT_SIGACTION: u32 = 13;
    pub(crate) const RECVFROM: u32 = 45;
    pub(crate) const SENDMSG: u32 = 46;
    pub(crate) const RECVMSG: u32 = 47;
    pub(crate) const EXECVE: u32 = 59;
    pub(crate) const WAIT4: u32 = 61;
    pub(crate) const KILL: u32 = 62;
    pub(crate) const FCNTL: u32 = 72;
    pub(crate) const GETCWD: u32 = 79;
    pub(crate) const CAPGET: u32 = 125;
    pub(crate) const CAPSET: u32 = 126;
    pub(crate) const RT_SIGTIMEDWAIT: u32 = 128;
    pub(crate) const FSTATFS: u32 = 138;
    pub(crate) const PRCTL: u32 = 157;
    pub(crate) const EXIT_GROUP: u32 = 231;
    pub(crate) const OPENAT: u32 = 257;
    pub(crate) const READLINKAT: u32 = 267;
    pub(crate) const UNSHARE: u32 = 272;
    pub(crate) const MKDIRAT: u32 = 258;
    pub(crate) const ACCEPT4: u32 = 288;
    pub(crate) const DUP3: u32 = 292;
    pub(crate) const SETNS: u32 = 308;
    pub(crate) const EXECVEAT: u32 = 322;
    pub(crate) const STATX: u32 = 332;
    pub(crate) const CLONE3: u32 = 435;
    pub(crate) const CLOSE_RANGE: u32 = 436;
    pub(crate) const OPENAT2: u32 = 437;
    pub(crate) const FACCESSAT2: u32 = 439;
}

/// A system call.
///
/// # Safety
///
/// The arguments must be what the call with this number asks for; pointers among them must be valid for it.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel's calling convention; it clobbers rcx and r11 and nothing else.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
