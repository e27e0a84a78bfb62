//! System calls by number, without libc, and the few kernel constants that the init needs.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{call, nr};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{call, nr};

pub(crate) const ENOENT: i32 = 2;
pub(crate) const EINTR: i32 = 4;
pub(crate) const EIO: i32 = 5;
pub(crate) const EBADF: i32 = 9;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const EACCES: i32 = 13;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EXDEV: i32 = 18;
pub(crate) const ENODEV: i32 = 19;
pub(crate) const ENOTDIR: i32 = 20;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const ENAMETOOLONG: i32 = 36;
pub(crate) const ELOOP: i32 = 40;
pub(crate) const EBADMSG: i32 = 74;
pub(crate) const ECONNABORTED: i32 = 103;
pub(crate) const ETIMEDOUT: i32 = 110;
pub(crate) const ESTALE: i32 = 116;
pub(crate) const ENOTRECOVERABLE: i32 = 131;

pub(crate) const O_CLOEXEC: usize = 0o2_000_000;
pub(crate) const O_PATH: usize = 0o10_000_000;
pub(crate) const O_CREAT: usize = 0o100;
pub(crate) const O_EXCL: usize = 0o200;
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub(crate) const RESOLVE_IN_ROOT: u64 = 0x10;
pub(crate) const AT_EMPTY_PATH: usize = 0x1000;
pub(crate) const AT_FDCWD: i32 = -100;
pub(crate) const SOCK_CLOEXEC: usize = O_CLOEXEC;
pub(crate) const S_IFMT: u32 = 0o170_000;
pub(crate) const S_IFDIR: u32 = 0o040_000;
pub(crate) const S_IFREG: u32 = 0o100_000;

/// A system call whose error is an errno.
///
/// # Safety
///
/// As [`call`].
pub(crate) unsafe fn checked(number: u32, arguments: [usize; 6]) -> Result<usize, i32> {
    // SAFETY: as the caller promises.
    let result = unsafe { call(number as usize, arguments) };
    // The kernel answers -4095 to -1 for errors.
    if (-4095..0).contains(&result) { Err((-result) as i32) } else { Ok(result.cast_unsigned()) }
}

/// A descriptor as an argument.
pub(crate) fn fd(number: i32) -> usize {
    (number as isize).cast_unsigned()
}

/// Closes a descriptor.
pub(crate) fn close(number: i32) {
    // SAFETY: takes a number and no pointer; the error of a close says nothing that matters here.
    let _ = unsafe { call(nr::CLOSE as usize, [fd(number), 0, 0, 0, 0, 0]) };
}

/// Ends the process.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: takes a number; does not return.
        unsafe { call(nr::EXIT_GROUP as usize, [fd(code), 0, 0, 0, 0, 0]) };
    }
}
