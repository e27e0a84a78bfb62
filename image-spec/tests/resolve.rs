//! From a descriptor to an image: which one is chosen, what is refused, and how much is read.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_image_spec::{
    Descriptor, Digest, Document, Error, Image, ImageConfig, Index, Manifest, MediaType, MemorySource, Offer,
    Platform, Source, read_document, resolve_image,
};

fn platform(text: &str) -> Platform {
    text.parse().expect("a platform")
}

/// Adds an image whose config is for this platform. Images differ by their layer.
fn image(source: &mut MemorySource, text: &str, layer: &str) -> Descriptor {
    let config = ImageConfig::new(platform(text), vec![Digest::sha256(layer.as_bytes())]);
    let config = source.add_document(&Document::new(&config).expect("a config"));
    manifest(source, config, vec![Descriptor::of(MediaType::OCI_LAYER, layer.as_bytes())])
}

fn manifest(source: &mut MemorySource, config: Descriptor, layers: Vec<Descriptor>) -> Descriptor {
    source.add_document(&Document::new(&Manifest::new(config, layers)).expect("a manifest"))
}

fn index(source: &mut MemorySource, manifests: Vec<Descriptor>) -> Descriptor {
    source.add_document(&Document::new(&Index::new(manifests)).expect("an index"))
}

fn declared(source: &mut MemorySource, text: &str) -> Descriptor {
    image(source, text, text).with_platform(platform(text))
}

fn resolved(source: &MemorySource, descriptor: &Descriptor, wanted: &str) -> Descriptor {
    resolve(source, descriptor, wanted).expect("an image").manifest.descriptor()
}

fn resolve(source: &MemorySource, descriptor: &Descriptor, wanted: &str) -> Result<Image, Error> {
    resolve_image(source, descriptor, &platform(wanted))
}

/// The same without what an index adds.
fn plain(descriptor: &Descriptor) -> Descriptor {
    Descriptor::new(descriptor.media_type.clone(), descriptor.digest.clone(), descriptor.size)
}

#[test]
fn a_manifest_is_an_image() {
    let mut source = MemorySource::new();
    let descriptor = image(&mut source, "linux/amd64", "layer");
    let image = resolve(&source, &descriptor, "linux/amd64").unwrap();
    assert_eq!(image.manifest.descriptor(), descriptor);
    assert_eq!(image.config.descriptor(), image.manifest.value().config);
    assert_eq!(image.layers[0].descriptor, image.manifest.value().layers[0]);
    assert_eq!(image.layers[0].diff_id, image.config.value().rootfs.diff_ids[0]);
}

#[test]
fn the_best_of_an_index_is_chosen() {
    let mut source = MemorySource::new();
    let texts =
        ["linux/arm/v6", "linux/amd64", "linux/arm/v7", "linux/arm64/v8", "linux/amd64/v3", "windows/amd64"];
    let entries: Vec<_> = texts.iter().map(|text| declared(&mut source, text)).collect();
    let index = index(&mut source, entries.clone());
    for (wanted, at) in [
        ("linux/amd64", 1),
        ("linux/amd64/v2", 1),
        ("linux/amd64/v3", 4),
        ("linux/amd64/v4", 4),
        ("linux/arm/v6", 0),
        ("linux/arm", 2),
        ("linux/arm/v8", 2),
        ("linux/arm64", 3),
        ("linux/aarch64", 3),
        ("linux/arm64/v9", 3),
        ("windows/amd64", 5),
    ] {
        assert_eq!(resolved(&source, &index, wanted), plain(&entries[at]), "{wanted}");
    }
}

#[test]
fn the_first_of_equals_is_chosen() {
    let mut source = MemorySource::new();
    let wanted = platform("linux/amd64");
    let equals: Vec<_> = ["b", "a", "c"]
        .iter()
        .map(|layer| image(&mut source, "linux/amd64", layer).with_platform(wanted.clone()))
        .collect();
    let index = index(&mut source, equals.clone());
    assert_eq!(resolved(&source, &index, "linux/amd64"), plain(&equals[0]));
}

#[test]
fn another_platform_is_not_picked_silently() {
    let mut source = MemorySource::new();
    let entries = vec![declared(&mut source, "linux/arm64"), declared(&mut source, "linux/386")];
    let direct = plain(&entries[1]);
    let index = index(&mut source, entries);
    let error = resolve(&source, &index, "linux/amd64").unwrap_err();
    assert_eq!(error.to_string(), "there is no image for linux/amd64, only for linux/386, linux/arm64");
    let error = resolve(&source, &direct, "linux/amd64").unwrap_err();
    assert!(matches!(&error, Error::Platform { found, .. } if found == &[platform("linux/386")]), "{error}");
}

#[test]
fn an_index_without_images_has_none() {
    let mut source = MemorySource::new();
    let empty = index(&mut source, vec![]);
    assert_eq!(
        resolve(&source, &empty, "linux/amd64").unwrap_err().to_string(),
        "there is no image for linux/amd64"
    );
}

#[test]
fn an_index_that_is_wrong_about_an_image_is_refused() {
    let mut source = MemorySource::new();
    let lying = image(&mut source, "linux/arm64", "x").with_platform(platform("linux/amd64"));
    let index = index(&mut source, vec![lying]);
    assert!(matches!(resolve(&source, &index, "linux/amd64"), Err(Error::Platform { .. })));
}

#[test]
fn configs_need_not_repeat_the_variant() {
    let mut source = MemorySource::new();
    let entry = image(&mut source, "linux/arm", "x").with_platform(platform("linux/arm/v6"));
    let index = index(&mut source, vec![entry.clone()]);
    assert_eq!(resolved(&source, &index, "linux/arm/v6"), plain(&entry));
}

#[test]
fn entries_without_a_platform_are_looked_into() {
    let mut source = MemorySource::new();
    let arm = image(&mut source, "linux/arm64", "a");
    let amd = image(&mut source, "linux/amd64", "b");
    let undeclared = index(&mut source, vec![arm.clone(), amd.clone()]);
    assert_eq!(resolved(&source, &undeclared, "linux/amd64"), amd);
    assert_eq!(resolved(&source, &undeclared, "linux/arm64"), arm);
    let error = resolve(&source, &undeclared, "linux/s390x").unwrap_err();
    assert!(error.to_string().ends_with("only for linux/amd64, linux/arm64"), "{error}");

    let said = declared(&mut source, "linux/amd64");
    let both = index(&mut source, vec![amd, said.clone()]);
    assert_eq!(resolved(&source, &both, "linux/amd64"), plain(&said));
}

#[test]
fn what_is_no_image_is_passed_over() {
    let mut source = MemorySource::new();
    let config = source.add(MediaType::OCI_EMPTY, "{}");
    let artifact = manifest(&mut source, config, vec![]);
    let mut kind = artifact.clone().with_platform(platform("linux/amd64"));
    kind.artifact_type = Some("application/spdx+json".into());
    let mut attestation = artifact.clone();
    attestation.platform = Some(platform("unknown/unknown"));
    let other = source.add("application/vnd.example.v1+json", "{}").with_platform(platform("linux/amd64"));
    let right = declared(&mut source, "linux/amd64");
    let entries = vec![artifact, kind, attestation, other];
    let mut with = entries.clone();
    with.push(right.clone());
    let with = index(&mut source, with);
    assert_eq!(resolved(&source, &with, "linux/amd64"), plain(&right));
    let without = index(&mut source, entries);
    let error = resolve(&source, &without, "linux/amd64").unwrap_err();
    assert_eq!(error.to_string(), "there is no image for linux/amd64");
}

#[test]
fn what_is_no_image_is_refused_by_its_name() {
    let mut source = MemorySource::new();
    let config = source.add(MediaType::OCI_EMPTY, "{}");
    let layer = Descriptor::of(MediaType::OCI_LAYER, b"x");
    let artifact = manifest(&mut source, config, vec![layer.clone()]);
    assert!(resolve(&source, &artifact, "linux/amd64").unwrap_err().to_string().contains("artifact"));

    let config = ImageConfig::new(platform("linux/amd64"), vec![]);
    let config = source.add_document(&Document::new(&config).unwrap());
    let empty = manifest(&mut source, config.clone(), vec![]);
    assert!(resolve(&source, &empty, "linux/amd64").unwrap_err().to_string().contains("is empty"));
    let count = manifest(&mut source, config, vec![layer]);
    assert!(
        resolve(&source, &count, "linux/amd64").unwrap_err().to_string().contains("0 entries for 1 layers")
    );

    for other in [
        MediaType::OCI_CONFIG,
        MediaType::OCI_LAYER,
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ] {
        let other = source.add(other, "{}");
        assert!(matches!(resolve(&source, &other, "linux/amd64"), Err(Error::Unsupported { .. })));
    }
}

#[test]
fn indexes_may_be_nested_but_not_deeply() {
    let mut source = MemorySource::new();
    let right = declared(&mut source, "linux/amd64");
    let mut descriptor = index(&mut source, vec![right.clone()]);
    for _ in 1..8 {
        descriptor = index(&mut source, vec![descriptor]);
    }
    assert_eq!(resolved(&source, &descriptor, "linux/amd64"), plain(&right));
    descriptor = index(&mut source, vec![descriptor]);
    assert!(matches!(resolve(&source, &descriptor, "linux/amd64"), Err(Error::Limit { limit: 8, .. })));
}

#[test]
fn an_index_that_is_there_often_is_read_once() {
    // Each names the one before it many times: 20^7 ways.
    let mut source = MemorySource::new();
    let right = declared(&mut source, "linux/amd64");
    let mut descriptor = index(&mut source, vec![right.clone()]);
    for _ in 1..8 {
        descriptor = index(&mut source, vec![descriptor; 20]);
    }
    assert_eq!(resolved(&source, &descriptor, "linux/amd64"), plain(&right));
}

#[test]
fn an_index_that_seems_to_contain_itself_ends() {
    let mut source = MemorySource::new();
    let digest = Digest::sha256(b"claimed");
    let itself = Descriptor::new(MediaType::OCI_INDEX, digest.clone(), 0);
    let document = Document::new(&Index::new(vec![itself])).unwrap();
    source.insert(digest.clone(), document.bytes());
    let claimed = Descriptor::new(MediaType::OCI_INDEX, digest, document.bytes().len() as u64);
    assert!(matches!(resolve(&source, &claimed, "linux/amd64"), Err(Error::DigestMismatch { .. })));
}

#[test]
fn the_number_of_descriptors_is_bounded() {
    let mut source = MemorySource::new();
    let right = declared(&mut source, "linux/amd64");
    let fill = Descriptor::of("a/b", b"");
    let mut entries = vec![fill; 9_999];
    entries.push(right.clone());
    let most = index(&mut source, entries.clone());
    assert_eq!(resolved(&source, &most, "linux/amd64"), plain(&right));
    entries.push(right);
    let more = index(&mut source, entries);
    assert!(matches!(resolve(&source, &more, "linux/amd64"), Err(Error::Limit { limit: 10_000, .. })));
}

#[test]
fn looking_into_images_is_bounded() {
    // Many small manifests that share one large config.
    let mut source = MemorySource::new();
    let mut config = ImageConfig::new(platform("linux/arm64"), vec![Digest::sha256(b"x")]);
    config.author = Some("x".repeat(4 << 20));
    let config = source.add_document(&Document::new(&config).unwrap());
    let mut entries = Vec::new();
    for layer in 0..20_u8 {
        entries.push(manifest(
            &mut source,
            config.clone(),
            vec![Descriptor::of(MediaType::OCI_LAYER, &[layer])],
        ));
    }
    let few = index(&mut source, entries[..10].to_vec());
    assert!(matches!(resolve(&source, &few, "linux/amd64"), Err(Error::Platform { .. })));
    let many = index(&mut source, entries);
    assert!(matches!(resolve(&source, &many, "linux/amd64"), Err(Error::Limit { .. })));
}

#[test]
fn content_that_is_missing_or_wrong_is_an_error() {
    let mut source = MemorySource::new();
    let right = declared(&mut source, "linux/amd64");
    let index = index(&mut source, vec![right.clone()]);
    let manifest = resolve(&source, &index, "linux/amd64").unwrap().manifest;
    let config = manifest.value().config.digest.clone();
    for digest in [index.digest.clone(), right.digest.clone(), config] {
        let mut changed = source.clone();
        let mut bytes =
            read_document(&source, &Descriptor::new("a/b", digest.clone(), size(&source, &digest)), 1 << 20)
                .unwrap();
        let last = bytes.len() - 1;
        bytes[last] = b' ';
        changed.insert(digest.clone(), bytes.clone());
        assert!(matches!(resolve(&changed, &index, "linux/amd64"), Err(Error::DigestMismatch { .. })));
        changed.insert(digest.clone(), &bytes[..last]);
        assert!(matches!(resolve(&changed, &index, "linux/amd64"), Err(Error::SizeMismatch { .. })));
        bytes.push(b' ');
        changed.insert(digest.clone(), bytes);
        assert!(matches!(resolve(&changed, &index, "linux/amd64"), Err(Error::SizeMismatch { .. })));
    }
    assert!(matches!(resolve(&MemorySource::new(), &index, "linux/amd64"), Err(Error::Missing { .. })));
}

fn size(source: &MemorySource, digest: &Digest) -> u64 {
    let descriptor = Descriptor::new("a/b", digest.clone(), 0);
    io::copy(&mut source.open(&descriptor).expect("a blob"), &mut io::sink()).expect("bytes")
}

/// Gives zeros without end and counts what is read of them.
#[derive(Default)]
struct Endless(AtomicU64);

impl Source for Endless {
    fn offers(&self) -> Result<Vec<Offer>, Error> {
        Ok(Vec::new())
    }

    fn open(&self, _: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        Ok(Box::new(Counted(&self.0)))
    }
}

struct Counted<'a>(&'a AtomicU64);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        buffer.fill(0);
        Ok(buffer.len())
    }
}

#[test]
fn no_more_is_read_than_was_promised() {
    let source = Endless::default();
    let descriptor = |size| Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b""), size);
    let error = read_document(&source, &descriptor(1000), 1 << 20).unwrap_err();
    assert!(matches!(error, Error::SizeMismatch { expected: 1000, found: 1001, .. }), "{error}");
    assert_eq!(source.0.load(Ordering::Relaxed), 1001);
    for size in [(1 << 20) + 1, 1 << 63, u64::MAX] {
        assert!(matches!(read_document(&source, &descriptor(size), 1 << 20), Err(Error::Limit { .. })));
        assert!(matches!(
            resolve_image(&source, &descriptor(4 << 21), &Platform::host()),
            Err(Error::Limit { .. })
        ));
    }
    assert_eq!(source.0.load(Ordering::Relaxed), 1001);
    assert!(matches!(read_document(&source, &descriptor(u64::MAX - 1), u64::MAX), Err(Error::Limit { .. })));
}

#[test]
fn embedded_content_is_not_asked_for() {
    let mut descriptor = Descriptor::of("a/b", b"hello");
    descriptor.data = Some(b"hello".to_vec());
    assert_eq!(read_document(&MemorySource::new(), &descriptor, 5).unwrap(), b"hello");
    descriptor.data = Some(b"hallo".to_vec());
    assert!(matches!(read_document(&MemorySource::new(), &descriptor, 5), Err(Error::DigestMismatch { .. })));
}

#[test]
fn dockers_lists_are_indexes() {
    let mut source = MemorySource::new();
    let config = ImageConfig::new(platform("linux/amd64"), vec![Digest::sha256(b"x")]);
    let config = source.add(MediaType::DOCKER_CONFIG, Document::new(&config).unwrap().bytes());
    let layer = Descriptor::of(MediaType::DOCKER_LAYER_GZIP, b"x");
    let mut manifest = Manifest::new(config, vec![layer]);
    manifest.media_type = Some(MediaType::DOCKER_MANIFEST.into());
    let manifest = source.add_document(&Document::new(&manifest).unwrap());
    let mut list = Index::new(vec![manifest.clone().with_platform(platform("linux/amd64"))]);
    list.media_type = Some(MediaType::DOCKER_LIST.into());
    let list = source.add_document(&Document::new(&list).unwrap());
    assert_eq!(list.media_type.as_str(), MediaType::DOCKER_LIST);
    assert_eq!(resolved(&source, &list, "linux/amd64"), manifest);
}
