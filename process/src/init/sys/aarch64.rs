//! aarch64: system calls. Written from the kernel's tables, unverified: no such machine has run it yet.

use core::arch::asm;

/// The numbers of the calls that the init makes by itself.
pub(crate) mod nr {
    pub(crate) const GETCWD: u32 = 17;
    pub(crate) const DUP3: u32 = 24;
    pub(crate) const FCNTL: u32 = 25;
    pub(crate) const MKDIRAT: u32 = 34;
    pub(crate) const FSTATFS: u32 = 44;
    pub(crate) const OPENAT: u32 = 56;
    pub(crate) const CLOSE: u32 = 57;
    pub(crate) const READLINKAT: u32 = 78;
    pub(crate) const CAPGET: u32 = 90;
    pub(crate) const CAPSET: u32 = 91;
    pub(crate) const EXIT_GROUP: u32 = 94;
    pub(crate) const UNSHARE: u32 = 97;
    pub(crate) const KILL: u32 = 129;
    pub(crate) const RT_SIGACTION: u32 = 134;
    pub(crate) const RT_SIGTIMEDWAIT: u32 = 137;
    pub(crate) const PRCTL: u32 = 167;
    pub(crate) const RECVFROM: u32 = 207;
    pub(crate) const SENDMSG: u32 = 211;
    pub(crate) const RECVMSG: u32 = 212;
    pub(crate) const EXECVE: u32 = 221;
    pub(crate) const MMAP: u32 = 222;
    pub(crate) const ACCEPT4: u32 = 242;
    pub(crate) const WAIT4: u32 = 260;
    pub(crate) const SETNS: u32 = 268;
    pub(crate) const EXECVEAT: u32 = 281;
    pub(crate) const STATX: u32 = 291;
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
    // SAFETY: the kernel's calling convention; all registers but x0 are preserved.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") arguments[0] => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack),
        );
    }
    result
}
