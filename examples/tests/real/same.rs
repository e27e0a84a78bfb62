//! Everybody unpacks the same tree.

use crate::compare::{Exception, Named, same, same_but};
use crate::peers::{self, Mounted};
use crate::snapshot::snapshot;
use crate::{images, ours, require, worker};

/// The image says nothing of its topmost directory.
pub const PODMAN: [Exception; 3] = [
    Exception { path: "", property: "mode", why: "podman gives its layers 0555" },
    UMOCI,
    Exception {
        path: "opt/a directory/old",
        property: "modified",
        why: "podman makes times before 1970 to 1970",
    },
];

/// A container has a `/dev` of its own, so a store makes none of a layer's devices. In a user namespace nobody can.
pub const DEVICES: [Exception; 8] = [
    device("dev/console"),
    device("dev/full"),
    device("dev/null"),
    device("dev/ptmx"),
    device("dev/random"),
    device("dev/tty"),
    device("dev/urandom"),
    device("dev/zero"),
];

const fn device(path: &'static str) -> Exception {
    Exception { path, property: "presence", why: "stores and user namespaces have no devices" }
}

/// The same of the topmost directory's time.
pub const UMOCI: Exception = Exception {
    path: "",
    property: "modified",
    why: "umoci makes it 0, others leave it at the time of unpacking",
};

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn podman_and_umoci_agree() {
    require!(rustix::process::geteuid().is_root(), "root");
    require!(peers::installed(&["umoci", "podman"]), "umoci and podman");
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let images = images().expect("images");
    let umoci = peers::umoci(&images.join("layout"), peers::NAME);
    let options = peers::storage(&images.join("storage"), &images.join("run"));
    let mounted = Mounted::new(&[], &options, peers::NAME);
    let podman = snapshot(mounted.root());
    same_but(Named { name: "umoci", tree: &umoci }, Named { name: "podman", tree: &podman }, &PODMAN);
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn trees_are_those_of_umoci_from_each_place() {
    require!(rustix::process::geteuid().is_root(), "root");
    require!(peers::installed(&["umoci"]), "umoci");
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let images = images().expect("images");
    let umoci = peers::umoci(&images.join("layout"), peers::NAME);
    let place = tempfile::tempdir().expect("a directory");
    for name in ["layout", "oci.tar", "docker.tar"] {
        let tree = ours::tree(&images.join(name), &place.path().join(name));
        same_but(Named { name: "umoci", tree: &umoci }, Named { name, tree: &tree }, &[UMOCI]);
    }
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn layers_of_a_store_are_mounted_as_the_tree_of_umoci() {
    require!(rustix::process::geteuid().is_root(), "root");
    require!(peers::installed(&["umoci"]), "umoci");
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let images = images().expect("images");
    let umoci = peers::umoci(&images.join("layout"), peers::NAME);
    let place = tempfile::tempdir().expect("a directory");
    let store = |name: &str| place.path().join(format!("store of {name}"));
    worker::import(&*worker::open(&images.join("layout")), &store("layout"));
    let layout = ours::mounted(&store("layout"));
    same_but(
        Named { name: "umoci", tree: &umoci },
        Named { name: "store", tree: &layout },
        &[&DEVICES[..], &[UMOCI]].concat(),
    );
    // From another place the layers are the same, though each topmost directory is made anew.
    worker::import(&*worker::open(&images.join("docker.tar")), &store("docker.tar"));
    let mut docker = ours::mounted(&store("docker.tar"));
    docker.get_mut(&[][..]).expect("the top").modified = layout[&[][..]].modified;
    same(Named { name: "layout", tree: &layout }, Named { name: "docker.tar", tree: &docker });
}
