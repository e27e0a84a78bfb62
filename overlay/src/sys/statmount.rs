//! `statmount(2)` and `listmount(2)`, since Linux 6.8; layouts of `linux/mount.h`.

use crate::Errno;
use libc::{c_long, c_uint};

/// `__NR_statmount`: new calls have the same number on all architectures that Rust's Linux targets with 64 bits have, but MIPS.
const STATMOUNT: c_long = 457;
const LISTMOUNT: c_long = 458;

/// `struct mnt_id_req`, version 0.
#[repr(C)]
struct Request {
    size: u32,
    /// `mnt_ns_fd`, since 6.18; zero means nothing.
    spare: u32,
    id: u64,
    /// For `statmount` what is asked for, for `listmount` after which mount to begin.
    parameter: u64,
}

/// `struct statmount`. Numbers for text are offsets from its end.
#[repr(C)]
pub(crate) struct Statmount {
    pub(crate) size: u32,
    pub(crate) mnt_opts: u32,
    pub(crate) mask: u64,
    pub(crate) sb_dev_major: u32,
    pub(crate) sb_dev_minor: u32,
    pub(crate) sb_magic: u64,
    pub(crate) sb_flags: u32,
    pub(crate) fs_type: u32,
    pub(crate) mnt_id: u64,
    pub(crate) mnt_parent_id: u64,
    pub(crate) mnt_id_old: u32,
    pub(crate) mnt_parent_id_old: u32,
    pub(crate) mnt_attr: u64,
    pub(crate) mnt_propagation: u64,
    pub(crate) mnt_peer_group: u64,
    pub(crate) mnt_master: u64,
    pub(crate) propagate_from: u64,
    pub(crate) mnt_root: u32,
    pub(crate) mnt_point: u32,
    pub(crate) mnt_ns_id: u64,
    pub(crate) fs_subtype: u32,
    pub(crate) sb_source: u32,
    pub(crate) opt_num: u32,
    pub(crate) opt_array: u32,
    pub(crate) opt_sec_num: u32,
    pub(crate) opt_sec_array: u32,
    pub(crate) supported_mask: u64,
    pub(crate) mnt_uidmap_num: u32,
    pub(crate) mnt_uidmap: u32,
    pub(crate) mnt_gidmap_num: u32,
    pub(crate) mnt_gidmap: u32,
    spare: [u64; 43],
}

/// Its size, after which text begins. The kernel's reserve is in it, so newer kernels have the same.
pub(crate) const HEADER: usize = size_of::<Statmount>();

fn request(id: u64, parameter: u64) -> Request {
    // MNT_ID_REQ_SIZE_VER0
    Request { size: 24, spare: 0, id, parameter }
}

/// What the kernel knows about a mount, of what the mask asks for. `EOVERFLOW` if it does not fit.
pub(crate) fn statmount(id: u64, mask: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    let request = request(id, mask);
    let (size, flags): (usize, c_uint) = (buffer.len(), 0);
    // SAFETY: the request is readable and says its own size; the kernel writes at most `size` bytes to the buffer, which is
    // borrowed exclusively, of any alignment, and valid with any bytes.
    let result = unsafe { libc::syscall(STATMOUNT, &raw const request, buffer.as_mut_ptr(), size, flags) };
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// The numbers of mounts below a mount, after the given one, as many as fit; how many there were.
pub(crate) fn listmount(id: u64, after: u64, ids: &mut [u64]) -> Result<usize, Errno> {
    let request = request(id, after);
    let (count, flags): (usize, c_uint) = (ids.len(), 0);
    // SAFETY: the request is readable and says its own size; the kernel writes at most `count` numbers to the slice, which is
    // borrowed exclusively.
    let result = unsafe { libc::syscall(LISTMOUNT, &raw const request, ids.as_mut_ptr(), count, flags) };
    usize::try_from(result).map_err(|_| Errno::last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn layouts_are_the_kernels() {
        // MNT_ID_REQ_SIZE_VER0
        assert_eq!(size_of::<Request>(), 24);
        assert_eq!(offset_of!(Request, parameter), 16);
        assert_eq!(HEADER, 512);
        for (offset, expected) in [
            (offset_of!(Statmount, mask), 8),
            (offset_of!(Statmount, sb_magic), 24),
            (offset_of!(Statmount, fs_type), 36),
            (offset_of!(Statmount, mnt_id), 40),
            (offset_of!(Statmount, mnt_attr), 64),
            (offset_of!(Statmount, propagate_from), 96),
            (offset_of!(Statmount, mnt_root), 104),
            (offset_of!(Statmount, mnt_ns_id), 112),
            (offset_of!(Statmount, fs_subtype), 120),
            (offset_of!(Statmount, opt_array), 132),
            (offset_of!(Statmount, supported_mask), 144),
            (offset_of!(Statmount, mnt_gidmap), 164),
            (offset_of!(Statmount, spare), 168),
        ] {
            assert_eq!(offset, expected);
        }
    }
}
