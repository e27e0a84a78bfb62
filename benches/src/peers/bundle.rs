//! An OCI bundle that asks for what a case asks for.

use std::fs;
use std::path::Path;

use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};

use crate::Error;
use crate::case::{Kind, Shape};
use crate::stage::Task;

/// Writes `config.json` and `rootfs` into `bundle`.
pub(super) fn write(bundle: &Path, task: &Task<'_>) -> Result<(), Error> {
    let failed = || Error::io(format!("write the bundle {}", bundle.display()));
    let rootfs = bundle.join("rootfs");
    for folder in ["dev", "proc", "tmp"] {
        fs::create_dir_all(rootfs.join(folder)).map_err(failed())?;
    }
    let name = task.program_in_root();
    let name = name.strip_prefix("/").unwrap_or(&name);
    fs::copy(task.stage.root().join(name), rootfs.join(name)).map_err(failed())?;
    let config = config(task.shape, &task.program_in_root());
    fs::write(bundle.join("config.json"), config.to_string()).map_err(failed())
}

fn config(shape: Shape, program: &Path) -> Value {
    let namespaces: Vec<Value> = shape.kinds.iter().map(|kind| json!({ "type": name(*kind) })).collect();
    let mut linux = json!({ "namespaces": namespaces });
    if shape.has(Kind::User) {
        linux["uidMappings"] = json!([{ "containerID": 0, "hostID": geteuid().as_raw(), "size": 1 }]);
        linux["gidMappings"] = json!([{ "containerID": 0, "hostID": getegid().as_raw(), "size": 1 }]);
    }
    let none: [&str; 0] = [];
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": [program],
            "env": [],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {
                "bounding": none, "effective": none, "inheritable": none, "permitted": none, "ambient": none
            },
        },
        "root": { "path": "rootfs" },
        "mounts": mounts(shape),
        "linux": linux,
    })
}

/// A runtime works through `/proc` of the container, so that it has one even where the case asks for none.
fn mounts(shape: Shape) -> Value {
    let proc = json!({ "destination": "/proc", "type": "proc", "source": "proc" });
    if !shape.sandbox {
        return json!([proc]);
    }
    json!([
        proc,
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777"] },
        { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"] },
    ])
}

/// The name of a kind in the OCI specification.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Mnt => "mount",
        Kind::Net => "network",
        other => other.name(),
    }
}
