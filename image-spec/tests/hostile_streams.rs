//! Blobs that are not what they should be, or that grow without end.

mod layers;

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_image_spec::{Descriptor, Digest, Error, Form, Layer, Limits, MediaType, MemorySource, Unpack};
use layers::*;

fn inner(error: Error) -> Error {
    match error {
        Error::Layer { source, .. } => *source,
        other => other,
    }
}

fn sample() -> Vec<u8> {
    Tar::new().file("a", "content".repeat(1000)).end()
}

/// Zeros without end, or so many.
struct Zeros(u64);

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        buffer[..count].fill(0);
        self.0 -= count as u64;
        Ok(count)
    }
}

#[test]
fn content_must_have_the_digest_and_the_size() {
    let place = Place::new();
    for (media_type, blob) in [(MediaType::OCI_LAYER, sample()), (MediaType::OCI_LAYER_GZIP, gzip(&sample()))]
    {
        let good = Descriptor::of(media_type, &blob);
        let unpack = Unpack::new(overlay());
        let try_it = |blob: &[u8], descriptor: &Descriptor| {
            let error = inner(place.blob(&unpack, blob, descriptor, None).unwrap_err());
            assert_eq!(place.names(), [""; 0]);
            error
        };
        let mut changed = blob.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert!(matches!(try_it(&changed, &good), Error::DigestMismatch { what: "blob", .. }));
        let longer = [&blob[..], b"more"].concat();
        let size = blob.len() as u64;
        let Error::SizeMismatch { expected, found, .. } = try_it(&longer, &good) else { panic!("longer") };
        assert_eq!((expected, found), (size, size + 1));
        let Error::SizeMismatch { found, .. } = try_it(&blob[..blob.len() - 1], &good) else {
            panic!("shorter")
        };
        assert_eq!(found, size - 1);
        for wrong in [0, size - 1, size + 1, u64::MAX - 1] {
            let descriptor = Descriptor::new(media_type, good.digest.clone(), wrong);
            assert!(matches!(try_it(&blob, &descriptor), Error::SizeMismatch { .. }), "{wrong}");
        }
    }
}

#[test]
fn no_more_than_the_size_is_read() {
    struct Counted<'a>(&'a AtomicU64);
    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
            buffer.fill(0);
            Ok(buffer.len())
        }
    }
    let (place, count) = (Place::new(), AtomicU64::new(0));
    let descriptor = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(b""), 1 << 20);
    let error = place.blob(&Unpack::new(Form::Plain), Counted(&count), &descriptor, None).unwrap_err();
    assert!(matches!(inner(error), Error::SizeMismatch { .. }));
    assert_eq!(count.into_inner(), (1 << 20) + 1);
}

#[test]
fn a_blob_that_cannot_be_read_is_an_error_with_its_reason() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the network is down"))
        }
    }
    let place = Place::new();
    for media_type in [MediaType::OCI_LAYER, MediaType::OCI_LAYER_GZIP, MediaType::OCI_LAYER_ZSTD] {
        let descriptor = Descriptor::new(media_type, Digest::sha256(b""), 10);
        let error = place.blob(&Unpack::new(Form::Plain), Broken, &descriptor, None).unwrap_err();
        assert!(error.to_string().contains("the network is down"), "{error}");
    }
}

#[test]
fn the_media_type_must_say_the_compression() {
    let place = Place::new();
    let kinds = [MediaType::OCI_LAYER, MediaType::OCI_LAYER_GZIP, MediaType::OCI_LAYER_ZSTD];
    for blob in [sample(), gzip(&sample())] {
        for media_type in kinds {
            let right = (media_type == MediaType::OCI_LAYER_GZIP) == blob.starts_with(&[0x1f, 0x8b])
                && media_type != MediaType::OCI_LAYER_ZSTD;
            let descriptor = Descriptor::of(media_type, &blob);
            let unpack = Unpack::new(overlay());
            if !right {
                place.blob(&unpack, &blob[..], &descriptor, None).unwrap_err();
                assert_eq!(place.names(), [""; 0]);
            }
            let place = Place::new();
            let unpack = unpack.accept_mislabelled(true);
            let unpacked = place.blob(&unpack, &blob[..], &descriptor, None).unwrap();
            assert_eq!(unpacked.diff_id, Digest::sha256(&sample()));
        }
    }
    for foreign in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.v1.tar+xz",
        "",
    ] {
        let descriptor = Descriptor::of(foreign, &sample());
        let error = place.blob(&Unpack::new(overlay()), &sample()[..], &descriptor, None).unwrap_err();
        assert!(matches!(inner(error), Error::Unsupported { .. }), "{foreign}");
    }
}

/// One file of zeros, or an end with more zeros behind it.
fn bomb(beginning: &[u8], size: u64) -> Vec<u8> {
    let zeros = beginning.chain(Zeros(size + 1024));
    let mut encoder = flate2::read::GzEncoder::new(zeros, flate2::Compression::fast());
    let mut blob = Vec::new();
    encoder.read_to_end(&mut blob).expect("memory");
    blob
}

#[test]
fn bombs_are_stopped() {
    const SIZE: u64 = 20 << 20;
    let place = Place::new();
    let try_it = |blob: &[u8], limits: Limits| {
        let descriptor = Descriptor::of(MediaType::OCI_LAYER_GZIP, blob);
        let unpack = Unpack::new(overlay()).limits(limits);
        let error = inner(place.blob(&unpack, blob, &descriptor, None).unwrap_err());
        assert_eq!(place.names(), [""; 0]);
        let Error::Limit { what, .. } = error else { panic!("{error}") };
        what
    };
    let few = Limits { bytes: 1 << 20, ..Limits::default() };
    let ratio = Limits { ratio: 100, ratio_from: 1 << 20, ..Limits::default() };
    let end = bomb(&Tar::new().file("x", "").end(), SIZE);
    assert_eq!(try_it(&end, few), "layer bytes");
    assert_eq!(try_it(&end, ratio.clone()), "ratio of layer bytes to blob bytes");
    let file = bomb(&Head::new("zeros", b'0').size(SIZE).bytes(), SIZE);
    assert_eq!(try_it(&file, ratio), "ratio of layer bytes to blob bytes");
    let small = Limits { file_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(try_it(&file, small), "bytes of a file");
    let descriptor = Descriptor::of(MediaType::OCI_LAYER_GZIP, &file);
    place.blob(&Unpack::new(overlay()), &file[..], &descriptor, None).unwrap();
}

#[test]
fn entries_have_a_limit() {
    let place = Place::new();
    let mut tar = Tar::new();
    for number in 0..20 {
        tar = tar.dir(format!("d{number}"));
    }
    let limits = |entries| Unpack::new(Form::Plain).limits(Limits { entries, ..Limits::default() });
    let error = place.with(&limits(19), &tar.clone().end()).unwrap_err();
    assert!(matches!(inner(error), Error::Limit { what: "layer entries", limit: 19 }));
    place.with(&limits(20), &tar.end()).unwrap();
}

#[test]
fn notes_on_directories_have_a_limit() {
    let place = Place::new();
    let mut tar = Tar::new();
    for number in 0..100 {
        tar = tar.file(format!("d{number}/x"), "");
    }
    let limits = Limits { notes_bytes: 5000, ..Limits::default() };
    for form in [Form::Plain, overlay()] {
        let error = place.with(&Unpack::new(form).limits(limits.clone()), &tar.clone().end()).unwrap_err();
        assert!(matches!(inner(error), Error::Limit { what: "bytes of notes on a layer", .. }));
    }
}

#[test]
fn a_tree_of_layers_is_made_whole_or_not_at_all() {
    let mut source = MemorySource::new();
    let mut layer = |archive: Vec<u8>| {
        let diff_id = Digest::sha256(&archive);
        Layer { descriptor: source.add(MediaType::OCI_LAYER_GZIP, gzip(&archive)), diff_id }
    };
    let one = layer(Tar::new().file("a", "1").file("b", "1").end());
    let two = layer(Tar::new().file("a", "2").file(".wh.b", "").end());
    let three = layer(Tar::new().hard_link("c", "a").end());
    let broken = Layer { diff_id: Digest::sha256(b"other"), ..two.clone() };
    let place = Place::new();
    let unpack = Unpack::new(overlay());
    let passed = AtomicU64::new(0);
    let progress = |count| {
        passed.fetch_add(count, Ordering::Relaxed);
    };
    let layers = [one.clone(), two.clone(), three.clone()];
    let all = unpack.tree(&source, &layers, &place.root(), &progress).unwrap();
    assert_eq!(all.iter().map(|one| one.entries).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(place.names(), ["a", "c"]);
    assert_eq!(place.read("c"), "2");
    let size: u64 = layers.iter().map(|layer| layer.descriptor.size).sum();
    assert_eq!(passed.into_inner(), size);

    unpack.tree(&source, &layers, &place.root(), &|_| ()).unwrap_err();
    assert_eq!(place.names(), ["a", "c"], "a directory that is not empty stays as it is");
    let new = place.dir.path().join("new");
    let missing = Layer { descriptor: Descriptor::of(MediaType::OCI_LAYER, b"nowhere"), ..one.clone() };
    for bad in [broken, missing] {
        for layers in
            [vec![one.clone(), bad.clone(), three.clone()], vec![one.clone(), two.clone(), bad.clone()]]
        {
            let error = unpack.tree(&source, &layers, &new, &|_| ()).unwrap_err();
            assert!(matches!(error, Error::Layer { .. }), "{error}");
            assert!(!new.exists());
            std::fs::create_dir(&new).unwrap();
            unpack.tree(&source, &layers, &new, &|_| ()).unwrap_err();
            assert_eq!(std::fs::read_dir(&new).unwrap().count(), 0);
            std::fs::remove_dir(&new).unwrap();
        }
    }
    place.check_outside();
}

#[test]
fn what_a_killed_process_left_goes_and_what_another_has_stays() {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let mut source = MemorySource::new();
    let archive = Tar::new().file("a", "1").end();
    let diff_id = Digest::sha256(&archive);
    let layers = [Layer { descriptor: source.add(MediaType::OCI_LAYER, archive), diff_id }];
    let unpack = Unpack::new(overlay());
    let dir = tempfile::tempdir().unwrap();
    let (place, beside) = (dir.path().join("tree"), dir.path().join(".tree.unpacking"));
    let names =
        || fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();

    fs::create_dir_all(beside.join("left")).unwrap();
    unpack.tree(&source, &layers, &place, &|_| ()).unwrap();
    assert_eq!(names(), ["tree"]);
    assert_eq!(fs::read(place.join("a")).unwrap(), b"1");
    assert!(!place.join("left").exists());

    fs::remove_file(place.join("a")).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o711)).unwrap();
    fs::create_dir(&beside).unwrap();
    let other = File::open(&beside).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = unpack.tree(&source, &layers, &place, &|_| ()).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(beside.exists());
    drop(other);
    unpack.tree(&source, &layers, &place, &|_| ()).unwrap();
    assert_eq!(names(), ["tree"]);
    assert_eq!(
        fs::metadata(&place).unwrap().permissions().mode() & 0o7777,
        0o711,
        "that of the directory before"
    );

    // A link is not replaced.
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink("real", &link).unwrap();
    unpack.tree(&source, &layers, &link, &|_| ()).unwrap();
    assert_eq!(fs::read(real.join("a")).unwrap(), b"1");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}
