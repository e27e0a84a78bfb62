//! A cgroup for another user.

use super::{Cgroup, Part};
use crate::dir::Dir;
use crate::{Error, Result, Version};
use rustix::fs::{AtFlags, Gid, Uid, chownat};
use std::path::Path;

/// What `cgroups(7)` tells to delegate on v2, should the kernel not say it itself.
const V2_FILES: [&str; 5] =
    ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "memory.oom.group", "memory.reclaim"];
/// What the OCI runtime-spec tells to give in that case.
const OCI_FILES: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
const V1_FILES: [&str; 2] = ["cgroup.procs", "tasks"];

impl Cgroup {
    /// Gives the cgroup to a user, who can then make cgroups in it and distribute processes and resources there. The
    /// limits of this one stay out of the user's reach.
    ///
    /// Owner and group are changed of the directory and, on v2, of the files that `/sys/kernel/cgroup/delegate` names;
    /// on v1 of `cgroup.procs` and `tasks`. The user needs processes in it to begin with: on v2 one can move processes
    /// only between cgroups with a common ancestor that one may write to.
    ///
    /// A v1 hierarchy keeps a user less well inside than v2: nothing there stops the owner of a process from moving it
    /// between all cgroups that were delegated to that user.
    ///
    /// # Errors
    ///
    /// [`Error::Chown`]; files that this cgroup does not have are none. What was given before stays given.
    ///
    /// # Privileges
    ///
    /// `CAP_CHOWN`.
    pub fn delegate(&self, uid: u32, gid: u32) -> Result<()> {
        for part in &self.parts {
            match part.version {
                Version::V1 => part.give(V1_FILES.into_iter(), uid, Some(gid))?,
                Version::V2 => part.give_v2(&V2_FILES, uid, Some(gid))?,
            }
        }
        Ok(())
    }

    /// The same for the v2 directory alone, of which the group stays: what the OCI runtime-spec says of the ownership of
    /// a container's cgroup. Nothing happens where there is none.
    ///
    /// # Errors
    ///
    /// As [`Cgroup::delegate`].
    ///
    /// # Privileges
    ///
    /// `CAP_CHOWN`, unless the user owns it already.
    pub fn delegate_to_user(&self, uid: u32) -> Result<()> {
        self.unified().map_or(Ok(()), |part| part.give_v2(&OCI_FILES, uid, None))
    }
}

impl Part {
    /// The files that the kernel names, or else the documented ones: there may be no sysfs.
    fn give_v2(&self, documented: &[&str], uid: u32, gid: Option<u32>) -> Result<()> {
        match Dir::open(Path::new("/sys/kernel/cgroup")).and_then(|dir| dir.read("delegate")) {
            Ok(files) => self.give(files.split_ascii_whitespace(), uid, gid),
            Err(_) => self.give(documented.iter().copied(), uid, gid),
        }
    }

    /// The directory last, so that nothing is made in it before.
    fn give<'a>(&self, files: impl Iterator<Item = &'a str>, uid: u32, gid: Option<u32>) -> Result<()> {
        let change = |file: &str, flags| {
            let (owner, group) = (Uid::from_raw(uid), gid.map(Gid::from_raw));
            let changed = chownat(&self.dir, file, Some(owner), group, flags);
            changed.map_err(|errno| Error::Chown {
                path: self.dir.path_of(file),
                owner: gid.map_or_else(|| uid.to_string(), |gid| format!("{uid}:{gid}")),
                errno: errno.into(),
            })
        };
        for file in files.filter(|file| !file.contains('/')) {
            match change(file, AtFlags::SYMLINK_NOFOLLOW) {
                // This one is everywhere, but in a cgroup that is gone, the directory of which would still change hands.
                Err(Error::Chown { errno, .. })
                    if errno.number() == libc::ENOENT && file != "cgroup.procs" => {}
                changed => changed?,
            }
        }
        change("", AtFlags::EMPTY_PATH)
    }
}
