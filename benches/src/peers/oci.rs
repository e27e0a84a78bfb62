//! OCI runtimes: crun, runc, youki.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{bundle, launcher, words};
use crate::Error;
use crate::case::Shape;
use crate::floor::{Fence, Launcher};
use crate::probe;
use crate::stage::{Stage, Task};
use crate::subjects::{Runner, Skip, Subject};

/// A runtime and the way in which it works on this host.
#[derive(Debug)]
pub(super) struct Oci {
    name: &'static str,
    program: PathBuf,
    global: &'static [&'static str],
    fence: Fence,
}

impl Oci {
    /// Tries the ways in which `name` may work here, the fastest first, and keeps the first that ran the probe.
    pub(super) fn find_way(
        name: &'static str,
        program: PathBuf,
        stage: &Stage,
        limit: Duration,
    ) -> Result<Oci, Skip> {
        let root = nix::unistd::geteuid().is_root();
        let shape = if root { Shape::NAMESPACES } else { Shape::USER };
        // The other subjects make no cgroup either.
        let globals: &[&[&str]] =
            if name == "crun" { &[&["--cgroup-manager=disabled"], &[]] } else { &[&[]] };
        let mut places = vec![None];
        // In a user namespace there may be no second place; the refusal in the first is then the reason.
        if root && let Ok(mounts) = cgroup2_only() {
            places.push(Some(Arc::new(mounts)));
        }
        let mut refusal = Skip::from("no way tried");
        for global in globals {
            for mounts in &places {
                let fence = Fence { limit, mounts: mounts.clone() };
                let oci = Oci { name, program: program.clone(), global, fence };
                match probe::prove(&oci, stage, shape) {
                    Ok(lacks) if lacks.is_empty() => return Ok(oci),
                    Ok(lacks) => refusal = Skip::from(lacks.join(", ").as_str()),
                    Err(skip) if skip.hung => return Err(skip),
                    Err(skip) => refusal = skip,
                }
            }
        }
        Err(refusal)
    }
}

impl Subject for Oci {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        if task.shape == Shape::BARE {
            return Err("always makes a mount namespace and a new root".into());
        }
        let folder = task.stage.folder(self.name)?;
        bundle::write(&folder, task)?;
        let mut common = words(self.global);
        common.extend(["--root".into(), folder.join("state").into()]);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let id = OsString::from(format!("cofferdam-bench-{}-{name}", std::process::id()));
        let run = [OsString::from("run"), "--bundle".into(), folder.into(), id.clone()];
        let delete = [OsString::from("delete"), "--force".into(), id];
        let start = |verb: &[OsString]| {
            launcher(&self.program, &[&common[..], verb].concat(), task, self.fence.clone())
        };
        Ok(Box::new(Container { run: start(&run)?, delete: start(&delete)? }))
    }
}

#[derive(Debug)]
struct Container {
    run: Launcher,
    delete: Launcher,
}

impl Runner for Container {
    fn run(&mut self) -> Result<i32, Error> {
        let ended = self.run.run();
        if matches!(ended, Err(Error::Hang(_))) {
            // Its container has a session of its own, which the signal to the group did not reach.
            self.delete.run()?;
        }
        ended
    }
}

/// A mount namespace in which `/sys/fs/cgroup` is a cgroup2 hierarchy, for runtimes that refuse mixed ones.
pub(crate) fn cgroup2_only() -> Result<OwnedFd, Error> {
    let make = || {
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS).map_err(Error::errno("make a mount namespace"))?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .map_err(Error::errno("make / private"))?;
        mount(Some("cgroup2"), "/sys/fs/cgroup", Some("cgroup2"), MsFlags::empty(), none)
            .map_err(Error::errno("mount cgroup2"))?;
        File::open("/proc/thread-self/ns/mnt").map_err(Error::io("open the mount namespace"))
    };
    let file = thread::spawn(make).join();
    Ok(file.map_err(|_| Error::Inner("panicked".to_owned()))??.into())
}
