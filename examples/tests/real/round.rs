//! What the library makes of a tree, others read.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use cofferdam_image_spec::{
    CreateLayer, Descriptor, Destination, Document, ImageConfig, LayerCompression, Layout, Manifest, Platform,
};

use crate::compare::{Named, same_but};
use crate::peers::{self, Mounted, run};
use crate::same::UMOCI;
use crate::snapshot::snapshot;
use crate::{images, ours, require};

/// A layout with an image of one layer, which is a tree.
fn image(tree: &Path, layout: &Path, compression: LayerCompression) {
    let layout = Layout::create(layout).expect("a layout");
    let mut blob = tempfile::tempfile().expect("a file");
    let directory = File::open(tree).expect("the tree");
    let made =
        CreateLayer::tree().compression(compression).create(directory.as_fd(), &mut blob).expect("a layer");
    std::io::Seek::rewind(&mut blob).expect("rewind");
    layout.put(&made.descriptor, &mut blob).expect("the layer");
    let config = Document::new(&ImageConfig::new(Platform::host(), vec![made.diff_id])).expect("a config");
    let manifest =
        Document::new(&Manifest::new(config.descriptor(), vec![made.descriptor])).expect("a manifest");
    let put =
        |descriptor: Descriptor, mut bytes: &[u8]| layout.put(&descriptor, &mut bytes).expect("a document");
    put(config.descriptor(), config.bytes());
    put(manifest.descriptor(), manifest.bytes());
    layout.publish(Some("made"), &manifest.descriptor()).expect("an image");
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn an_image_of_an_unpacked_tree_is_that_tree_to_others() {
    require!(rustix::process::geteuid().is_root(), "root");
    require!(peers::installed(&["umoci", "skopeo", "podman"]), "umoci, skopeo and podman");
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let directory = tempfile::Builder::new().prefix("round-").tempdir().expect("a directory");
    let place = |name: &str| directory.path().join(name);
    let tree = ours::tree(&images().expect("images").join("layout"), &place("tree"));
    let tree = Named { name: "the tree", tree: &tree };

    image(&place("tree"), &place("gzip"), LayerCompression::Gzip);
    let umoci = peers::umoci(&place("gzip"), "made");
    same_but(tree, Named { name: "umoci", tree: &umoci }, &[UMOCI]);

    // skopeo to a Docker archive, and back by ours.
    let (from, to) = (format!("oci:{}:made", place("gzip").display()), place("docker.tar"));
    let to = format!("docker-archive:{}:made:latest", to.display());
    run(Command::new("skopeo").args(["copy", "--quiet", &from, &to]));
    let again = ours::tree(&place("docker.tar"), &place("again"));
    same_but(tree, Named { name: "skopeo's archive", tree: &again }, &[UMOCI]);

    // zstd, which umoci of this age does not know, by podman.
    image(&place("tree"), &place("zstd"), LayerCompression::Zstd);
    let options = peers::storage(&place("storage"), &place("run"));
    let mut pull = Command::new("unshare");
    pull.args(["--mount", "podman"]).args(&options).args(["pull", "--quiet", "oci:zstd:made"]);
    let id = run(pull.current_dir(directory.path()).env("TMPDIR", directory.path()));
    let mounted = Mounted::new(&[], &options, &id);
    let podman = snapshot(mounted.root());
    drop(mounted);
    same_but(tree, Named { name: "podman", tree: &podman }, &crate::same::PODMAN);
}
