//! Where the layers are: a file system in memory, in a mount namespace of the bench.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use tempfile::TempDir;

use super::case::Case;
use crate::Error;

/// A directory with a file system of the bench on it, which goes with the bench's mount namespace.
#[derive(Debug)]
pub(super) struct Stage {
    directory: TempDir,
    /// Attributes that the kernel keeps on directories must be those of users.
    pub(super) user: bool,
}

impl Stage {
    /// Leaves the host's mount namespace, and as an ordinary user its user namespace.
    pub(super) fn new() -> Result<Stage, Error> {
        let (uid, gid) = (geteuid(), getegid());
        let root = uid.is_root();
        let kinds = if root { CloneFlags::empty() } else { CloneFlags::CLONE_NEWUSER };
        unshare(kinds | CloneFlags::CLONE_NEWNS).map_err(Error::errno("make namespaces"))?;
        if !root {
            write("setgroups", "deny")?;
            write("uid_map", &format!("0 {uid} 1"))?;
            write("gid_map", &format!("0 {gid} 1"))?;
        }
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
            .map_err(Error::errno("make mounts private"))?;
        let directory = TempDir::with_prefix("cofferdam-bench-").map_err(Error::io("make a directory"))?;
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), None::<&str>)
            .map_err(Error::errno("mount a tmpfs"))?;
        let map = fs::read_to_string("/proc/self/uid_map").map_err(Error::io("read the map of users"))?;
        // The first user namespace maps all users to themselves.
        Ok(Stage { directory, user: !map.contains("4294967295") })
    }

    /// Makes the directories of a case for a subject. Each lower one has a file of its own and one that all have.
    pub(super) fn layers(&self, case: Case, subject: &str) -> Result<Layers, Error> {
        let base = self.directory.path().join(format!("{}-{subject}", case.name()));
        let make = |name: String| {
            let path = base.join(name);
            fs::create_dir_all(&path).map_err(Error::io(format!("make {}", path.display())))?;
            Ok(path)
        };
        let mut layers =
            Layers { lowers: Vec::new(), upper: make("upper".to_owned())?, work: make("work".to_owned())? };
        for index in 0..case.layers() {
            let layer = make(format!("{index:03}"))?;
            for name in ["all".to_owned(), format!("own-{index}")] {
                let file = layer.join(&name);
                fs::write(&file, index.to_string())
                    .map_err(Error::io(format!("write {}", file.display())))?;
            }
            layers.lowers.push(layer);
        }
        Ok(layers)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The directory below can only be removed then. Failing that, it stays, empty.
        umount2(self.directory.path(), MntFlags::MNT_DETACH).unwrap_or_default();
    }
}

fn write(file: &str, text: &str) -> Result<(), Error> {
    let path = format!("/proc/self/{file}");
    fs::write(&path, text).map_err(Error::io(format!("write {path}")))
}

/// The directories of a stack.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    /// The topmost first.
    pub(super) lowers: Vec<PathBuf>,
    pub(super) upper: PathBuf,
    pub(super) work: PathBuf,
}

/// A path for a system call.
pub(super) fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| Error::Inner(error.to_string()))
}
