//! bubblewrap.

use std::path::PathBuf;
use std::time::Duration;

use super::{launcher, words};
use crate::case::{Kind, Shape};
use crate::floor::Fence;
use crate::stage::Task;
use crate::subjects::{Runner, Skip, Subject};

/// `bwrap`, with the program as pid 1.
#[derive(Debug)]
pub(super) struct Bwrap {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
}

impl Subject for Bwrap {
    fn name(&self) -> &'static str {
        "bwrap"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        if task.shape == Shape::BARE {
            return Err("always makes a mount namespace and a new root".into());
        }
        let mut args = words(&["--die-with-parent"]);
        for kind in task.shape.kinds {
            args.extend(words(unshare(*kind)));
        }
        if task.shape.sandbox {
            args.extend(words(&["--bind"]));
            args.extend([task.stage.root().into(), "/".into()]);
            args.extend(words(&[
                "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp",
            ]));
            args.extend(words(&["--cap-drop", "ALL"]));
        } else {
            args.extend(words(&["--dev-bind", "/", "/"]));
        }
        args.extend([task.program().into()]);
        let fence = Fence { limit: self.limit, mounts: None };
        Ok(Box::new(launcher(&self.program, &args, task, fence)?))
    }
}

fn unshare(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &["--unshare-user", "--uid", "0", "--gid", "0"],
        Kind::Pid => &["--unshare-pid", "--as-pid-1"],
        Kind::Mnt => &[],
        Kind::Ipc => &["--unshare-ipc"],
        Kind::Uts => &["--unshare-uts"],
        Kind::Net => &["--unshare-net"],
        Kind::Cgroup => &["--unshare-cgroup"],
    }
}
