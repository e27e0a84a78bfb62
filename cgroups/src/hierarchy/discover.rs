//! Finding the hierarchies.

use super::pick::{self, Found, Mount};
use super::skipped::{SkipReason, Skipped};
use super::{Hierarchies, Hierarchy, Inner, Membership, MountEntry, kernel};
use crate::dir::{Dir, Magic};
use crate::{Controllers, Error, Result, Version};
use rustix::fs::{AtFlags, StatxFlags, statx};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Where tables and mounts are looked up.
struct Place {
    root: Dir,
    /// Whether mounts are checked against the kernel.
    real: bool,
}

impl Hierarchies {
    /// Finds all hierarchies from `/proc/self/mountinfo` and `/proc/self/cgroup`, as the calling thread has them.
    ///
    /// Of a hierarchy that is mounted several times the mount that shows its root is taken, else one that shows this
    /// process's own cgroup. Each one is opened, and checked to be the mount that the table means and a cgroup file
    /// system. What cannot be used is in [`Hierarchies::skipped`].
    ///
    /// # Errors
    ///
    /// [`Error::Open`] and [`Error::Read`] for the two tables; [`Error::NotMounted`] if there is no cgroup file
    /// system; [`Error::NoneUsable`] with the reasons if there are some and none can be used.
    pub fn discover() -> Result<Self> {
        Place { root: Dir::open(Path::new("/"))?, real: true }.discover()
    }

    /// The same below another root directory: its `proc/self/mountinfo` and `proc/self/cgroup` are read, and mount
    /// points are looked up in it without leaving it.
    ///
    /// As this is meant for trees of plain files too, as tests make them, the mounts are not checked to be cgroup
    /// file systems.
    ///
    /// # Errors
    ///
    /// As [`Hierarchies::discover`].
    pub fn discover_under(root: &Path) -> Result<Self> {
        Place { root: Dir::open(root)?, real: false }.discover()
    }

    /// The v2 hierarchy that is mounted at a directory, and no other; for a mount of one's own, say.
    ///
    /// This process's own cgroup is known in it if the mount is in this process's mount table.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]; [`Error::NotCgroup`] if it is not on a cgroup v2 file system; [`Error::Read`] for its
    /// `cgroup.controllers`.
    pub fn unified_at(directory: impl AsRef<Path>) -> Result<Self> {
        let root = Dir::open(directory.as_ref())?;
        if root.magic() != Some(Magic::V2) {
            return Err(Error::NotCgroup { path: root.path().to_owned() });
        }
        let controllers = Controllers::parse(&root.read("cgroup.controllers")?, Version::V2);
        let place = Place { root: Dir::open(Path::new("/"))?, real: true };
        let (table, memberships, mut skipped) = place.tables()?;
        let id = mount_id(&root);
        let table: Vec<_> = table.into_iter().filter(|entry| Some(entry.id) == id).collect();
        let mount =
            pick::hierarchies(&table, &memberships, &mut skipped).pop().and_then(|mut f| f.mounts.pop());
        let (shown, own) = mount.filter(|_| is_mount_root(&root)).map_or((None, None), |m| (m.shown, m.own));
        let hierarchy = Hierarchy { version: Version::V2, controllers, name: None, root, shown, own };
        let inner = Inner { list: vec![hierarchy], skipped: Vec::new(), kernel: place.kernel() };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Place {
    fn discover(&self) -> Result<Hierarchies> {
        let (table, memberships, mut skipped) = self.tables()?;
        let mut list = Vec::new();
        for found in pick::hierarchies(&table, &memberships, &mut skipped) {
            list.extend(self.open(found, &mut skipped));
        }
        if list.is_empty() {
            return Err(if skipped.is_empty() { Error::NotMounted } else { Error::NoneUsable { skipped } });
        }
        Ok(Hierarchies { inner: Arc::new(Inner { list, skipped, kernel: self.kernel() }) })
    }

    fn tables(&self) -> Result<(Vec<MountEntry>, Vec<Membership>, Vec<Skipped>)> {
        // A thread can have a mount namespace of its own.
        let proc =
            self.root.open_in_root(Path::new(if self.real { "proc/thread-self" } else { "proc/self" }))?;
        let (table, malformed) = MountEntry::parse_table(&proc.read_bytes("mountinfo")?);
        let (memberships, unclear) = Membership::parse_all(&proc.read_bytes("cgroup")?);
        let skipped = malformed.into_iter().chain(unclear).map(|line| {
            let mount = std::ffi::OsStr::from_bytes(&line).to_owned();
            Skipped { mount, reason: SkipReason::Malformed }
        });
        Ok((table, memberships, skipped.collect()))
    }

    /// What the kernel has; nothing if it does not say so.
    fn kernel(&self) -> Vec<kernel::KernelController> {
        // The table only explains what is missing, and hosts may hide it.
        let table = self.root.open_in_root(Path::new("proc")).and_then(|proc| proc.read("cgroups"));
        kernel::parse(&table.unwrap_or_default())
    }

    /// Opens the best mount of a hierarchy that can be opened.
    fn open(&self, found: Found, skipped: &mut Vec<Skipped>) -> Option<Hierarchy> {
        let Found { version, controllers, name, mounts } = found;
        let mut opened: Option<(Dir, Controllers, Mount)> = None;
        for mount in mounts {
            let result = match opened {
                Some(_) => Err(SkipReason::Second),
                None => self.open_mount(&mount, version),
            };
            match result {
                Ok((root, served)) => opened = Some((root, served, mount)),
                Err(reason) => skipped.push(Skipped { mount: mount.entry.mount_point.into(), reason }),
            }
        }
        let (root, served, Mount { shown, own, .. }) = opened?;
        let own = own.filter(|own| {
            !own.as_path().as_os_str().as_bytes().ends_with(b" (deleted)") || {
                root.open_below(own.as_path()).is_ok()
            }
        });
        let controllers = if version == Version::V2 { served } else { controllers };
        Some(Hierarchy { version, controllers, name, root, shown, own })
    }

    fn open_mount(
        &self,
        mount: &Mount,
        version: Version,
    ) -> std::result::Result<(Dir, Controllers), SkipReason> {
        let errno = |error: &Error| error.errno().unwrap_or(crate::Errno::new(libc::EIO));
        let root =
            self.root.open_in_root(&mount.entry.mount_point).map_err(|e| SkipReason::Open(errno(&e)))?;
        if self.real {
            if mount_id(&root).is_some_and(|id| id != mount.entry.id) {
                return Err(SkipReason::Covered);
            }
            let expected = if version == Version::V2 { Magic::V2 } else { Magic::V1 };
            if root.magic() != Some(expected) {
                return Err(SkipReason::NotCgroup);
            }
        }
        let served = match version {
            Version::V1 => Controllers::EMPTY,
            Version::V2 => {
                let names =
                    root.read("cgroup.controllers").map_err(|error| SkipReason::Read(errno(&error)))?;
                Controllers::parse(&names, Version::V2)
            }
        };
        Ok((root, served))
    }
}

/// The number of the mount that a directory is on, as the table has it (Linux 5.8).
fn mount_id(dir: &Dir) -> Option<u64> {
    let stat = statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
}

fn is_mount_root(dir: &Dir) -> bool {
    use rustix::fs::StatxAttributes;
    statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
