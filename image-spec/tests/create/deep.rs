//! Trees deeper than a path or the number of open files would allow.

use std::os::fd::{AsFd, OwnedFd};

use cofferdam_image_spec::{CreateLayer, LayerCompression, LayerTimes};
use rustix::fs::{Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::layer;

const DEPTH: usize = 10_000;
/// How many of them have one file beside the directory.
const EACH: usize = 500;
const FILES: usize = DEPTH / EACH;

fn enter(dir: &OwnedFd, name: &str) -> OwnedFd {
    openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("openat")
}

/// Makes the tree, with files at some depths; removes it again, as no path reaches the bottom.
struct Deep(tempfile::TempDir);

impl Deep {
    fn new() -> Self {
        // In memory if possible: disks take long for it.
        let top = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let mut dir = open(top.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        for depth in 0..DEPTH {
            mkdirat(&dir, "d", Mode::RWXU).expect("mkdirat");
            if depth % EACH == 0 {
                let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(&dir, "z", flags, Mode::RUSR).expect("a file");
            }
            dir = enter(&dir, "d");
        }
        Self(top)
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        let mut dir = open(self.0.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        for _ in 0..DEPTH {
            dir = enter(&dir, "d");
        }
        for depth in (0..DEPTH).rev() {
            dir = enter(&dir, "..");
            if depth % EACH == 0 {
                unlinkat(&dir, "z", rustix::fs::AtFlags::empty()).expect("unlinkat");
            }
            unlinkat(&dir, "d", rustix::fs::AtFlags::REMOVEDIR).expect("unlinkat");
        }
    }
}

#[test]
fn ten_thousand_directories_below_each_other_are_walked() {
    let deep = Deep::new();
    let found = layer(CreateLayer::tree().times(LayerTimes::Fixed(0)), deep.0.path());
    assert_eq!(found.len(), DEPTH + FILES);
    assert_eq!(found[DEPTH - 1].path, "d/".repeat(DEPTH));
    assert_eq!(found[DEPTH].path, "d/".repeat(DEPTH - EACH) + "z", "the way up goes through all of them");
    assert_eq!(found[DEPTH + FILES - 1].path, "z");
}

#[test]
fn few_descriptors_are_enough() {
    // In a process of its own: the limit is of the whole process.
    if std::env::var_os("FEW_DESCRIPTORS").is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["deep::few_descriptors_are_enough", "--exact", "--nocapture"])
            .env("FEW_DESCRIPTORS", "1");
        assert!(command.status().unwrap().success());
        return;
    }
    let deep = Deep::new();
    let limit = getrlimit(Resource::Nofile);
    let top = std::fs::File::open(deep.0.path()).unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).unwrap();
    let plain = CreateLayer::tree().compression(LayerCompression::None);
    let created = plain.create(top.as_fd(), std::io::sink()).unwrap();
    assert_eq!(created.entries, (DEPTH + FILES) as u64);
}
