//! Archives of files that become images.

mod places;

use cofferdam_image_spec::{
    CopyOptions, Digest, Error, Execution, Layout, MediaType, Platform, Tarball, copy, resolve_image,
};
use places::{Tar, gzip, only, read, told, written, zstd};
use tempfile::tempdir;

#[test]
fn an_archive_becomes_an_image_of_one_layer() {
    let directory = tempdir().unwrap();
    let plain = Tar::default().directory("bin/").file("bin/sh", &[1; 9000]).symlink("../x", "/y").end();
    for (bytes, media_type) in [
        (plain.clone(), MediaType::OCI_LAYER),
        (gzip(&plain), MediaType::OCI_LAYER_GZIP),
        (zstd(&plain), MediaType::OCI_LAYER_ZSTD),
    ] {
        let path = written(directory.path(), "root.tar", &bytes);
        let tarball = Tarball::open(&path).unwrap();
        assert_eq!(only(&tarball), only(&Tarball::open(&path).unwrap()), "the same each time");
        let image = resolve_image(&tarball, &only(&tarball).descriptor, &Platform::host()).unwrap();
        assert_eq!(image.layers.len(), 1);
        assert_eq!(image.layers[0].diff_id, Digest::sha256(&plain));
        assert_eq!(image.layers[0].descriptor.media_type, *media_type);
        assert_eq!(read(&tarball, &image.layers[0].descriptor).unwrap(), bytes);
        let layout = Layout::create(directory.path().join("layout")).unwrap();
        copy(&tarball, None, &layout, Some(media_type), &CopyOptions::new()).unwrap();
    }
}

#[test]
fn an_image_can_be_given_something_to_run() {
    let directory = tempdir().unwrap();
    let path = written(directory.path(), "root.tar", &Tar::default().file("a", b"a").end());
    let mut execution = Execution::default();
    execution.cmd = vec!["/a".into()];
    let platform = Platform::new("linux", "riscv64");
    let tarball =
        Tarball::open(&path).unwrap().execution(execution).unwrap().platform(platform.clone()).unwrap();
    let image = resolve_image(&tarball, &only(&tarball).descriptor, &platform).unwrap();
    assert_eq!(image.config.value().config.cmd, ["/a"]);
    let mut wrong = Execution::default();
    wrong.cmd = vec!["a\0b".into()];
    told(Tarball::open(&path).unwrap().execution(wrong));
}

#[test]
fn what_is_no_archive_is_refused() {
    let directory = tempdir().unwrap();
    let good = Tar::default().file("a", &[7; 4096]).end();
    let mut cut = gzip(&good);
    cut.truncate(cut.len() - 4);
    for bad in
        [&b""[..], b"short", &[b'x'; 1024], &gzip(b"text"), &zstd(&[b'x'; 1024]), &cut, &[0x1f, 0x8b, 8]]
    {
        let (_, text) = told(Tarball::open(written(directory.path(), "bad.tar", bad)));
        assert!(text.contains("bad.tar"), "{text}");
    }
    told(Tarball::open(directory.path()));
    assert!(matches!(
        told(Tarball::open(directory.path().join("none"))).0,
        Error::File { action: "open", .. }
    ));
}
