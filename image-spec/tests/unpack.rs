//! What a layer becomes.

mod layers;

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use cofferdam_image_spec::{Descriptor, Digest, Error, Form, Ids, MediaType, Unpack};
use layers::*;

fn sample() -> Vec<u8> {
    Tar::new()
        .dir("./")
        .head(Head::new("bin/", b'5').mode(0o2755).mtime(5))
        .entry(Head::new("bin/tool", b'0').mode(0o4755).mtime(77), b"#!tool")
        .hard_link("bin/again", "bin/tool")
        .symlink("sbin", "bin")
        .file("empty", "")
        .head(Head::new("pipe", b'6').mode(0o666))
        .pax(&[("mtime", b"12.25"), ("SCHILY.xattr.user.note", b"\0\xff")])
        .file("noted", "n")
        .file("deep/er/file", "x")
        .end()
}

#[test]
fn a_layer_becomes_a_tree_with_all_that_is_said_of_it() {
    for form in [Form::Plain, overlay()] {
        let place = Place::new();
        let unpacked = place.with(&Unpack::new(form), &sample()).unwrap();
        assert_eq!(unpacked.diff_id, Digest::sha256(&sample()));
        assert_eq!((unpacked.entries, unpacked.bytes, unpacked.end_marker), (9, 8, true));
        let noted = place.path("noted");
        let meta = noted.metadata().unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec(), meta.atime()), (12, 250_000_000, 12));
        let names = [
            "bin",
            "bin/again",
            "bin/tool",
            "deep",
            "deep/er",
            "deep/er/file",
            "empty",
            "noted",
            "pipe",
            "sbin",
        ];
        assert_eq!(place.names(), names);
        let tool = place.path("bin/tool").metadata().unwrap();
        assert_eq!((tool.mode(), tool.mtime(), tool.nlink()), (0o104_755, 77, 2));
        assert_eq!(place.path("bin/again").metadata().unwrap().ino(), tool.ino());
        let bin = place.path("bin").metadata().unwrap();
        assert_eq!((bin.mode(), bin.mtime()), (0o042_755, 5));
        assert_eq!(place.path("root/..").metadata().unwrap_err().kind(), std::io::ErrorKind::NotFound);
        let pipe = place.path("pipe").metadata().unwrap();
        assert!(pipe.file_type().is_fifo());
        assert_eq!(pipe.mode() & 0o7777, 0o666);
        if let Some(note) = xattrs(&noted).get("user.note") {
            assert_eq!(note, b"\0\xff");
        } else {
            assert_eq!(unpacked.skipped.xattrs, 1);
        }
        let link = place.path("sbin").symlink_metadata().unwrap();
        assert_eq!(link.mtime(), 1_000_000_000);
        let implicit = place.path("deep").metadata().unwrap();
        assert_eq!((implicit.mode() & 0o7777, implicit.mtime()), (0o755, 0));
        assert_eq!(place.root().metadata().unwrap().mtime(), 1_000_000_000);
    }
}

#[test]
fn owners_are_kept_mapped_or_all_the_callers() {
    let archive = Tar::new().entry(Head::new("file", b'0').owner(12, 34).mode(0o6755), b"x").end();
    let place = Place::new();
    place.with(&Unpack::new(Form::Plain).ids(Ids::Squash), &archive).unwrap();
    let own = place.root().metadata().unwrap();
    let file = place.path("file").metadata().unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (own.uid(), own.gid(), 0o6755));
    require_root!();
    place.with(&Unpack::new(Form::Plain), &archive).unwrap();
    let file = place.path("file").metadata().unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (12, 34, 0o6755));
    let range = |container, host| vec![cofferdam_image_spec::IdRange { container, host, count: 20 }];
    let ids = Ids::Mapped { uids: range(0, 100_000), gids: range(20, 200_000) };
    let error = place.with(&Unpack::new(overlay()).ids(ids.clone()), &archive).unwrap_err();
    assert!(
        message(&error).contains("not empty") || message(&error).contains("Directory not empty"),
        "{error}"
    );
    place.with(&Unpack::new(Form::Plain).ids(ids.clone()), &archive).unwrap();
    let file = place.path("file").metadata().unwrap();
    assert_eq!((file.uid(), file.gid()), (100_012, 200_014));
    let other = Tar::new().entry(Head::new("x", b'0').owner(20, 20), b"").end();
    let error = place.with(&Unpack::new(Form::Plain).ids(ids), &other).unwrap_err();
    assert!(message(&error).contains("user id 20 is in none"), "{error}");
}

#[test]
fn compressed_layers_are_verified_as_blob_and_as_archive() {
    let (archive, blob) = (sample(), gzip(&sample()));
    let descriptor = Descriptor::of(MediaType::OCI_LAYER_GZIP, &blob);
    let unpack = Unpack::new(Form::Plain);
    let place = Place::new();
    let diff_id = Digest::sha256(&archive);
    let unpacked = place.blob(&unpack, &blob[..], &descriptor, Some(&diff_id)).unwrap();
    assert_eq!(unpacked.diff_id, diff_id);

    let place = Place::new();
    let other = Digest::sha256(b"other");
    let error = place.blob(&unpack, &blob[..], &descriptor, Some(&other)).unwrap_err();
    let Error::Layer { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, Error::DigestMismatch { what: "diff id", .. }), "{source}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn capabilities_of_mapped_programs_are_none_of_the_host() {
    require_root!();
    // Version 2, effective, `CAP_NET_RAW`.
    let value = [&[1, 0, 0, 2, 0, 0x20, 0, 0][..], &[0; 12]].concat();
    let archive = Tar::new().xattr("security.capability", &value).file("ping", "x").end();
    let range = |container| vec![cofferdam_image_spec::IdRange { container, host: 100_000, count: 20 }];
    let unpack = Unpack::new(overlay()).ids(Ids::Mapped { uids: range(0), gids: range(0) });
    let place = Place::new();
    assert_eq!(place.with(&unpack, &archive).unwrap().skipped.capabilities, 0);
    let kept = &xattrs(&place.path("ping"))["security.capability"];
    assert_eq!((kept[3], &kept[20..]), (3, &100_000_u32.to_le_bytes()[..]));
}

/// Carries out without the capability that makes modes of no account.
fn bound_by_modes<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sets = capabilities(None).expect("capabilities");
            let all = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
            sets.effective.remove(all);
            sets.permitted.remove(all);
            set_capabilities(None, sets).expect("capabilities");
            work()
        });
        thread.join().expect("thread")
    })
}

#[test]
fn modes_that_keep_the_owner_out_do_not_stop_later_layers() {
    let shut = |name: &str| Head::new(name, b'5').mode(0o555).mtime(9);
    let lower = Tar::new().head(shut("./")).head(shut("a/")).head(shut("a/b/")).end();
    let upper = Tar::new().file("a/b/new", "").file("new", "").end();
    let place = Place::new();
    bound_by_modes(|| {
        place.plain(&lower).unwrap();
        place.plain(&upper).unwrap();
    });
    assert_eq!(place.names(), ["a", "a/b", "a/b/new", "new"]);
    for name in ["", "a", "a/b"] {
        let meta = place.path(name).metadata().unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o555, 9), "{name:?}");
    }
    bound_by_modes(|| {
        place.plain(&Tar::new().file(".wh.a", "").file(".wh.new", "").end()).unwrap();
    });
    assert_eq!(place.names(), [""; 0]);
    std::fs::set_permissions(place.root(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    // Nor that what is refused in the end is removed.
    let place = Place::new();
    let archive = Tar::new().head(shut("./")).head(shut("a/")).file("a/b", "").end();
    let (descriptor, other) = (Descriptor::of(MediaType::OCI_LAYER, &archive), Digest::sha256(b"other"));
    let failed = bound_by_modes(|| {
        place.blob(&Unpack::new(Form::Plain), &archive[..], &descriptor, Some(&other)).is_err()
    });
    assert_eq!((failed, place.names()), (true, vec![]));
}

#[test]
fn files_that_may_not_be_written_keep_their_attributes() {
    let archive =
        |mode| Tar::new().xattr("user.note", b"x").entry(Head::new("f", b'0').mode(mode), b"").end();
    let skipped = |mode| {
        let place = Place::new();
        bound_by_modes(|| place.plain(&archive(mode)).unwrap().skipped.xattrs)
    };
    assert_eq!(skipped(0o444), skipped(0o644));
}
