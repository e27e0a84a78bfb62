//! A cgroup for another user.

use super::{Cgroup, Part};
use crate::dir::Dir;
use crate::{Error, Result, Version};
use rustix::fs::{AtFlags, Gid, Uid, chownat};
use std::path::Path;

/// What `cgroups(7)` tells to delegate on v2, should the kernel not say it itself.
const V2_FILES: [&str; 5] =
    ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "memory.oom.group", "memory.reclaim"];
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
                Version::V1 => part.give(V1_FILES.into_iter(), uid, gid)?,
                Version::V2 => {
                    match Dir::open(Path::new("/sys/kernel/cgroup")).and_then(|dir| dir.read("delegate")) {
                        Ok(files) => part.give(files.split_ascii_whitespace(), uid, gid)?,
                        // Without sysfs the list is the documented one.
                        Err(_) => part.give(V2_FILES.into_iter(), uid, gid)?,
                    }
                }
            }
        }
        Ok(())
    }
}

impl Part {
    /// The directory last, so that nothing is made in it before.
    fn give<'a>(&self, files: impl Iterator<Item = &'a str>, uid: u32, gid: u32) -> Result<()> {
        let change = |file: &str, flags| {
            let (owner, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let changed = chownat(&self.dir, file, Some(owner), Some(group), flags);
            changed.map_err(|errno| Error::Chown {
                path: self.dir.path_of(file),
                uid,
                gid,
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
