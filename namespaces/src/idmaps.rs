//! Writing the id maps of a process in a new user namespace, `user_namespaces(7)`.

use crate::errno;
use crate::handle::fd_target;
use crate::{Error, IdMap, MapFault, Result};
use rustix::fs::{Mode, OFlags, openat};
use std::os::fd::{AsFd, BorrowedFd};

/// Whether processes in the user namespace may call `setgroups(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setgroups {
    /// As the user namespace above has it: allowed, unless it was denied there. Nothing is written.
    Allow,
    /// Denied for ever; needed for an unprivileged map of the own group, because leaving a group could give
    /// rights.
    Deny,
}

/// What a user namespace gets before its first process goes on: both maps and the word about `setgroups`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdMaps {
    /// The user ids.
    pub uid: IdMap,
    /// The group ids.
    pub gid: IdMap,
    /// Whether `setgroups(2)` may be called.
    pub setgroups: Setgroups,
}

impl IdMaps {
    /// Writes `setgroups` (if denied), `uid_map` and `gid_map`, in this order, each by one write.
    ///
    /// `proc_dir` is a directory descriptor of `/proc/PID` (`O_PATH` is enough) of a process in the new user
    /// namespace. Each file can be written only once: after an error the namespace is of no use.
    ///
    /// # Privileges
    /// The caller's effective user must have made the user namespace. A map of the own single id needs no
    /// more, others need `CAP_SETUID` and `CAP_SETGID`; see [`IdMaps::plan_for`].
    ///
    /// # Errors
    /// [`Error::Write`] with the file and the value; [`Error::IdMap`] with [`MapFault::TooLong`], before
    /// anything is written.
    pub fn write_to(&self, proc_dir: BorrowedFd<'_>) -> Result<()> {
        let uid = one_write(&self.uid)?;
        let gid = one_write(&self.gid)?;
        self.write_setgroups(proc_dir)?;
        write_file(proc_dir, "uid_map", &uid)?;
        write_file(proc_dir, "gid_map", &gid)
    }

    pub(crate) fn write_setgroups(&self, proc_dir: BorrowedFd<'_>) -> Result<()> {
        match self.setgroups {
            Setgroups::Allow => Ok(()),
            Setgroups::Deny => write_file(proc_dir, "setgroups", "deny"),
        }
    }
}

/// The text of a map if the kernel takes it by one write: less than a page.
pub(crate) fn one_write(map: &IdMap) -> Result<String> {
    let text = map.to_string();
    let page = rustix::param::page_size();
    if text.len() < page { Ok(text) } else { Err(MapFault::TooLong { bytes: text.len(), page }.into()) }
}

/// Opens a control file for writing only, never making one, and writes the value by one call.
pub(crate) fn write_file(dir: BorrowedFd<'_>, file: &str, value: &str) -> Result<()> {
    let path = || fd_target(dir).join(file);
    let failed = |errno| Error::Write { path: path(), value: value.to_owned(), errno: errno::rustix(errno) };
    let fd = openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let written = rustix::io::write(fd.as_fd(), value.as_bytes()).map_err(failed)?;
    if written == value.len() {
        Ok(())
    } else {
        Err(Error::ShortWrite { path: path(), value: value.to_owned(), written })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IdRange, InsideId, OutsideId};

    #[test]
    fn long_maps_are_refused_before_the_write() {
        let range = |i: u32| {
            IdRange::new(InsideId::new(1_000_000_000 + i), OutsideId::new(2_000_000_000 + i), 1)
                .expect("valid")
        };
        let map = IdMap::new((0..340).map(range).collect()).expect("valid");
        let page = rustix::param::page_size();
        let expected = MapFault::TooLong { bytes: 340 * 24 - 1, page };
        if page == 4096 {
            assert_eq!(one_write(&map), Err(expected.into()));
        }
        assert_eq!(one_write(&IdMap::identity()).expect("short"), "0 0 4294967295");
    }

    #[test]
    fn a_missing_file_is_named_with_the_value() {
        let dir = std::fs::File::open("/proc/self/fdinfo").expect("open");
        let error = write_file(dir.as_fd(), "uid_map", "0 1 1").expect_err("no such file");
        let text = error.to_string();
        assert!(text.starts_with("write \"0 1 1\" to /proc/"), "{text}");
        assert!(text.ends_with("uid_map: ENOENT (No such file or directory)"), "{text}");
    }
}
