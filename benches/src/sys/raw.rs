//! System calls without libc: no `errno` in thread-local storage, no cancellation points, nothing around them.

use std::arch::asm;

/// What fits in an argument register.
pub(crate) trait Reg {
    /// The register's value.
    fn reg(self) -> u64;
}

impl Reg for u64 {
    #[inline(always)]
    fn reg(self) -> u64 {
        self
    }
}

impl Reg for u32 {
    #[inline(always)]
    fn reg(self) -> u64 {
        u64::from(self)
    }
}

impl Reg for i32 {
    #[inline(always)]
    fn reg(self) -> u64 {
        i64::from(self).cast_unsigned()
    }
}

impl Reg for usize {
    #[inline(always)]
    fn reg(self) -> u64 {
        self as u64
    }
}

impl<T> Reg for *const T {
    #[inline(always)]
    fn reg(self) -> u64 {
        self.expose_provenance() as u64
    }
}

impl<T> Reg for *mut T {
    #[inline(always)]
    fn reg(self) -> u64 {
        self.expose_provenance() as u64
    }
}

/// The answer of a call or its error number.
pub(crate) type Answer = Result<u64, i32>;

/// Splits the kernel's answer.
#[inline(always)]
pub(crate) fn answer(raw: i64) -> Answer {
    u64::try_from(raw).map_err(|_| i32::try_from(-raw).unwrap_or(libc::EIO))
}

/// Pads the given arguments to six.
#[inline(always)]
pub(crate) fn fill<const N: usize>(given: [u64; N]) -> [u64; 6] {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&given);
    all
}

/// One system call; the answer is the kernel's, `-errno` on failure.
///
/// # Safety
///
/// The call with these arguments must be sound: pointers valid for what the kernel reads and writes, and no effect on
/// the memory map or the descriptors that other code relies on.
#[inline(always)]
pub(crate) unsafe fn raw(number: i64, args: [u64; 6]) -> i64 {
    let answer: i64;
    // SAFETY: the x86-64 convention of the kernel: it preserves all registers but rax, rcx and r11. Soundness of the
    // call itself is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer
}
