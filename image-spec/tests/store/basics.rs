//! What an import makes, and how it is found again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use cofferdam_image_spec::{
    Descriptor, Destination, Digest, Error, Layout, MediaType, Platform, Progress, Source, Store, chain_ids,
};

use crate::fixture::{Counting, Place, image, layer, options, source, tree, trees};
use crate::places::{Image, Tar, blob, gzip, put, zstd};

#[test]
fn an_import_makes_blobs_layers_and_a_name() {
    let place = Place::new();
    let image = Image::small();
    let stored = place.import(&image, "small").unwrap();
    place.assert_tidy();
    for (digest, content) in &image.blobs {
        assert_eq!(fs::read(place.path(&blob(digest))).unwrap(), *content, "verbatim");
    }
    assert_eq!(stored.manifest().bytes(), image.blobs[&image.top.digest]);
    assert_eq!(stored.descriptor().digest, image.top.digest);
    assert_eq!(stored.config().value().config.env, ["PATH=/bin"]);
    assert_eq!(stored.name(), Some("small"));

    let chain = chain_ids(&image.diff_ids);
    let of_layers: Vec<_> = stored.layers().iter().map(|layer| layer.chain_id.clone()).collect();
    assert_eq!(of_layers, chain);
    let lowers = stored.lower_paths().unwrap();
    assert_eq!(lowers.len(), 2);
    assert_eq!(
        lowers[1],
        place.path(&format!("layers/sha256/{}/diff", chain[0].hex())).canonicalize().unwrap()
    );
    assert_eq!(fs::read(lowers[0].join("etc/motd")).unwrap(), b"welcome\n");
    assert_eq!(fs::read(lowers[1].join("bin/hello")).unwrap(), b"hello\n");
    assert_eq!(fs::read_link(lowers[1].join("hello")).unwrap().to_str(), Some("bin/hello"));

    for name in ["small", &image.top.digest.to_string()] {
        let found = place.store.image(name).unwrap();
        assert_eq!(found.descriptor(), stored.descriptor());
        assert_eq!(found.lower_paths().unwrap(), lowers);
    }
    assert!(matches!(place.store.image("other"), Err(Error::Missing { what: "image", .. })));
    let reopened = Store::open(place.path("")).unwrap();
    assert_eq!(reopened.images().unwrap().len(), 1);
}

#[test]
fn only_the_owner_can_enter() {
    let place = Place::new();
    place.import(&Image::small(), "small").unwrap();
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(""), 0o700, "setuid programs of layers are out of reach");
    for name in ["blobs", "blobs/sha256", "layers", "layers/sha256", "tmp", "locks", "containers"] {
        assert_eq!(mode(name), 0o700, "{name}");
    }
    for name in place.names() {
        let metadata = fs::symlink_metadata(place.path(&name)).unwrap();
        if !name.contains("/diff") && metadata.is_file() {
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{name}");
        }
    }
}

#[test]
fn what_is_there_is_not_read_again() {
    let place = Place::new();
    let first = image(&[1, 2], 2, 100);
    place.import(&first, "first").unwrap();
    let before = place.names();
    let counting = Counting::new(&first);
    place.store.import(&counting, &first.top, Some("first"), &options()).unwrap();
    assert_eq!(counting.opened.load(Ordering::Relaxed), 2, "the manifest and the config");
    assert_eq!(place.names(), before);

    let second = image(&[1, 2, 3], 2, 100);
    let counting = Counting::new(&second);
    place.store.import(&counting, &second.top, Some("second"), &options()).unwrap();
    assert_eq!(counting.opened.load(Ordering::Relaxed), 3, "and the one new layer");
    place.assert_tidy();
}

#[test]
fn compressions_make_the_same_layers() {
    let place = Place::new();
    let layers = [layer(1, 3, 1000), layer(2, 3, 1000)];
    let plain = Image::of(&layers, MediaType::OCI_LAYER, <[u8]>::to_vec, "amd64");
    let zipped = Image::of(&layers, MediaType::OCI_LAYER_GZIP, gzip, "amd64");
    let other = Image::of(&layers, MediaType::OCI_LAYER_ZSTD, zstd, "amd64");
    let stored = place.import(&plain, "plain").unwrap();
    let counting = Counting::new(&zipped);
    let second = place.store.import(&counting, &zipped.top, Some("zipped"), &options()).unwrap();
    assert_eq!(counting.opened.load(Ordering::Relaxed), 4, "its blobs are not there");
    assert_eq!(second.lower_paths().unwrap(), stored.lower_paths().unwrap());
    let fresh = Place::new();
    assert_eq!(trees(&fresh.import(&other, "other").unwrap()), trees(&stored));
}

#[test]
fn without_unpacking_layers_are_made_when_they_are_needed() {
    let place = Place::new();
    let image = image(&[1, 2], 2, 100);
    let stored = place.store.import(&source(&image), &image.top, None, &options().unpack(false)).unwrap();
    assert!(!stored.is_unpacked().unwrap());
    assert_eq!(fs::read_dir(place.path("layers/sha256")).unwrap().count(), 0);
    drop(stored);
    let stored = place.store.image(&image.top.digest.to_string()).unwrap();
    let lowers = stored.lower_paths().unwrap();
    assert_eq!(fs::read(lowers[0].join("common/last")).unwrap(), b"2");
    assert!(stored.is_unpacked().unwrap());
    place.assert_tidy();
}

#[test]
fn one_layer_many_times_in_one_image() {
    let place = Place::new();
    let image = image(&[1, 1, 1, 2, 1], 5, 10_000);
    let counting = Counting::new(&image);
    let stored = std::thread::scope(|scope| {
        let import =
            || place.store.import(&counting, &image.top, Some("same"), &options().threads(4)).unwrap();
        let both = [scope.spawn(import), scope.spawn(import)];
        both.map(|thread| thread.join().unwrap())
    });
    assert_eq!(counting.opened.load(Ordering::Relaxed), 2 * 2 + 2, "each blob once");
    let lowers = stored[0].lower_paths().unwrap();
    assert_eq!(lowers.len(), 5);
    assert_eq!(tree(&lowers[0]), tree(&lowers[4]));
    assert_ne!(lowers[0], lowers[4]);
    place.assert_tidy();
}

#[test]
fn progress_goes_to_the_end_of_each_blob() {
    let place = Place::new();
    let image = image(&[1, 2, 3], 3, 50_000);
    let seen = Seen::default();
    let stored = place.store.import(&source(&image), &image.top, None, &options().progress(&seen)).unwrap();
    let mut told = seen.0.into_inner().unwrap();
    for layer in stored.layers() {
        let bytes = told.remove(&layer.descriptor.digest).unwrap();
        assert_eq!(bytes, (1, layer.descriptor.size, 1), "begun, read and done");
    }
    assert!(told.is_empty());
}

/// How often a blob was begun, how many bytes of it came, how often it was done.
#[derive(Default)]
struct Seen(Mutex<BTreeMap<Digest, (u32, u64, u32)>>);

impl Progress for Seen {
    fn started(&self, descriptor: &Descriptor) {
        self.0.lock().expect("lock").entry(descriptor.digest.clone()).or_default().0 += 1;
    }

    fn advanced(&self, digest: &Digest, bytes: u64) {
        self.0.lock().expect("lock").entry(digest.clone()).or_default().1 += bytes;
    }

    fn finished(&self, descriptor: &Descriptor) {
        self.0.lock().expect("lock").entry(descriptor.digest.clone()).or_default().2 += 1;
    }
}

#[test]
fn of_an_index_the_manifest_for_the_platform_is_kept() {
    let place = Place::new();
    let one = Image::new(&[layer(1, 1, 10)]);
    let two = Image::of(&[layer(2, 1, 10)], MediaType::OCI_LAYER_GZIP, gzip, "arm64");
    let index = Image::index(&[("amd64", one.clone()), ("arm64", two.clone())]);
    let stored = place.import(&index, "multi").unwrap();
    assert_eq!(stored.descriptor().digest, one.top.digest);
    let arm = options().platform(Platform::new("linux", "arm64"));
    let stored = place.store.import(&source(&index), &index.top, Some("multi"), &arm).unwrap();
    assert_eq!(stored.descriptor().digest, two.top.digest);
    assert_eq!(place.store.image("multi").unwrap().descriptor().digest, two.top.digest);
    let other = options().platform(Platform::new("linux", "riscv64"));
    assert!(matches!(
        place.store.import(&source(&index), &index.top, Some("x"), &other),
        Err(Error::Platform { .. })
    ));
}

#[test]
fn a_store_is_a_place_to_copy_to_and_from() {
    let place = Place::new();
    let image = Image::small();
    put(&place.store, &image, Some("put"));
    assert!(matches!(place.store.gc(), Err(Error::Busy { .. })), "the copy is not finished");
    assert!(place.store.has(&image.top.digest).unwrap());
    place.store.finish().unwrap();
    assert_eq!(place.store.gc().unwrap().blobs, 0);
    let stored = place.store.image("put").unwrap();
    assert_eq!(stored.lower_paths().unwrap().len(), 2);

    let wrong = cofferdam_image_spec::Descriptor::of("x", b"other");
    assert!(place.store.put(&wrong, &mut &b"bytes"[..]).is_err());
    assert!(place.store.publish(Some("none"), &wrong).is_err(), "there is no such manifest");
    place.assert_tidy();

    let second = Place::new();
    let offer = place.store.offers().unwrap().remove(0);
    let copied =
        second.store.import(&place.store, &offer.descriptor, offer.name.as_deref(), &options()).unwrap();
    assert_eq!(trees(&copied), trees(&stored));
    let layout = Layout::open(place.path("")).unwrap();
    assert_eq!(layout.offers().unwrap(), place.store.offers().unwrap(), "other tools see a layout");
}

#[test]
fn names_that_cannot_be() {
    let place = Place::new();
    let before = place.names();
    let image = Image::small();
    for name in ["", "a\nb", &image.top.digest.to_string()] {
        assert!(matches!(place.import(&image, name), Err(Error::Invalid { .. })), "{name:?}");
    }
    assert_eq!(place.names(), before);
}

#[test]
fn layers_are_complete_above_those_below_them() {
    let place = Place::new();
    let below = Tar::default()
        .directory("usr/")
        .directory("usr/lib/")
        .file("usr/lib/below", b"below")
        .symlink("lib", "usr/lib")
        .end();
    // A directory that is a link below, and a hard link to a file of the layer below.
    let above = Tar::default().file("lib/above", b"above").link("usr/linked", "usr/lib/below").end();
    let image = Image::new(&[below, above, Tar::default().file("lib/top", b"top").end()]);
    let stored = place.import(&image, "linked").unwrap();
    let lowers = stored.lower_paths().unwrap();
    assert_eq!(fs::read(lowers[0].join("usr/lib/top")).unwrap(), b"top");
    assert_eq!(fs::read(lowers[1].join("usr/lib/above")).unwrap(), b"above");
    assert_eq!(fs::read(lowers[1].join("usr/linked")).unwrap(), b"below");
    assert!(fs::symlink_metadata(lowers[1].join("lib")).is_err(), "the link of the layer below stays one");
    // Only the topmost is made again, above those that are there.
    let expected = trees(&stored);
    fs::remove_file(lowers[0].parent().unwrap().join("layer.json")).unwrap();
    assert_eq!(trees(&stored), expected);
    let deep = cofferdam_image_spec::VerifyOptions { deep: true, repair: false };
    let report = place.store.verify(deep).unwrap();
    assert!(report.damages.is_empty(), "{report:?}");
    place.assert_tidy();
}
