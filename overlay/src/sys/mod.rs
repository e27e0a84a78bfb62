//! The system calls that no library offers safely. The only folder of the crate with unsafe code.
#![allow(unsafe_code)]

mod held;
pub(crate) mod statmount;

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::Errno;

pub(crate) use held::HeldProcess;

/// `struct mount_attr`, all of it as of Linux 5.12.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) user_namespace: u64,
}

/// `mount_setattr(2)`.
pub(crate) fn mount_setattr(
    dir: BorrowedFd<'_>,
    path: &CStr,
    flags: u32,
    attr: &MountAttr,
) -> Result<(), Errno> {
    // SAFETY: the path ends with a NUL, and the kernel reads as many bytes of the attributes as they have; it
    // keeps neither. A descriptor in them is only looked up.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}
