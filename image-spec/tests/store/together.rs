//! Several processes at once.

use std::time::Duration;

use cofferdam_image_spec::VerifyOptions;

use crate::child::{finish, run, start};
use crate::fixture::{Place, image, trees};

#[test]
fn four_processes_import_the_same_and_overlapping_images() {
    let place = Place::new();
    let path = place.path("");
    let work = [
        "import same 10 20000 1 2 3 4",
        "import same 10 20000 1 2 3 4",
        "import longer 10 20000 1 2 3 4 5",
        "import other 10 20000 1 2 6 3",
    ];
    let children: Vec<_> = work.iter().map(|work| start(&path, work)).collect();
    children.into_iter().for_each(finish);
    place.assert_tidy();
    assert_eq!(std::fs::read_dir(place.path("layers/sha256")).unwrap().count(), 7, "one set of layers");
    for (name, seeds) in [("same", &[1, 2, 3, 4][..]), ("longer", &[1, 2, 3, 4, 5]), ("other", &[1, 2, 6, 3])]
    {
        let alone = Place::new();
        let expected = trees(&alone.import(&image(seeds, 10, 20000), name).unwrap());
        assert_eq!(trees(&place.store.image(name).unwrap()), expected, "{name}");
    }
    assert!(place.store.verify(VerifyOptions { deep: true, repair: false }).unwrap().damages.is_empty());
}

#[test]
fn collections_while_others_import() {
    let place = Place::new();
    let path = place.path("");
    run(&path, "import base 5 5000 1 2");
    for round in 0..4 {
        let import = format!("import name-{round} 10 20000 1 2 {}", round + 10);
        let children = [start(&path, &import), start(&path, "gc"), start(&path, &import), start(&path, "gc")];
        place.store.remove("base").ok();
        children.into_iter().for_each(finish);
        let stored = place.store.image(&format!("name-{round}")).unwrap();
        assert!(stored.is_unpacked().unwrap(), "what has a name stays");
    }
    place.store.gc_within(Duration::from_secs(60)).unwrap();
    assert!(place.store.verify(VerifyOptions { deep: true, repair: false }).unwrap().damages.is_empty());
    place.assert_tidy();
}
