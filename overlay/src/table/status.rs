//! One mount at a time, by numbers that are never used again: `listmount(2)` and `statmount(2)`, since Linux 6.8.

use super::entry::Device;
use super::escape::unescape;
use super::id::MountId;
use super::option::Options;
use super::reply::{Part, Reply};
use crate::sys::statmount::{HEADER, listmount, statmount};
use crate::{Errno, Error, MappedRange, MountFlags, Result};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What the kernel knows about a mount. What it did not say, as it is too old or there is nothing to say, is None or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountStatus {
    /// Its number.
    pub id: MountId,
    /// That of the mount that it is on; its own for the root of all mounts of a namespace.
    pub parent: MountId,
    /// Its number in mountinfo.
    pub old_id: u32,
    /// The number in mountinfo of the mount that it is on.
    pub old_parent: u32,
    /// What `stat(2)` says about the files there.
    pub device: Device,
    /// The kind of file system, as `statfs(2)` gives it.
    pub magic: u64,
    /// Flags of the file system, `MS_RDONLY` and `MS_LAZYTIME` among them; see `mount(2)`.
    pub fs_flags: u32,
    /// Attributes of the mount. An id-mapped one has `MOUNT_ATTR_IDMAP`, which has no name here.
    pub flags: MountFlags,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE` of `mount(2)`.
    pub propagation: u64,
    /// The peer group that it is in.
    pub peer_group: Option<u64>,
    /// The peer group that it receives from.
    pub master: Option<u64>,
    /// The nearest peer group that it receives from and that the caller can see.
    pub propagate_from: Option<u64>,
    /// Which directory or file of the file system is mounted.
    pub root: PathBuf,
    /// Where it is mounted, below the caller's root directory. None if that is outside of it.
    pub mount_point: Option<PathBuf>,
    /// The type of the file system, without a subtype.
    pub fs_type: OsString,
    /// What follows the type in mountinfo after a dot. Since Linux 6.13.
    pub fs_subtype: Option<OsString>,
    /// What was mounted. Since Linux 6.13.
    pub source: Option<OsString>,
    /// The number of the mount namespace. Since Linux 6.11.
    pub namespace: Option<u64>,
    /// Options of the file system, without those that are in `fs_flags`, each as `name` or `name=value` without escapes. Those
    /// of security modules come last. None before Linux 6.11.
    pub options: Option<Vec<OsString>>,
    /// The user ids of an id-mapped mount. Since Linux 6.15.
    pub uid_map: Vec<MappedRange>,
    /// The group ids of an id-mapped mount. Since Linux 6.15.
    pub gid_map: Vec<MappedRange>,
}

/// All mounts below a mount that the caller can reach, those on its children included, but not itself; in the order of
/// their numbers. None for the root: all mounts of the caller's mount namespace below its root directory.
///
/// # Errors
///
/// [`Error::Unsupported`] before Linux 6.8; [`Error::Call`] with `ENOENT` if there is no such mount, `EPERM` if the
/// caller cannot reach it and has no `CAP_SYS_ADMIN`.
pub fn list_mounts(root: Option<MountId>) -> Result<Vec<MountId>> {
    /// `LSMT_ROOT`
    const ROOT: u64 = u64::MAX;
    let of = root.map_or(ROOT, MountId::raw);
    let mut found: Vec<MountId> = Vec::new();
    let mut ids = [0_u64; 512];
    loop {
        let after = found.last().map_or(0, |id| id.raw());
        let count = listmount(of, after, &mut ids).map_err(|errno| fault("listmount", root, errno))?;
        found.extend(ids.iter().take(count).copied().map(MountId::from_raw));
        if count < ids.len() {
            return Ok(found);
        }
    }
}

/// What the kernel knows about a mount of the caller's mount namespace.
///
/// # Errors
///
/// [`Error::Unsupported`] before Linux 6.8; [`Error::Call`] with `ENOENT` if there is no such mount, `EPERM` if the
/// caller cannot reach it and has no `CAP_SYS_ADMIN`, `EOVERFLOW` if there is more than 16 MiB to say.
pub fn stat_mount(id: MountId) -> Result<MountStatus> {
    const MOST: usize = 16 << 20;
    let mut buffer = vec![0; 4096];
    loop {
        match statmount(id.raw(), Part::all(), &mut buffer) {
            Ok(()) => return status(&Reply::new(&buffer)).ok_or_else(|| malformed(id)),
            Err(errno) if errno.raw() == libc::EOVERFLOW && buffer.len() < MOST => {
                let double = buffer.len() * 2;
                buffer = vec![0; double];
            }
            Err(errno) => return Err(fault("statmount", Some(id), errno)),
        }
    }
}

fn fault(call: &'static str, id: Option<MountId>, errno: Errno) -> Error {
    match (errno.raw(), call) {
        (libc::ENOSYS, "listmount") => Error::Unsupported { feature: "listmount", since: "6.8" },
        (libc::ENOSYS, _) => Error::Unsupported { feature: "statmount", since: "6.8" },
        _ => {
            let on = id.map_or_else(|| "all mounts".to_owned(), |id| format!("mount {id}"));
            Error::Call { call, on, errno, log: Vec::new() }
        }
    }
}

fn malformed(id: MountId) -> Error {
    let reason = format!("has no basic fields or text within its {HEADER} bytes and what follows");
    Error::Invalid { what: "answer of statmount on mount", value: id.to_string(), reason }
}

/// None if the answer lacks what all kernels give, or points outside of itself.
fn status(reply: &Reply<'_>) -> Option<MountStatus> {
    use super::reply::field;
    if !(reply.has(Part::FsBasic) && reply.has(Part::Basic)) {
        return None;
    }
    let group = |number: u64| Some(number).filter(|number| *number != 0);
    Some(MountStatus {
        id: MountId::from_raw(reply.u64(field!(mnt_id))?),
        parent: MountId::from_raw(reply.u64(field!(mnt_parent_id))?),
        old_id: reply.u32(field!(mnt_id_old))?,
        old_parent: reply.u32(field!(mnt_parent_id_old))?,
        device: Device { major: reply.u32(field!(sb_dev_major))?, minor: reply.u32(field!(sb_dev_minor))? },
        magic: reply.u64(field!(sb_magic))?,
        fs_flags: reply.u32(field!(sb_flags))?,
        flags: MountFlags::from_bits(reply.u64(field!(mnt_attr))?),
        propagation: reply.u64(field!(mnt_propagation))?,
        peer_group: group(reply.u64(field!(mnt_peer_group))?),
        master: group(reply.u64(field!(mnt_master))?),
        propagate_from: reply
            .u64(field!(propagate_from))
            .filter(|_| reply.has(Part::PropagateFrom))
            .and_then(group),
        root: reply.text(Part::Root, field!(mnt_root))?.unwrap_or_default().into(),
        mount_point: reply.text(Part::Point, field!(mnt_point))?.map(PathBuf::from),
        fs_type: reply.text(Part::FsType, field!(fs_type))?.unwrap_or_default(),
        fs_subtype: reply.text(Part::Subtype, field!(fs_subtype))?,
        source: reply.text(Part::Source, field!(sb_source))?,
        namespace: reply.u64(field!(mnt_ns_id)).filter(|_| reply.has(Part::Namespace)),
        options: options(reply)?,
        uid_map: ids(reply.texts(Part::UidMap, field!(mnt_uidmap_num), field!(mnt_uidmap))?)?,
        gid_map: ids(reply.texts(Part::GidMap, field!(mnt_gidmap_num), field!(mnt_gidmap))?)?,
    })
}

/// From the arrays of Linux 6.13, whose strings are as they were given, or else from the text of 6.11, which is that of mountinfo.
fn options(reply: &Reply<'_>) -> Option<Option<Vec<OsString>>> {
    use super::reply::field;
    let mut all = reply.texts(Part::Options, field!(opt_num), field!(opt_array))?;
    all.extend(reply.texts(Part::SecurityOptions, field!(opt_sec_num), field!(opt_sec_array))?);
    if !all.is_empty() {
        return Some(Some(all));
    }
    let text = reply.text(Part::OptionText, field!(mnt_opts))?;
    let split = |text: OsString| {
        let text = text.into_vec();
        Options::of(&text).map(|option| OsString::from_vec(unescape(option).into_owned())).collect()
    };
    Some(text.map(split).or_else(|| reply.knows_options().then(Vec::new)))
}

fn ids(lines: Vec<OsString>) -> Option<Vec<MappedRange>> {
    let range = |line: OsString| {
        let line = line.into_string().ok()?;
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
        let mut next = || numbers.next().flatten();
        Some(MappedRange::new(next()?, next()?, next()?))
    };
    lines.into_iter().map(range).collect()
}
