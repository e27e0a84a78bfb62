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
