//! Mounts that only one thread sees; for root.

use super::{FakeTree, host};
use cofferdam_cgroups::{Controller, Hierarchies, Version};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::{Path, PathBuf};

/// Runs the body on a thread of its own in a private mount namespace.
pub fn in_private_mounts<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("new mount namespace");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
        body()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs the body with the real v1 hierarchies of these controllers alone, as on a host without v2: they are mounted
/// below a root whose tables have nothing else.
pub fn on_v1_alone(
    controllers: impl IntoIterator<Item = Controller> + Send + 'static,
    body: impl FnOnce(Hierarchies) + Send + 'static,
) {
    in_private_mounts(move || {
        let mut tree = FakeTree::new();
        let mut mounted = Vec::new();
        let host = host();
        for (number, controller) in controllers.into_iter().enumerate() {
            let hierarchy = host.hierarchy_of(controller).expect("hierarchy of a controller");
            let names = hierarchy.controllers().iter().filter_map(|controller| controller.name(Version::V1));
            let names = names.collect::<Vec<_>>().join(",");
            let point = format!("/cgroup/{number}");
            tree = tree.v1(&point, &names).own(format!("{}:{names}:/", number + 1));
            mounted.push(Mounted::bind(hierarchy.mount_point(), &tree.path(&point)));
        }
        body(tree.hierarchies());
        drop(mounted);
    });
}

/// A mount that goes when this is dropped, which has to be before the directory is cleared: not through the mount.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    /// A v2 hierarchy.
    pub fn v2(point: &Path) -> Self {
        let none = None::<&str>;
        mount(Some("none"), point, Some("cgroup2"), MsFlags::empty(), none).expect("mount cgroup2");
        Self(point.to_owned())
    }

    /// A directory that is somewhere else.
    pub fn bind(from: &Path, point: &Path) -> Self {
        let none = None::<&str>;
        mount(Some(from), point, none, MsFlags::MS_BIND, none).expect("bind a hierarchy");
        Self(point.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.0, MntFlags::MNT_DETACH) {
            eprintln!("unmount {}: {error}", self.0.display());
            std::process::abort();
        }
    }
}
