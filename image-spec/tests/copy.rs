//! Images copied between places.

mod places;

use std::collections::BTreeSet;
use std::sync::Mutex;

use cofferdam_image_spec::{
    CopyOptions, Descriptor, Destination, Digest, DockerArchive, DockerArchiveWriter, Error,
    Image as Resolved, Layout, MediaType, MemorySource, OciArchive, OciArchiveWriter, Platform, Progress,
    Source, copy, resolve_image,
};
use places::{Image, Tar, content, gzip, names, only, read, told, zstd};
use serde_json::json;
use tempfile::tempdir;

fn source(image: &Image, name: &str) -> MemorySource {
    let mut source = MemorySource::new();
    for (digest, content) in &image.blobs {
        source.insert(digest.clone(), content.clone());
    }
    source.offer(Some(name), image.top.clone());
    source
}

fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

fn resolved(source: &dyn Source) -> Resolved {
    resolve_image(source, &only(source).descriptor, &amd64()).expect("an image")
}

#[test]
fn an_image_goes_through_all_places_unchanged() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    let layout = Layout::create(directory.path().join("layout")).unwrap();
    let options = CopyOptions::new();
    let copied = copy(&source(&image, "a"), Some("a"), &layout, Some("b"), &options).unwrap();
    assert_eq!((copied.blobs, copied.present), (4, 0));
    assert_eq!(copied.bytes, image.blobs.values().map(|blob| blob.len() as u64).sum::<u64>());
    let writer = OciArchiveWriter::create(directory.path().join("a.tar")).unwrap();
    copy(&layout, Some("b"), &writer, Some("c"), &options).unwrap();
    writer.finish().unwrap();
    let archive = OciArchive::open(directory.path().join("a.tar")).unwrap();
    let offer = only(&archive);
    assert_eq!((offer.name.as_deref(), &offer.descriptor.digest), (Some("c"), &image.top.digest));
    let again = copy(&archive, None, &layout, Some("d"), &options).unwrap();
    assert_eq!((again.blobs, again.present, again.bytes), (0, 4, 0));
    for (digest, content) in &image.blobs {
        let descriptor = Descriptor::new("x", digest.clone(), content.len() as u64);
        assert_eq!(read(&archive, &descriptor).unwrap(), *content);
    }
    assert_eq!(layout.offers().unwrap().len(), 2);
}

#[test]
fn a_docker_archive_keeps_the_config_and_the_content() {
    let directory = tempdir().unwrap();
    let layers = [Tar::default().file("a", &[1; 100_000]).end(), Tar::default().file("b", b"2").end()];
    for compress in [gzip, zstd, |content: &[u8]| content.to_vec()] {
        let image = Image::of(&layers, MediaType::OCI_LAYER, compress, "amd64");
        let mut archives = Vec::new();
        for file in ["one.tar", "two.tar"] {
            let writer = DockerArchiveWriter::create(directory.path().join(file)).unwrap();
            copy(&source(&image, "a"), None, &writer, Some("me/app"), &CopyOptions::new()).unwrap();
            copy(&source(&image, "a"), None, &writer, Some("other:1"), &CopyOptions::new()).unwrap();
            assert_eq!(names(directory.path()), [""; 0]);
            writer.finish().unwrap();
            archives.push(std::fs::read(directory.path().join(file)).unwrap());
            let archive = DockerArchive::open(directory.path().join(file)).unwrap();
            let found: Vec<_> = archive.offers().unwrap().into_iter().map(|offer| offer.name).collect();
            assert_eq!(found, [Some("me/app:latest".to_owned()), Some("other:1".to_owned())]);
            let new = resolve_image(&archive, &archive.offers().unwrap()[0].descriptor, &amd64()).unwrap();
            assert_eq!(new.config.digest(), resolved(&source(&image, "a")).config.digest());
            for (layer, plain) in new.layers.iter().zip(&layers) {
                assert_eq!(read(&archive, &layer.descriptor).unwrap(), *plain);
            }
            std::fs::remove_file(directory.path().join(file)).unwrap();
        }
        assert_eq!(archives[0], archives[1]);
        assert_eq!(content(&archives[0]).len(), 4);
    }
}

#[test]
fn a_docker_archive_takes_no_index_and_no_wrong_layer() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.tar");
    let index = Image::index(&[("amd64", Image::small())]);
    let writer = DockerArchiveWriter::create(&path).unwrap();
    let refused = told(copy(&source(&index, "a"), None, &writer, Some("a"), &CopyOptions::new())).0;
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
    copy(&source(&index, "a"), None, &writer, Some("a"), &CopyOptions::new().platform(amd64())).unwrap();
    for name in ["", "a b", "a@sha256:0", "ä"] {
        told(copy(&source(&Image::small(), "a"), None, &writer, Some(name), &CopyOptions::new()));
    }
    // A layer whose content is another than its config says, under the right digest.
    let mut wrong = Image::small();
    let mut config =
        wrong.json(&wrong.json(&wrong.top.digest)["config"]["digest"].as_str().unwrap().parse().unwrap());
    config["rootfs"]["diff_ids"][1] = json!(Digest::sha256(b"other"));
    let mut manifest = wrong.json(&wrong.top.digest);
    let config = config.to_string().into_bytes();
    manifest["config"] = json!(Descriptor::of(MediaType::OCI_CONFIG, &config));
    let manifest = manifest.to_string().into_bytes();
    wrong.top = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    wrong.blobs.extend([config, manifest].map(|content| (Digest::sha256(&content), content)));
    copy(&source(&wrong, "a"), None, &writer, Some("wrong"), &CopyOptions::new()).unwrap();
    let (error, text) = told(writer.finish());
    assert!(matches!(error, Error::Layer { .. }) && text.contains("diff id"), "{text}");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn all_platforms_or_one() {
    let directory = tempdir().unwrap();
    let layer = |content: &[u8]| [Tar::default().file("f", content).end()];
    let other = Image::of(&layer(b"arm"), MediaType::OCI_LAYER_GZIP, gzip, "arm64");
    let index = Image::index(&[("amd64", Image::small()), ("arm64", other.clone())]);
    let nested = Image::index(&[("amd64", index.clone())]);
    let layout = Layout::create(directory.path().join("all")).unwrap();
    let all = copy(&source(&nested, "a"), None, &layout, Some("all"), &CopyOptions::new()).unwrap();
    assert_eq!(all.descriptor.digest, nested.top.digest);
    assert_eq!(all.blobs, nested.blobs.len() as u64);
    let arm64 = CopyOptions::new().platform(Platform::new("linux", "arm64"));
    let layout = Layout::create(directory.path().join("one")).unwrap();
    let one = copy(&source(&index, "a"), None, &layout, Some("one"), &arm64).unwrap();
    assert_eq!((one.descriptor.digest, one.blobs), (other.top.digest.clone(), 3));
    let riscv = CopyOptions::new().platform(Platform::new("linux", "riscv64"));
    assert!(matches!(
        told(copy(&source(&index, "a"), None, &layout, None, &riscv)).0,
        Error::Platform { .. }
    ));
}

#[test]
fn nothing_gets_a_name_if_something_is_wrong() {
    let image = Image::small();
    let manifest = image.json(&image.top.digest);
    let layer: Digest = manifest["layers"][1]["digest"].as_str().unwrap().parse().unwrap();
    let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
    for broken in [&layer, &config, &image.top.digest] {
        for content in [None, Some(vec![0; image.blobs[broken].len()]), Some(b"short".to_vec())] {
            let mut image = image.clone();
            image.blobs.remove(broken);
            image.blobs.extend(content.map(|content| (broken.clone(), content)));
            let directory = tempdir().unwrap();
            let layout = Layout::create(directory.path()).unwrap();
            told(copy(&source(&image, "a"), None, &layout, Some("a"), &CopyOptions::new()));
            assert_eq!(layout.offers().unwrap(), []);
            assert!(!layout.has(broken).unwrap());
            assert!(names(directory.path()).iter().all(|name| !name.contains("tmp")));
        }
    }
}

#[test]
fn images_without_bounds_are_refused() {
    let deep = (0..20).fold(Image::small(), |image, _| Image::index(&[("amd64", image)]));
    let directory = tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    let limit = told(copy(&source(&deep, "a"), None, &layout, None, &CopyOptions::new())).0;
    assert!(matches!(limit, Error::Limit { what: "depth of nested indexes", .. }));
    let entry = |number: u32| Descriptor::of("text/plain", &number.to_be_bytes());
    let many =
        json!({"schemaVersion": 2, "manifests": (0..10_001).map(entry).collect::<Vec<_>>()}).to_string();
    let mut source = MemorySource::new();
    let descriptor = source.add(MediaType::OCI_INDEX, many.into_bytes());
    source.offer(None, descriptor);
    let limit = told(copy(&source, None, &layout, None, &CopyOptions::new())).0;
    assert!(matches!(limit, Error::Limit { what: "number of descriptors", .. }), "{limit}");
    let two = json!({"schemaVersion": 2, "manifests": [
        Descriptor::new("x", Digest::sha256(b""), 0), Descriptor::new("x", Digest::sha256(b""), 1)]});
    let mut source = MemorySource::new();
    let descriptor = source.add(MediaType::OCI_INDEX, two.to_string().into_bytes());
    source.offer(None, descriptor);
    assert!(matches!(
        told(copy(&source, None, &layout, None, &CopyOptions::new())).0,
        Error::SizeMismatch { .. }
    ));
    let mut source = MemorySource::new();
    let descriptor = source.add("text/plain", *b"text");
    source.offer(None, descriptor);
    assert!(matches!(
        told(copy(&source, None, &layout, None, &CopyOptions::new())).0,
        Error::Unsupported { .. }
    ));
    assert_eq!(layout.offers().unwrap(), []);
}

#[derive(Default)]
struct Told(Mutex<(BTreeSet<Digest>, u64, BTreeSet<Digest>)>);

impl Progress for Told {
    fn started(&self, descriptor: &Descriptor) {
        assert!(self.0.lock().expect("a lock").0.insert(descriptor.digest.clone()));
    }

    fn advanced(&self, digest: &Digest, bytes: u64) {
        let mut told = self.0.lock().expect("a lock");
        assert!(told.0.contains(digest));
        told.1 += bytes;
    }

    fn finished(&self, descriptor: &Descriptor) {
        assert!(self.0.lock().expect("a lock").2.insert(descriptor.digest.clone()));
    }
}

#[test]
fn what_happens_is_told() {
    let directory = tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    let image = Image::small();
    let all: BTreeSet<_> = image.blobs.keys().cloned().collect();
    let first = Told::default();
    let copied =
        copy(&source(&image, "a"), None, &layout, None, &CopyOptions::new().progress(&first)).unwrap();
    assert_eq!(first.0.into_inner().unwrap(), (all.clone(), copied.bytes, all.clone()));
    let second = Told::default();
    copy(&source(&image, "a"), None, &layout, None, &CopyOptions::new().progress(&second)).unwrap();
    assert_eq!(second.0.into_inner().unwrap(), (BTreeSet::new(), 0, all));
}
