//! bpf(2), which neither the standard library nor rustix has.
//!
//! This is the only file of the crate with unsafe code.

use crate::Errno;
use crate::devices::Insn;
use std::ffi::{CStr, c_int, c_long};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const PROG_LOAD: c_int = 5;
const PROG_ATTACH: c_int = 8;
const PROG_DETACH: c_int = 9;
const PROG_GET_FD_BY_ID: c_int = 13;
const OBJ_GET_INFO_BY_FD: c_int = 15;
const PROG_QUERY: c_int = 16;

/// `BPF_PROG_TYPE_CGROUP_DEVICE`
const TYPE_CGROUP_DEVICE: u32 = 15;
/// `BPF_CGROUP_DEVICE`
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;
/// Errors without a trace of all instructions, which would not fit.
const LOG_ERRORS: u32 = 4;
/// `BPF_CGROUP_MAX_PROGS`: how many programs one cgroup can have.
const MAX_PROGRAMS: usize = 64;
/// `BPF_OBJ_NAME_LEN`, with the zero byte.
const NAME: usize = 16;

// The members of `union bpf_attr` for each command, as far as they are used. The kernel takes what is missing as zero.

#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; NAME],
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct GetInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
}

/// The start of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; NAME],
}

/// Room behind the members: some kernels answer into members that the caller did not pass, whatever size it gave.
#[repr(C)]
struct Attr<T> {
    members: T,
    room: [u64; 16],
}

/// # Safety
///
/// What the members point to has to be there for the call, readable or writable as the command wants it.
unsafe fn bpf<T>(command: c_int, members: T) -> Result<(c_long, T), Errno> {
    let mut attr = Attr { members, room: [0; 16] };
    // SAFETY: the attributes are initialised, outlive the call, and are larger than the size that is given, so also
    // members after these are memory of ours. What they point to is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attr, size_of::<T>()) };
    if result < 0 { Err(last_error()) } else { Ok((result, attr.members)) }
}

/// Of a command that returns a descriptor.
///
/// # Safety
///
/// As [`bpf`].
unsafe fn bpf_fd<T>(command: c_int, members: T) -> Result<OwnedFd, Errno> {
    // SAFETY: the caller promises it.
    let (fd, _) = unsafe { bpf(command, members) }?;
    let fd = c_int::try_from(fd).map_err(|_| Errno::new(libc::EBADF))?;
    // SAFETY: the command returns a descriptor that the kernel has just made, close-on-exec, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn last_error() -> Errno {
    Errno::new(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn address<T>(pointer: *const T) -> u64 {
    // No pointer of a Linux target is wider.
    pointer.expose_provenance() as u64
}

/// `BPF_PROG_LOAD` of a device program. With a log, what the verifier has against it is written there.
pub(crate) fn load_device_program(
    insns: &[Insn],
    name: &CStr,
    log: Option<&mut [u8]>,
) -> Result<OwnedFd, Errno> {
    let too_big = |_| Errno::new(libc::E2BIG);
    let mut members = Load {
        prog_type: TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(insns.len()).map_err(too_big)?,
        insns: address(insns.as_ptr()),
        license: address(c"Apache-2.0".as_ptr()),
        ..Load::default()
    };
    // The last byte stays zero.
    for (to, from) in members.prog_name.iter_mut().zip(name.to_bytes().iter().take(NAME - 1)) {
        *to = *from;
    }
    if let Some(log) = log {
        members.log_level = LOG_ERRORS;
        members.log_size = u32::try_from(log.len()).map_err(too_big)?;
        members.log_buf = log.as_mut_ptr().expose_provenance() as u64;
    }
    // SAFETY: instructions and licence are only read, and their counts are right; the log is written up to its size.
    // All of them are borrowed for longer than the call.
    unsafe { bpf_fd(PROG_LOAD, members) }
}

/// `BPF_PROG_ATTACH` to a v2 cgroup, beside the programs of others; in place of one that is attached already, at once.
pub(crate) fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let members = Attach {
        target_fd: number(cgroup),
        attach_bpf_fd: number(program),
        attach_type: ATTACH_CGROUP_DEVICE,
        attach_flags: ALLOW_MULTI | if replaced.is_some() { REPLACE } else { 0 },
        replace_bpf_fd: replaced.map_or(0, number),
    };
    // SAFETY: nothing in it is a pointer, and the descriptors are open as long as they are borrowed.
    unsafe { bpf(PROG_ATTACH, members) }.map(drop)
}

/// `BPF_PROG_DETACH` from a v2 cgroup.
pub(crate) fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let members = Attach {
        target_fd: number(cgroup),
        attach_bpf_fd: number(program),
        attach_type: ATTACH_CGROUP_DEVICE,
        ..Attach::default()
    };
    // SAFETY: nothing in it is a pointer, and the descriptors are open as long as they are borrowed.
    unsafe { bpf(PROG_DETACH, members) }.map(drop)
}

/// `BPF_PROG_QUERY`: the ids of the device programs of a v2 cgroup, without those of cgroups above.
pub(crate) fn device_programs(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut ids = vec![0_u32; MAX_PROGRAMS];
    let members = Query {
        target_fd: number(cgroup),
        attach_type: ATTACH_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr().expose_provenance() as u64,
        // 64
        prog_cnt: u32::try_from(ids.len()).unwrap_or(0),
        ..Query::default()
    };
    // SAFETY: the kernel writes at most as many ids as there is room for, to memory that outlives the call.
    let (_, members) = unsafe { bpf(PROG_QUERY, members) }?;
    ids.truncate(usize::try_from(members.prog_cnt).unwrap_or(0));
    Ok(ids)
}

/// `BPF_PROG_GET_FD_BY_ID`
pub(crate) fn program_by_id(id: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: nothing in it is a pointer.
    unsafe { bpf_fd(PROG_GET_FD_BY_ID, ById { prog_id: id, ..ById::default() }) }
}

/// `BPF_OBJ_GET_INFO_BY_FD`: the name of a program.
pub(crate) fn program_name(program: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut info = Info::default();
    let members = GetInfo {
        bpf_fd: number(program),
        info_len: u32::try_from(size_of::<Info>()).unwrap_or(0),
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: the descriptor is that of a program, for which the kernel writes a `bpf_prog_info`, no more of it than
    // `info_len`, which is what there is of it here. All lengths in it are zero, so no pointer in it is followed.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, members) }?;
    Ok(info.name.iter().copied().take_while(|byte| *byte != 0).collect())
}

#[cfg(test)]
mod tests;
