//! What the library makes of an image.

use std::os::fd::AsRawFd;
use std::path::Path;

use cofferdam_image_spec::{Devices, Store};
use cofferdam_overlay::{Mount, Stack};

use crate::snapshot::{Tree, snapshot};
use crate::worker::{self, IMPORTED};

/// The image of a place, unpacked into a new directory.
pub fn tree(place: &Path, target: &Path) -> Tree {
    worker::unpack(&*worker::open(place), Devices::Make, target);
    snapshot(target)
}

/// The layers of the image of a store, mounted over each other.
pub fn mounted(store: &Path) -> Tree {
    let store = Store::open(store).expect("the store");
    let image = store.image(IMPORTED).expect("the image");
    let lowers = image.lower_paths().expect("the layers");
    let mount: Mount = Stack::new().lowers(lowers).userxattr().mount().expect("a mount");
    let fd = mount.into_fd();
    snapshot(Path::new(&format!("/proc/self/fd/{}", fd.as_raw_fd())))
}
