//! `image mount` and `image umount`.

use std::path::Path;

use cofferdam_image_spec::{Form, OverlayXattrs};
use cofferdam_overlay::{CWD, Mount, MountFlags, Stack};
use serde_json::json;

use crate::args::Args;
use crate::failure::Failure;
use crate::{output, places};

const HINT: &str = "a mount of the host needs root; in namespaces of its own an image is the root of a program by \
    `isolate --image NAME PROGRAM`";

const FLAGS: MountFlags = MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV);

/// Mounts the layers of an image on each other, read-only. Everybody on the host may get there, and an image may have any
/// program in it, so none is set-user-id there.
pub fn mount(args: &Args, name: &str, directory: &Path) -> Result<u8, Failure> {
    let image = places::store(args)?.image(name)?;
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(HINT));
    }
    let mut stack = Stack::new().lowers(image.lower_paths()?).flags(FLAGS);
    if image.store().form() == Form::Overlay(OverlayXattrs::User) {
        stack = stack.userxattr();
    }
    stack.mount_at(CWD, directory)?;
    let digest = image.descriptor().digest.to_string();
    let json =
        json!({"digest": digest, "directory": directory.to_string_lossy(), "layers": image.layers().len()});
    output::print(args, &json, &format!("{digest} on {}", directory.display()))?;
    Ok(0)
}

/// Unmounts what is mounted on a directory.
pub fn unmount(directory: &Path) -> Result<u8, Failure> {
    Mount::open(CWD, directory)?.unmount()?;
    Ok(0)
}
