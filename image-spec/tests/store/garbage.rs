//! Collections: what nobody needs goes, and nothing else.

use std::fs;
use std::time::Duration;

use cofferdam_image_spec::{
    Descriptor, Destination, Document, Error, ImageConfig, Manifest, MediaType, Platform, Store,
};

use crate::fixture::{Place, image, trees};

#[test]
fn what_no_name_needs_goes() {
    let place = Place::new();
    let empty = place.names();
    let (one, two) = (image(&[1, 2], 2, 5000), image(&[1, 3], 2, 5000));
    place.import(&one, "one").unwrap();
    let both = trees(&place.import(&two, "two").unwrap());
    assert_eq!(place.store.gc().unwrap(), Default::default());

    place.store.remove("one").unwrap();
    let collected = place.store.gc().unwrap();
    assert_eq!(
        (collected.blobs, collected.layers, collected.temporaries),
        (3, 1, 0),
        "manifest, config, layer"
    );
    assert!(collected.bytes >= 2 * 2 * 5000, "{collected:?}");
    assert_eq!(trees(&place.store.image("two").unwrap()), both);

    place.store.remove("two").unwrap();
    let collected = place.store.gc().unwrap();
    assert_eq!((collected.blobs, collected.layers), (4, 2));
    assert_eq!(place.names(), empty);
}

#[test]
fn attestations_with_the_config_of_an_image_are_kept_and_keep_nothing_else() {
    let place = Place::new();
    let statement = Descriptor::of("application/vnd.in-toto+json", b"{}");
    let config = ImageConfig::new(Platform::host(), vec![statement.digest.clone()]);
    let config = Document::new(&config).unwrap();
    let manifest = Document::new(&Manifest::new(config.descriptor(), vec![statement.clone()])).unwrap();
    assert_eq!(config.media_type().as_str(), MediaType::OCI_CONFIG);
    let put =
        |descriptor: &Descriptor, mut content: &[u8]| place.store.put(descriptor, &mut content).unwrap();
    put(&statement, b"{}");
    put(&config.descriptor(), config.bytes());
    put(&manifest.descriptor(), manifest.bytes());
    place.store.publish(Some("signed"), &manifest.descriptor()).unwrap();
    place.store.finish().unwrap();

    assert_eq!(place.store.gc().unwrap(), Default::default());
    assert_eq!(place.store.usage().unwrap().images.len(), 1);
    assert!(place.store.verify(Default::default()).unwrap().damages.is_empty());
    place.store.remove("signed").unwrap();
    assert_eq!(place.store.gc().unwrap().blobs, 3);
}

#[test]
fn what_is_in_use_stays() {
    let place = Place::new();
    let image = image(&[1, 2], 2, 100);
    let stored = place.import(&image, "one").unwrap();
    let before = trees(&stored);
    place.store.remove("one").unwrap();
    let other = Store::open(place.path("")).unwrap();
    assert_eq!(other.gc().unwrap(), Default::default());
    assert_eq!(trees(&stored), before);
    assert!(other.image("one").is_err(), "the name is gone");
    drop(stored);
    assert_eq!(other.gc().unwrap().layers, 2);
}

#[test]
fn what_a_container_is_on_stays() {
    let place = Place::new();
    let image = image(&[1], 2, 100);
    let container = place.store.container("box", &place.import(&image, "one").unwrap()).unwrap();
    place.store.remove("one").unwrap();
    drop(container);
    assert_eq!(place.store.gc().unwrap(), Default::default());
    let container = place.store.open_container("box").unwrap();
    assert_eq!(container.image().unwrap().lower_paths().unwrap().len(), 1);
    drop(container);
    place.store.remove_container("box").unwrap();
    assert_eq!(place.store.gc().unwrap().layers, 1);
}

#[test]
fn leftovers_go() {
    let place = Place::new();
    fs::create_dir_all(place.path("tmp/1-2-3/layer-0/diff/a")).unwrap();
    fs::write(place.path("locks/layer-sha256-00"), "").unwrap();
    fs::create_dir(place.path(&format!("layers/sha256/{}", "0".repeat(64)))).unwrap();
    let collected = place.store.gc().unwrap();
    assert_eq!((collected.temporaries, collected.layers), (2, 1));
    place.assert_tidy();
}

#[test]
fn a_document_that_cannot_be_read_stops_it() {
    let place = Place::new();
    let one = image(&[1], 2, 100);
    drop(place.import(&one, "one").unwrap());
    drop(place.import(&image(&[2], 2, 100), "two").unwrap());
    place.store.remove("two").unwrap();
    let manifest = place.path(&crate::places::blob(&one.top.digest));
    let content = fs::read(&manifest).unwrap();
    fs::write(&manifest, &content[1..]).unwrap();
    let before = place.names();
    place.store.gc().unwrap_err();
    assert_eq!(place.names(), before, "nobody knows what is needed");
    fs::write(&manifest, content).unwrap();
    assert_eq!(place.store.gc().unwrap().layers, 1);
}

#[test]
fn it_tells_of_who_is_busy() {
    let place = Place::new();
    let lock = fs::File::open(place.path("locks/store")).unwrap();
    lock.lock_shared().unwrap();
    assert!(matches!(place.store.gc(), Err(Error::Busy { what: "store", .. })));
    assert!(matches!(place.store.gc_within(Duration::from_millis(50)), Err(Error::Busy { .. })));
    let collected = std::thread::scope(|scope| {
        let waits = scope.spawn(|| place.store.gc_within(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(50));
        drop(lock);
        waits.join().unwrap()
    });
    collected.unwrap();
}

#[test]
fn usage_tells_what_is_shared() {
    let place = Place::new();
    place.import(&image(&[1, 2], 4, 50_000), "one").unwrap();
    let usage = place.store.usage().unwrap();
    assert_eq!(usage.images[0].unique, usage.blobs + usage.layers);
    assert_eq!(usage.images[0].shared, 0);
    assert!(usage.layers >= 2 * 4 * 50_000 && usage.layers < 3 * 4 * 50_000, "{usage:?}");
    place.store.tag("one", "again").unwrap();
    place.import(&image(&[1, 3], 4, 50_000), "two").unwrap();
    let usage = place.store.usage().unwrap();
    let [one, two, again] = [0, 2, 1].map(|at| usage.images[at].clone());
    assert_eq!((one.unique, one.shared), (again.unique, again.shared), "two names of one image");
    assert_eq!(one.unique + two.unique + one.shared, usage.blobs + usage.layers);
    assert_eq!(one.shared, two.shared);
    place.store.remove("one").unwrap();
    place.store.remove("again").unwrap();
    let freed = place.store.gc().unwrap().bytes;
    assert_eq!(freed, one.unique);
}
