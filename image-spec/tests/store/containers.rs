//! Roots that are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cofferdam_image_spec::{Error, Store};

use crate::fixture::{Place, image};

#[test]
fn a_container_is_made_once_and_found_again() {
    let place = Place::new();
    let stored = place.import(&image(&[1], 2, 100), "one").unwrap();
    let container = place.store.container("box", &stored).unwrap();
    assert_eq!(container.name(), "box");
    assert_eq!(container.upper(), place.path("containers/box/upper").canonicalize().unwrap());
    fs::write(container.upper().join("kept"), "x").unwrap();
    let mode = fs::metadata(container.upper()).unwrap().permissions().mode() & 0o7777;
    let root = fs::metadata(&stored.lower_paths().unwrap()[0]).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, root, "the root of the mount has the mode of the upper directory");
    let other = Store::open(place.path("")).unwrap();
    assert!(matches!(other.container("box", &stored), Err(Error::Busy { what: "container", .. })));
    assert!(matches!(other.open_container("box"), Err(Error::Busy { .. })));
    assert!(matches!(other.remove_container("box"), Err(Error::Busy { .. })));
    drop(container);
    let container = other.container("box", &stored).unwrap();
    assert_eq!(fs::read(container.upper().join("kept")).unwrap(), b"x");
    assert_eq!(container.image().unwrap().descriptor(), stored.descriptor());
    assert_eq!(place.store.containers().unwrap(), [("box".to_owned(), stored.descriptor())]);
    place.assert_tidy();
}

#[test]
fn another_image_or_a_bad_name_is_refused() {
    let place = Place::new();
    let one = place.import(&image(&[1], 2, 100), "one").unwrap();
    let two = place.import(&image(&[2], 2, 100), "two").unwrap();
    drop(place.store.container("box", &one).unwrap());
    let error = place.store.container("box", &two).unwrap_err().to_string();
    assert!(error.contains(&one.descriptor().digest.to_string()), "{error}");
    for name in ["", "..", "a/b", ".hidden"] {
        assert!(matches!(place.store.container(name, &one), Err(Error::Invalid { .. })), "{name}");
        assert!(place.store.remove_container(name).is_err());
        assert!(place.store.open_container(name).is_err());
    }
    assert!(matches!(place.store.remove_container("none"), Err(Error::Missing { .. })));
    assert!(matches!(place.store.open_container("none"), Err(Error::Missing { .. })));
}

#[test]
fn removing_survives_odd_modes_and_depth() {
    let place = Place::new();
    let stored = place.import(&image(&[1], 2, 100), "one").unwrap();
    let container = place.store.container("box", &stored).unwrap();
    fs::create_dir(container.work().join("work")).unwrap();
    fs::set_permissions(container.work().join("work"), fs::Permissions::from_mode(0o0)).unwrap();
    let mut deep = container.upper();
    for _ in 0..300 {
        deep.push("deeper");
        fs::create_dir(&deep).unwrap();
    }
    fs::set_permissions(container.upper().join("deeper/deeper"), fs::Permissions::from_mode(0o500)).unwrap();
    assert!(place.store.usage().unwrap().containers > 300 * 512);
    drop(container);
    place.store.remove_container("box").unwrap();
    assert_eq!(fs::read_dir(place.path("containers")).unwrap().count(), 0);
    place.assert_tidy();
}

#[test]
fn many_make_the_same_container() {
    let place = Place::new();
    let stored = place.import(&image(&[1], 2, 100), "one").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    match place.store.container("box", &stored) {
                        Ok(container) => assert!(container.upper().is_dir() && container.work().is_dir()),
                        Err(Error::Busy { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    match place.store.remove_container("box") {
                        Ok(()) | Err(Error::Busy { .. } | Error::Missing { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    place.assert_tidy();
}
