//! util-linux's `unshare`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{launcher, words};
use crate::case::Kind;
use crate::floor::Fence;
use crate::stage::Task;
use crate::subjects::{Runner, Skip, Subject};

/// `unshare`: namespaces, a fresh `/proc` and a chroot; it has nothing for the rest of a sandbox.
#[derive(Debug)]
pub(super) struct Unshare {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
}

impl Subject for Unshare {
    fn name(&self) -> &'static str {
        "unshare"
    }

    fn prepare(&self, task: &Task<'_>) -> Result<Box<dyn Runner>, Skip> {
        let mut args = Vec::new();
        for kind in task.shape.kinds {
            args.extend(words(flags(*kind)));
        }
        if task.shape.sandbox {
            let mut root = OsString::from("--root=");
            root.push(task.stage.root());
            args.extend([root, "--mount-proc".into()]);
        }
        args.push(task.program().into());
        let fence = Fence { limit: self.limit, mounts: None };
        Ok(Box::new(launcher(&self.program, &args, task, fence)?))
    }
}

fn flags(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &["--user", "--map-root-user"],
        Kind::Pid => &["--pid", "--fork"],
        Kind::Mnt => &["--mount"],
        Kind::Ipc => &["--ipc"],
        Kind::Uts => &["--uts"],
        Kind::Net => &["--net"],
        Kind::Cgroup => &["--cgroup"],
    }
}
