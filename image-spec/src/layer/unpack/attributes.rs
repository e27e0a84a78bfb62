//! Owner, mode, extended attributes and times of what was made.

use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::archive::Entry;
use super::beneath;
use super::extract::Extract;
use super::fault::{Call, Fault, Result};
use super::parents::Dir;
use super::pax::Time;
use super::plan::FileCapabilities;

/// What attributes are set on.
#[derive(Clone, Copy)]
pub(super) enum Target<'f> {
    /// An open file or directory.
    Open(BorrowedFd<'f>),
    /// Something by its name in a directory, not followed.
    Named(&'f Dir, &'f [u8]),
}

/// What becomes of an extended attribute.
enum Fate {
    /// It is kept where that is possible, else counted here.
    Keep(fn(&mut super::plan::Skipped) -> &mut u64),
    /// It must be kept.
    Must,
    /// It is left out and counted here.
    Drop(fn(&mut super::plan::Skipped) -> &mut u64),
}

impl Extract<'_> {
    /// A regular file or a directory whose content is complete. Writing and a change of owner clear set-id bits and
    /// capabilities, so those come after.
    pub(super) fn set_on_open(&mut self, fd: BorrowedFd<'_>, entry: &Entry, mode: u32) -> Result<()> {
        if let Some((uid, gid)) = self.owner(entry)? {
            let done = rustix::fs::fchown(fd, Some(uid), Some(gid));
            done.map_err(|errno| not_mapped(entry, "fchown", errno))?;
        }
        // Attributes of users are for those who may write, which the mode can deny to its owner. It also has the last
        // word on what an access list says.
        self.set_xattrs(Target::Open(fd), entry)?;
        rustix::fs::fchmod(fd, Mode::from_raw_mode(mode)).call("fchmod")
    }

    /// Something that cannot or should not be opened.
    pub(super) fn set_on_name(
        &mut self,
        dir: &Rc<Dir>,
        name: &[u8],
        entry: &Entry,
        link: bool,
    ) -> Result<()> {
        if let Some((uid, gid)) = self.owner(entry)? {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let done = rustix::fs::chownat(&dir.fd, name, Some(uid), Some(gid), flags);
            done.map_err(|errno| not_mapped(entry, "fchownat", errno))?;
        }
        if !link {
            let handle = beneath::open(dir.fd.as_fd(), name, rustix::fs::OFlags::PATH).call("open")?;
            beneath::chmod(handle.as_fd(), Mode::from_raw_mode(entry.mode)).call("chmod")?;
        }
        self.set_xattrs(Target::Named(dir, name), entry)?;
        let times = timestamps(entry.atime, entry.mtime);
        rustix::fs::utimensat(&dir.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW).call("utimensat")
    }

    fn owner(&self, entry: &Entry) -> Result<Option<(Uid, Gid)>> {
        let owner = self.unpack.ids.of(entry.uid, entry.gid).map_err(Fault::Refused)?;
        match owner {
            Some((u32::MAX, _) | (_, u32::MAX)) => Err(Fault::refused("is mapped to an id that cannot be")),
            Some((uid, gid)) => Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid)))),
            None => Ok(None),
        }
    }

    pub(super) fn set_xattrs(&mut self, target: Target<'_>, entry: &Entry) -> Result<()> {
        for (name, value) in &entry.xattrs {
            let fate = self.fate(name)?;
            let value = match name == b"security.capability" {
                true => self.unpack.ids.capability(value),
                false => Some(value.into()),
            };
            let set = || set_xattr(target, name, value.as_deref().ok_or(Errno::PERM)?);
            let count = match fate {
                Fate::Drop(count) => count,
                Fate::Must => {
                    set().call("setxattr")?;
                    continue;
                }
                Fate::Keep(count) => match set() {
                    Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => count,
                    result => {
                        result.call("setxattr")?;
                        continue;
                    }
                },
            };
            *count(&mut self.skipped) += 1;
        }
        Ok(())
    }

    fn fate(&self, name: &[u8]) -> Result<Fate> {
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            let name = name.escape_ascii();
            return Err(Fault::refused(format!("has the attribute `{name}`, which only an overlay may set")));
        }
        Ok(match name {
            b"security.capability" => match self.unpack.capabilities {
                FileCapabilities::Must => Fate::Must,
                FileCapabilities::IfAllowed => Fate::Keep(|skipped| &mut skipped.capabilities),
                FileCapabilities::Drop => Fate::Drop(|skipped| &mut skipped.capabilities),
            },
            b"system.posix_acl_access" | b"system.posix_acl_default" if self.unpack.ids.keeps_lists() => {
                Fate::Keep(|skipped| &mut skipped.access_lists)
            }
            _ if name.starts_with(b"system.posix_acl_") => Fate::Drop(|skipped| &mut skipped.access_lists),
            _ if name.starts_with(b"security.") => Fate::Drop(|skipped| &mut skipped.labels),
            _ if name.starts_with(b"user.") || name.starts_with(b"trusted.") => {
                Fate::Keep(|skipped| &mut skipped.xattrs)
            }
            _ => Fate::Drop(|skipped| &mut skipped.xattrs),
        })
    }
}

fn set_xattr(target: Target<'_>, name: &[u8], value: &[u8]) -> rustix::io::Result<()> {
    match target {
        Target::Open(fd) => rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
        Target::Named(dir, last) => {
            let mut path = beneath::proc_path(dir.fd.as_fd()).into_bytes();
            path.push(b'/');
            path.extend_from_slice(last);
            rustix::fs::lsetxattr(path, name, value, XattrFlags::empty())
        }
    }
}

/// The kernel says only "invalid argument" about ids that a user namespace does not have.
fn not_mapped(entry: &Entry, call: &'static str, errno: Errno) -> Fault {
    if errno == Errno::INVAL {
        let (uid, gid) = (entry.uid, entry.gid);
        let ids = format!("user id {uid} or group id {gid}");
        return Fault::refused(format!("{ids} is not mapped in the user namespace of the caller"));
    }
    Fault::Call(call, errno)
}

pub(super) fn timestamps(atime: Time, mtime: Time) -> Timestamps {
    let timespec = |time: Time| Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds };
    Timestamps { last_access: timespec(atime), last_modification: timespec(mtime) }
}

/// Times of last access and modification.
pub(super) fn time_of(stat: &Stat) -> (Time, Time) {
    let time = |seconds, nanoseconds: u64| Time {
        seconds,
        nanoseconds: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    (time(stat.st_atime, stat.st_atime_nsec), time(stat.st_mtime, stat.st_mtime_nsec))
}
