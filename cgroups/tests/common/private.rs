//! Mounts that only one thread sees; for root.

use super::{FakeTree, host};
use cofferdam_cgroups::{Controller, Hierarchies, Version};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::PathBuf;

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
        let mut binds = Binds(Vec::new());
        let host = host();
        for (number, controller) in controllers.into_iter().enumerate() {
            let hierarchy = host.hierarchy_of(controller).expect("hierarchy of a controller");
            let names = hierarchy.controllers().iter().filter_map(|controller| controller.name(Version::V1));
            let names = names.collect::<Vec<_>>().join(",");
            let point = format!("/cgroup/{number}");
            tree = tree.v1(&point, &names).own(format!("{}:{names}:/", number + 1));
            let none = None::<&str>;
            mount(Some(hierarchy.mount_point()), &tree.path(&point), none, MsFlags::MS_BIND, none)
                .expect("bind a hierarchy");
            binds.0.push(tree.path(&point));
        }
        body(tree.hierarchies());
        // Not before, and before the tree is cleared.
        drop(binds);
    });
}

/// Mounts in a made-up tree, which must not be cleared through them, whatever happens.
struct Binds(Vec<PathBuf>);

impl Drop for Binds {
    fn drop(&mut self) {
        for point in &self.0 {
            if let Err(error) = umount2(point, MntFlags::MNT_DETACH) {
                eprintln!("unmount {}: {error}", point.display());
                std::process::abort();
            }
        }
    }
}
