//! Processes that are killed at any instant: then again, and all is well.

use std::time::{Duration, Instant};

use crate::child::{run, start};
use crate::fixture::{Place, noise, trees};

/// How often; more for a long run.
fn rounds() -> u64 {
    std::env::var("STORE_TEST_KILLS").map_or(30, |count| count.parse().expect("a number"))
}

#[test]
fn killed_imports_leave_nothing_that_hurts() {
    const WORK: &str = "import x 20 20000 1 2 3 4";
    let expected = Place::new();
    let begin = Instant::now();
    run(&expected.path(""), WORK);
    let whole = begin.elapsed();
    let stored = expected.store.image("x").unwrap();
    let (trees_expected, names_expected) = (trees(&stored), expected.names());

    let mut midway = 0;
    for round in 0..rounds() {
        let place = Place::new();
        let random = noise(round + u64::from(std::process::id()), 8);
        let part = u64::from_le_bytes(random.try_into().unwrap()) % 1000;
        let mut child = start(&place.path(""), WORK);
        std::thread::sleep(whole.mul_f64(f64::from(u32::try_from(part).unwrap()) / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = std::fs::read_dir(place.path("tmp")).unwrap().count();
        midway += u32::from(left > 0);
        // Valid at every instant: names have all they need.
        for offer in place.store.images().unwrap() {
            place.store.image(&offer.descriptor.digest.to_string()).unwrap().lower_paths().unwrap();
        }
        run(&place.path(""), WORK);
        assert_eq!(trees(&place.store.image("x").unwrap()), trees_expected, "round {round}");
        assert_eq!(place.names(), names_expected, "round {round}: nothing is left over");
    }
    assert!(midway > 0, "no round was killed while it made something, of {whole:?}");
}

#[test]
fn many_at_once_are_killed() {
    let place = Place::new();
    let path = place.path("");
    let work = ["import x 10 20000 1 2 3", "import y 10 20000 1 2 4", "import x 10 20000 1 2 3", "gc"];
    for round in 0..rounds().div_ceil(6) {
        let mut children: Vec<_> = work.iter().map(|work| start(&path, work)).collect();
        std::thread::sleep(Duration::from_millis(20 + 37 * round % 400));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    run(&path, work[0]);
    run(&path, work[1]);
    run(&path, "gc");
    place.assert_tidy();
    assert!(
        place
            .store
            .verify(cofferdam_image_spec::VerifyOptions { deep: true, repair: false })
            .unwrap()
            .damages
            .is_empty()
    );
}
