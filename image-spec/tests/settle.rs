//! What a layer says only together with those below it.

mod layers;

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cofferdam_image_spec::{Descriptor, Error, MediaType, Pending, Settled, Unpack, Unpacked};
use layers::*;

/// Layers of an overlay in directories beside each other.
struct Stack {
    dir: tempfile::TempDir,
    count: usize,
}

impl Stack {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("temporary directory"), count: 0 }
    }

    fn path(&self, layer: usize) -> std::path::PathBuf {
        self.dir.path().join(layer.to_string())
    }

    fn unpack(&self, unpack: &Unpack, archive: &[u8]) -> Unpacked {
        let path = self.path(self.count);
        fs::create_dir_all(&path).expect("directory");
        let root = File::open(path).expect("root");
        let descriptor = Descriptor::of(MediaType::OCI_LAYER, archive);
        unpack.layer(archive, &descriptor, None, root.as_fd(), &|_| ()).expect("layer")
    }

    fn settle(&self, pending: &Pending) -> Result<Settled, Error> {
        let open = |layer| File::open(self.path(layer)).expect("layer");
        let lowers: Vec<File> = (0..self.count).rev().map(open).collect();
        let lowers: Vec<BorrowedFd<'_>> = lowers.iter().map(AsFd::as_fd).collect();
        pending.settle(open(self.count).as_fd(), &lowers)
    }

    /// Unpacks a layer on top, and settles it with as many rounds as it asks for.
    fn add(&mut self, archive: &[u8]) -> usize {
        let mut unpack = Unpack::new(overlay());
        for round in 1..10 {
            let unpacked = self.unpack(&unpack, archive);
            match self.settle(&unpacked.pending).expect("settled") {
                Settled::Complete => {
                    self.count += 1;
                    return round;
                }
                Settled::Redirect(redirects) => unpack = unpack.redirect(redirects),
            }
            fs::remove_dir_all(self.path(self.count)).expect("removed");
        }
        panic!("it does not end");
    }

    fn top(&self, name: &str) -> std::path::PathBuf {
        self.path(self.count - 1).join(name)
    }
}

fn below() -> Vec<u8> {
    let tar = Tar::new().head(Head::new("./", b'5').mode(0o711).mtime(5));
    let tar = tar.head(Head::new("etc/", b'5').mode(0o700).mtime(10)).xattr("user.note", b"below");
    let tar = tar.head(Head::new("etc/sub/", b'5').mode(0o1777).mtime(20));
    let tar = tar.entry(Head::new("etc/sub/file", b'0').mode(0o4751).mtime(30), b"content");
    tar.symlink("lib", "usr/lib").head(Head::new("usr/", b'5').mtime(1)).dir("usr/lib/").end()
}

#[test]
fn directories_without_an_entry_are_as_they_are_below() {
    let mut stack = Stack::new();
    stack.add(&below());
    let upper = Tar::new().file("etc/sub/new", "x").file("usr/other/new", "y").end();
    assert_eq!(stack.add(&upper), 1);
    let top = |name: &str| stack.top(name).metadata().unwrap();
    assert_eq!((top("").mode() & 0o7777, top("").mtime()), (0o711, 5));
    assert_eq!((top("etc").mode() & 0o7777, top("etc").mtime()), (0o700, 10));
    assert_eq!((top("etc/sub").mode() & 0o7777, top("etc/sub").mtime()), (0o1777, 20));
    assert_eq!((top("usr").mode() & 0o7777, top("usr").mtime()), (0o755, 1));
    assert_eq!((top("usr/other").mode() & 0o7777, top("usr/other").mtime()), (0o755, 0));
    assert_eq!(
        xattrs(&stack.top("etc")).get("user.note"),
        xattrs(&stack.path(0).join("etc")).get("user.note")
    );
}

#[test]
fn the_topmost_layer_that_has_a_directory_counts_and_deletions_hide_those_below() {
    let mut stack = Stack::new();
    stack.add(&below());
    stack.add(&Tar::new().head(Head::new("etc/", b'5').mode(0o711).mtime(11)).file(".wh.usr", "").end());
    stack.add(&Tar::new().file("etc/sub/x", "").file("usr/x", "").end());
    let top = |name: &str| stack.top(name).metadata().unwrap();
    assert_eq!((top("etc").mode() & 0o7777, top("etc").mtime()), (0o711, 11));
    assert_eq!((top("etc/sub").mode() & 0o7777, top("etc/sub").mtime()), (0o1777, 20));
    assert_eq!((top("usr").mode() & 0o7777, top("usr").mtime()), (0o755, 0));
    // The layer's own deletions hide as well.
    stack.add(&Tar::new().file("etc/.wh..wh..opq", "").file("etc/sub/y", "").end());
    let top = |name: &str| stack.top(name).metadata().unwrap();
    assert_eq!((top("etc").mode() & 0o7777, top("etc").mtime()), (0o711, 11));
    assert_eq!((top("etc/sub").mode() & 0o7777, top("etc/sub").mtime()), (0o755, 0));
}

#[test]
fn a_link_to_a_file_below_takes_it_along() {
    let mut stack = Stack::new();
    stack.add(&below());
    let upper = Tar::new().dir("new/").hard_link("new/one", "etc/sub/file").hard_link("two", "/etc/sub/file");
    stack.add(&upper.end());
    let (one, two) = (stack.top("new/one").metadata().unwrap(), stack.top("two").metadata().unwrap());
    assert_eq!((one.ino(), one.nlink(), one.mode() & 0o7777, one.mtime()), (two.ino(), 3, 0o4751, 30));
    assert_eq!(fs::read(stack.top("etc/sub/file")).unwrap(), b"content");
    let sub = stack.top("etc/sub").metadata().unwrap();
    assert_eq!((sub.mode() & 0o7777, sub.mtime()), (0o1777, 20));
    assert_eq!(stack.top("etc").metadata().unwrap().mode() & 0o7777, 0o700);
    assert_eq!(stack.top("new").metadata().unwrap().mtime(), 1_000_000_000);
    let lower = stack.path(0).join("etc/sub/file").metadata().unwrap();
    assert_eq!((lower.nlink(), lower.mode() & 0o7777), (1, 0o4751));
}

#[test]
fn a_link_to_nothing_or_to_what_is_deleted_is_an_error() {
    for upper in [
        Tar::new().hard_link("x", "etc/missing"),
        Tar::new().file("etc/.wh.sub", "").hard_link("x", "etc/sub/file"),
        Tar::new().file("etc/sub/.wh..wh..opq", "").hard_link("x", "etc/sub/file"),
        Tar::new().hard_link("x", "etc/sub/file").file("etc/sub/file", "later"),
        Tar::new().hard_link("x", "etc/sub"),
    ] {
        let mut stack = Stack::new();
        stack.add(&below());
        let unpacked = stack.unpack(&Unpack::new(overlay()), &upper.end());
        assert!(!unpacked.pending.is_empty());
        let error = stack.settle(&unpacked.pending).unwrap_err();
        assert!(error.to_string().contains("which is not there"), "{error}");
    }
}

#[test]
fn what_lies_in_a_directory_that_is_a_link_below_is_put_where_it_leads() {
    let mut stack = Stack::new();
    let links =
        Tar::new().symlink("lib", "/usr/lib").symlink("lib64", "lib").symlink("up", "../../lib64/sub");
    let tar = links.head(Head::new("usr/lib/", b'5').mode(0o711).mtime(3)).symlink("loop", "loop");
    stack.add(&tar.end());
    let rounds = stack.add(&Tar::new().file("lib/a", "a").file("lib64/b", "b").file("up/c", "c").end());
    assert_eq!(rounds, 2);
    let top = stack.path(1);
    let names: Vec<String> = listing(&top).into_iter().map(|thing| thing.name).collect();
    let sub = ["usr", "usr/lib", "usr/lib/a", "usr/lib/b", "usr/lib/sub", "usr/lib/sub/c"];
    assert_eq!(names, sub);
    let lib = top.join("usr/lib").metadata().unwrap();
    assert_eq!((lib.mode() & 0o7777, lib.mtime()), (0o711, 3));
    // With an entry of its own it replaces the link.
    assert_eq!(stack.add(&Tar::new().dir("lib/").file("lib/a", "a").end()), 1);
    assert!(stack.top("lib").symlink_metadata().unwrap().is_dir());

    let archive = Tar::new().file("loop/x", "").end();
    let unpack = Unpack::new(overlay());
    let unpacked = stack.unpack(&unpack, &archive);
    let Settled::Redirect(redirects) = stack.settle(&unpacked.pending).unwrap() else { panic!("settled") };
    let place = Place::new();
    let error = place.with(&unpack.redirect(redirects), &archive).unwrap_err();
    assert!(error.to_string().contains("resolve its directory"), "{error}");
}

#[test]
fn an_opaque_root_hides_all_below_by_name() {
    let mut stack = Stack::new();
    stack.add(&below());
    stack.add(&Tar::new().file(".wh..wh..opq", "").dir("etc/").file("new", "").end());
    let whiteout = |name: &str| {
        let meta = stack.top(name).symlink_metadata().unwrap();
        meta.mode() & 0o170_000 == 0o020_000 && meta.rdev() == 0
    };
    assert!(whiteout("lib") && whiteout("usr") && !whiteout("new"));
    let marks = xattrs(&stack.top("etc"));
    assert!(marks.keys().any(|name| name.ends_with(".overlay.opaque")), "{marks:?}");
}

#[test]
fn what_is_pending_survives_being_written_down() {
    let stack = Stack::new();
    let upper = Tar::new().hard_link(b"a/\xff", "etc/file").file("b/c", "").file(".wh..wh..opq", "").end();
    let pending = stack.unpack(&Unpack::new(overlay()), &upper).pending;
    let json = serde_json::to_string(&pending).unwrap();
    assert_eq!(serde_json::from_str::<Pending>(&json).unwrap(), pending);
    let stack = Stack::new();
    assert!(stack.unpack(&Unpack::new(overlay()), &Tar::new().dir(".").dir("a").end()).pending.is_empty());
}

#[test]
fn directories_that_keep_their_owner_out_do_not_stop_it() {
    let mut stack = Stack::new();
    let shut = |name: &str| Head::new(name, b'5').mode(0o555).mtime(9);
    let below = Tar::new().head(shut("a/")).head(shut("a/b/")).file("a/b/file", "x").end();
    stack.add(&below);
    stack.add(&Tar::new().file("a/b/new", "").hard_link("a/b/link", "a/b/file").end());
    for name in ["a", "a/b"] {
        let meta = stack.top(name).metadata().unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o555, 9), "{name}");
    }
    assert_eq!(stack.top("a/b/link").metadata().unwrap().nlink(), 2);
    for layer in 0..2 {
        for name in ["a/b", "a"] {
            fs::set_permissions(stack.path(layer).join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
}

#[test]
fn directories_below_an_opaque_root_get_nothing_from_what_it_hides() {
    let mut stack = Stack::new();
    stack.add(&below());
    assert_eq!(
        stack.add(&Tar::new().file(".wh..wh..opq", "").file("etc/new", "").file("lib/x", "").end()),
        1
    );
    let top = |name: &str| stack.top(name).symlink_metadata().unwrap();
    assert_eq!((top("").mode() & 0o7777, top("").mtime()), (0o711, 5));
    assert_eq!((top("etc").mode() & 0o7777, top("etc").mtime()), (0o755, 0));
    assert!(top("lib").is_dir());
}

#[test]
fn a_link_may_lead_to_a_link_to_a_file_below() {
    let mut stack = Stack::new();
    stack.add(&below());
    stack.add(&Tar::new().hard_link("one", "etc/sub/file").hard_link("two", "one").end());
    let (one, two) = (stack.top("one").metadata().unwrap(), stack.top("two").metadata().unwrap());
    assert_eq!((one.ino(), one.nlink()), (two.ino(), 3));
}

#[test]
fn a_file_that_is_taken_along_keeps_its_holes() {
    let mut stack = Stack::new();
    stack.add(&Tar::new().file("file", "").end());
    let size = 4 << 30;
    let below = File::options().write(true).open(stack.top("file")).unwrap();
    below.set_len(size).unwrap();
    let part = |at| std::os::unix::fs::FileExt::write_all_at(&below, b"part", at).unwrap();
    part(1 << 30);
    part(size - 4);
    stack.add(&Tar::new().hard_link("link", "file").end());
    let link = stack.top("link").metadata().unwrap();
    assert_eq!(link.size(), size);
    assert!(link.blocks() < 1 << 11, "{} blocks", link.blocks());
    let link = File::open(stack.top("link")).unwrap();
    for (at, expected) in [(1 << 30, b"part"), (size - 4, b"part"), (2 << 30, &[0; 4])] {
        let mut found = [0; 4];
        std::os::unix::fs::FileExt::read_exact_at(&link, &mut found, at).unwrap();
        assert_eq!(&found, expected);
    }
}
