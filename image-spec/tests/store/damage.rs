//! Stores that are not as they should be: after a crash of the machine, a bad disk, a bad hand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use cofferdam_image_spec::{Descriptor, Error, Source, VerifyOptions};
use serde_json::Value;

use crate::fixture::{Place, image, trees};
use crate::places::{Image, Tar, blob};

const DEEP: VerifyOptions = VerifyOptions { deep: true, repair: false };
const REPAIR: VerifyOptions = VerifyOptions { deep: true, repair: true };

/// The records of all layers.
fn records(place: &Place) -> Vec<PathBuf> {
    let layers = fs::read_dir(place.path("layers/sha256")).expect("layers");
    layers.map(|layer| layer.expect("layer").path().join("layer.json")).collect()
}

/// Makes the layers those of an earlier boot.
fn reboot(place: &Place) {
    for record in records(place) {
        let mut value: Value = serde_json::from_slice(&fs::read(&record).expect("record")).expect("json");
        value["boot"] = "an earlier one".into();
        fs::write(&record, value.to_string()).expect("record");
    }
}

fn first_layer(image: &Image) -> Descriptor {
    serde_json::from_value(image.json(&image.top.digest)["layers"][0].clone()).expect("descriptor")
}

#[test]
fn after_a_crash_of_the_machine_layers_are_made_again() {
    let place = Place::new();
    let before = trees(&place.import(&image(&[1, 2], 3, 100), "one").unwrap());
    reboot(&place);
    let stored = place.store.image("one").unwrap();
    assert!(!stored.is_unpacked().unwrap());
    let lost = stored.lower_paths().unwrap()[0].join("common/last");
    fs::write(&lost, "").unwrap();
    reboot(&place);
    assert_eq!(place.store.verify(DEEP).unwrap().outdated, 2);
    assert_eq!(trees(&stored), before);
    place.assert_tidy();

    place.store.sync().unwrap();
    reboot(&place);
    assert!(stored.is_unpacked().unwrap(), "what was synced survives");
    place.assert_tidy();
}

#[test]
fn a_record_that_was_lost_is_a_layer_that_was_lost() {
    let place = Place::new();
    let image = image(&[1, 2], 3, 100);
    let before = trees(&place.import(&image, "one").unwrap());
    for garbage in ["", "{", "null", r#"{"version":2}"#] {
        for record in records(&place) {
            fs::write(record, garbage).unwrap();
        }
        assert_eq!(trees(&place.store.image("one").unwrap()), before);
    }
    for record in records(&place) {
        fs::remove_file(record).unwrap();
    }
    assert_eq!(trees(&place.import(&image, "one").unwrap()), before);
    place.assert_tidy();
}

#[test]
fn a_damaged_blob_is_named_dropped_and_taken_anew() {
    let place = Place::new();
    let image = image(&[1, 2], 3, 1000);
    let before = trees(&place.import(&image, "one").unwrap());
    assert!(place.store.verify(DEEP).unwrap().damages.is_empty());
    let digest = first_layer(&image).digest;
    let mut content = image.blobs[&digest].clone();
    content[2000] ^= 1;
    fs::write(place.path(&blob(&digest)), &content).unwrap();
    let report = place.store.verify(VerifyOptions::default()).unwrap();
    assert_eq!((report.blobs, report.images, report.layers), (4, 1, 2));
    let [damage] = report.damages.as_slice() else { panic!("{report:?}") };
    assert_eq!((damage.what, damage.name.as_str(), damage.removed), ("blob", &*digest.to_string(), false));
    assert!(matches!(damage.error, Error::DigestMismatch { .. }));

    let report = place.store.verify(REPAIR).unwrap();
    assert!(report.damages.iter().any(|damage| damage.what == "blob" && damage.removed));
    let report = place.store.verify(VerifyOptions::default()).unwrap();
    assert!(matches!(report.damages[..], [ref damage] if damage.what == "image"), "{report:?}");
    assert_eq!(trees(&place.import(&image, "one").unwrap()), before);
    assert!(place.store.verify(DEEP).unwrap().damages.is_empty());
    place.assert_tidy();
}

#[test]
fn an_import_does_not_trust_a_damaged_blob() {
    let place = Place::new();
    let image = image(&[1, 2], 3, 1000);
    let before = trees(&place.import(&image, "one").unwrap());
    let digest = first_layer(&image).digest;
    let path = place.path(&blob(&digest));
    let mut content = image.blobs[&digest].clone();
    content[2000] ^= 1;
    fs::write(&path, &content).unwrap();
    fs::remove_dir_all(place.path("layers/sha256")).unwrap();
    fs::create_dir(place.path("layers/sha256")).unwrap();
    assert!(place.store.image("one").unwrap().lower_paths().is_err());
    assert_eq!(fs::read_dir(place.path("layers/sha256")).unwrap().count(), 0);
    assert_eq!(trees(&place.import(&image, "one").unwrap()), before);
    assert_eq!(fs::read(&path).unwrap(), image.blobs[&digest]);

    fs::write(&path, &content[..100]).unwrap();
    place.import(&image, "one").unwrap();
    assert_eq!(fs::read(&path).unwrap(), image.blobs[&digest], "one of another length is not there");
    place.assert_tidy();
}

#[test]
fn a_changed_layer_is_found_by_a_deep_look() {
    let place = Place::new();
    let image = image(&[1, 2], 3, 1000);
    let stored = place.import(&image, "one").unwrap();
    let before = trees(&stored);
    let lowers = stored.lower_paths().unwrap();
    drop(stored);
    fs::write(lowers[1].join("layer-1/file-1"), "changed").unwrap();
    assert!(place.store.verify(VerifyOptions::default()).unwrap().damages.is_empty());
    let report = place.store.verify(REPAIR).unwrap();
    let [damage] = report.damages.as_slice() else { panic!("{report:?}") };
    assert!(damage.error.to_string().contains("layer-1/file-1"), "{}", damage.error);
    assert_eq!(trees(&place.store.image("one").unwrap()), before);
    place.assert_tidy();
}

#[test]
fn documents_that_are_gone() {
    let place = Place::new();
    let image = image(&[1], 3, 100);
    drop(place.import(&image, "one").unwrap());
    fs::remove_file(place.path(&blob(&image.top.digest))).unwrap();
    assert!(matches!(place.store.image("one"), Err(Error::Missing { .. })));
    assert!(place.store.gc().is_err());
    let report = place.store.verify(REPAIR).unwrap();
    assert!(matches!(report.damages[..], [ref damage] if damage.what == "image" && damage.removed));
    assert!(place.store.images().unwrap().is_empty());
    assert_eq!(place.store.gc().unwrap().layers, 1);
}

#[test]
fn blobs_that_are_links_pipes_or_directories_are_not_read() {
    let place = Place::new();
    let image = image(&[1], 3, 100);
    drop(place.import(&image, "one").unwrap());
    let path = place.path(&blob(&image.top.digest));
    let kept = place.path("kept");
    fs::rename(&path, &kept).unwrap();
    symlink(&kept, &path).unwrap();
    assert!(place.store.image("one").is_err());
    assert!(place.store.open(&image.top).is_err());
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(place.store.image("one").is_err());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(place.store.image("one").is_err());
    let report = place.store.verify(REPAIR).unwrap();
    assert!(report.damages.iter().any(|damage| damage.what == "blob" && damage.removed), "{report:?}");
    assert!(!path.exists());
    place.import(&image, "one").unwrap();
    fs::remove_file(kept).unwrap();
    place.assert_tidy();
}

#[test]
fn a_deep_look_knows_what_is_made_here_alone() {
    let place = Place::new();
    // Directories without an entry, in the lowest layer and above it; whiteouts; an opaque directory.
    let first = Tar::default().file("a/b/c", b"1").file("f", b"").directory("d/").file("d/e", b"");
    let second = Tar::default().file("a/d/e", b"2").file(".wh.f", b"").file("d/.wh..wh..opq", b"");
    place.import(&Image::new(&[first.end(), second.end()]), "one").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let report = place.store.verify(DEEP).unwrap();
    assert!(report.damages.is_empty(), "{report:?}");
}
