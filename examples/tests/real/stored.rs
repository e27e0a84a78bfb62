//! What a store must be after it was written to, whatever happened meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Store, VerifyOptions};

use crate::compare::{Named, same};
use crate::snapshot::{Kind, Tree, snapshot};
use crate::worker::IMPORTED;

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All that a store has, but for times of its own making.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    top: Vec<String>,
    blobs: Vec<String>,
    layers: BTreeMap<String, Vec<String>>,
    image: String,
}

/// Looks at a store that nobody writes to. It must be sound, and nothing unfinished may be in it.
pub fn stored(path: &Path) -> Stored {
    assert_eq!(names(&path.join("tmp")), [""; 0], "left in tmp");
    let store = Store::open(path).expect("the store");
    let report = store.verify(VerifyOptions::default()).expect("a report");
    assert!(report.damages.is_empty(), "{report:?}");
    let layers = path.join("layers/sha256");
    Stored {
        top: names(path),
        blobs: names(&path.join("blobs/sha256")),
        layers: names(&layers).into_iter().map(|name| (name.clone(), names(&layers.join(name)))).collect(),
        image: store.image(IMPORTED).expect("the image").descriptor().digest.to_string(),
    }
}

/// The files of each layer.
pub fn trees(path: &Path) -> BTreeMap<String, Tree> {
    let layers = path.join("layers/sha256");
    let tree = |name: String| {
        let directory: PathBuf = layers.join(&name).join("diff");
        let mut tree = snapshot(&directory);
        // No entry of the archive tells the time of the topmost directory, nor of deletions.
        tree.get_mut(&[][..]).expect("the top").modified = (0, 0);
        let deletion = Kind::Device { block: false, number: 0 };
        tree.values_mut().filter(|entry| entry.kind == deletion).for_each(|entry| entry.modified = (0, 0));
        (name, tree)
    };
    names(&layers).into_iter().map(tree).collect()
}

/// Compares the layers of two stores.
pub fn same_trees(a: &BTreeMap<String, Tree>, b: &BTreeMap<String, Tree>) {
    assert!(a.keys().eq(b.keys()), "other layers");
    for (layer, tree) in a {
        let name = format!("layer {layer}");
        same(Named { name: &name, tree }, Named { name: "the same", tree: &b[layer] });
    }
}
