//! Processes that use a store: this test binary, started once more.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cofferdam_image_spec::{Error, Store};

use crate::fixture::{image, options, source};

/// What a process is to do with a store: `import NAME FILES BYTES SEED...`, `gc`.
pub fn start(store: &Path, work: &str) -> Child {
    command(store, work).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start")
}

/// Does it and fails if it fails.
pub fn run(store: &Path, work: &str) {
    finish(start(store, work));
}

pub fn finish(child: Child) {
    let Output { status, stderr, .. } = child.wait_with_output().expect("wait");
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
}

pub fn command(store: &Path, work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child::work", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("STORE_TEST_PATH", store).env("STORE_TEST_WORK", work).stdin(Stdio::null());
    command
}

#[test]
#[ignore = "the other tests run it in processes of its own"]
fn work() {
    let path = std::env::var_os("STORE_TEST_PATH").expect("a store");
    let work = std::env::var("STORE_TEST_WORK").expect("what to do");
    let words: Vec<_> = work.split(' ').collect();
    match words.as_slice() {
        ["import", name, files, bytes, seeds @ ..] => {
            let seeds: Vec<u64> = seeds.iter().map(|seed| seed.parse().unwrap()).collect();
            let image = image(&seeds, files.parse().unwrap(), bytes.parse().unwrap());
            let store = Store::open_or_create(path).unwrap();
            let stored = store.import(&source(&image), &image.top, Some(name), &options()).unwrap();
            assert!(stored.is_unpacked().unwrap());
        }
        ["gc"] => {
            let store = Store::open(path).unwrap();
            store.gc_within(Duration::from_secs(60)).unwrap();
        }
        ["full", name, files, bytes, seeds @ ..] => {
            let seeds: Vec<u64> = seeds.iter().map(|seed| seed.parse().unwrap()).collect();
            let image = image(&seeds, files.parse().unwrap(), bytes.parse().unwrap());
            let store = Store::open(path).unwrap();
            let error = store.import(&source(&image), &image.top, Some(name), &options()).unwrap_err();
            assert!(!matches!(error, Error::DigestMismatch { .. }), "{error}");
            eprintln!("error: {error}");
        }
        other => panic!("{other:?}"),
    }
}
