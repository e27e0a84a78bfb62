//! Imports and unpacking that are killed, and imports at the same time.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::compare::{Named, same};
use crate::snapshot::snapshot;
use crate::stored::{same_trees, stored, trees};
use crate::worker::IMPORTED;
use crate::{images, require};

/// How often an import is killed, unless `COFFERDAM_TEST_KILLS` says otherwise.
const KILLS: u32 = 100;
/// After so many, all files are looked at.
const LOOK: u32 = 10;

/// The program `image` copies into a store.
fn start(source: &Path, store: &Path) -> Child {
    let kind = if source.is_dir() { "oci" } else { "docker-archive" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_image"));
    command.args(["--quiet", "copy", &format!("{kind}:{}", source.display()), &format!("store:{IMPORTED}")]);
    command.arg("--store").arg(store).stdout(Stdio::null()).spawn().expect("image")
}

fn import(source: &Path, store: &Path) -> Duration {
    let begin = Instant::now();
    let status = start(source, store).wait().expect("wait");
    assert!(status.success(), "an import of {}: {status}", source.display());
    begin.elapsed()
}

/// The whole time of an import, `kills` instants in it: each as far from the others as can be, in no order.
fn instants(whole: Duration, kills: u32) -> impl Iterator<Item = Duration> {
    const GOLDEN: f64 = 0.618_033_988_75;
    (1..=kills).map(move |index| whole.mul_f64((f64::from(index) * GOLDEN).fract()))
}

fn kills() -> u32 {
    std::env::var("COFFERDAM_TEST_KILLS").ok().map_or(KILLS, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn an_import_that_was_killed_is_not_in_the_way() {
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let source = images().expect("images").join("docker.tar");
    let place = tempfile::tempdir().expect("a directory");
    let whole = place.path().join("whole");
    import(&source, &whole);
    let (expected, files) = (stored(&whole), trees(&whole));
    fs::remove_dir_all(&whole).expect("remove");
    let takes = import(&source, &whole);
    let kills =
        std::env::var("COFFERDAM_TEST_KILLS").ok().map_or(KILLS, |text| text.parse().expect("a number"));
    let (mut killed, store) = (0, place.path().join("store"));
    for (index, instant) in (1..).zip(instants(takes, kills)) {
        let mut child = start(&source, &store);
        std::thread::sleep(instant);
        child.kill().expect("kill");
        killed += u32::from(!child.wait().expect("wait").success());
        import(&source, &store);
        assert_eq!(stored(&store), expected, "killed after {instant:?}");
        if index % LOOK == 0 {
            same_trees(&files, &trees(&store));
        }
        fs::remove_dir_all(&store).expect("remove");
    }
    println!("{killed} of {kills} were killed within {takes:?}");
    assert!(killed >= kills / 2, "only {killed} of {kills} were killed before they ended");
}

/// The program `image` unpacks into a directory.
fn unpack(source: &Path, target: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image"));
    command.args(["--quiet", "unpack", &format!("docker-archive:{}", source.display())]).arg(target);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("image")
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn unpacking_that_is_killed_succeeds_the_next_time() {
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let source = images().expect("images").join("docker.tar");
    let place = tempfile::tempdir().expect("a directory");
    let (whole, target) = (place.path().join("whole"), place.path().join("target"));
    let begin = Instant::now();
    assert!(unpack(&source, &whole).wait().expect("wait").success());
    let takes = begin.elapsed();
    let expected = snapshot(&whole);
    for (index, instant) in (1_u32..).zip(instants(takes, kills())) {
        let mut child = unpack(&source, &target);
        std::thread::sleep(instant);
        child.kill().expect("kill");
        child.wait().expect("wait");
        // What is there is the tree, or nothing that could be taken for it.
        let complete = target.exists();
        if index % LOOK != 0 && !complete {
            continue;
        }
        if !complete {
            assert!(unpack(&source, &target).wait().expect("wait").success(), "killed after {instant:?}");
        }
        let (mut again, top) = (snapshot(&target), expected[&[][..]].modified);
        again.get_mut(&[][..]).expect("the top").modified = top;
        same(Named { name: "whole", tree: &expected }, Named { name: "again", tree: &again });
        fs::remove_dir_all(&target).expect("remove");
        if !complete {
            assert_eq!(fs::read_dir(place.path()).expect("the directory").count(), 1, "only `whole` is left");
        }
    }
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn imports_at_the_same_time_make_each_layer_once() {
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let images = images().expect("images");
    let place = tempfile::tempdir().expect("a directory");
    let alone = place.path().join("alone");
    import(&images.join("layout"), &alone);
    let store = place.path().join("store");
    let children: Vec<Child> = (0..4).map(|_| start(&images.join("layout"), &store)).collect();
    for mut child in children {
        assert!(child.wait().expect("wait").success());
    }
    assert_eq!(stored(&store), stored(&alone));
    same_trees(&trees(&alone), &trees(&store));

    // The same layers in other blobs: they are there already.
    let layers = trees(&store);
    import(&images.join("docker.tar"), &store);
    same_trees(&layers, &trees(&store));
    assert_ne!(stored(&store), stored(&alone));
}
