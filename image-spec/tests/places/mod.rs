//! What the tests of places share: archives made entry by entry, small images, layouts written by hand.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Descriptor, Destination, Digest, Error, MediaType, Offer, Result, Source};
use serde_json::{Value, json};
use tar_core::EntryType;
use tar_core::builder::EntryBuilder;

pub const NAME: &str = "org.opencontainers.image.ref.name";

/// A tar archive in memory.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn file(mut self, name: &str, content: &[u8]) -> Self {
        self.header(EntryType::Regular, name, "", content.len() as u64);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn directory(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target)
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target)
    }

    pub fn entry(mut self, kind: EntryType, name: &str, target: &str) -> Self {
        self.header(kind, name, target, 0);
        self
    }

    /// A header that promises content which does not follow.
    pub fn promise(mut self, name: &str, size: u64) -> Self {
        self.header(EntryType::Regular, name, "", size);
        self
    }

    fn header(&mut self, kind: EntryType, name: &str, target: &str, size: u64) {
        let mut builder = EntryBuilder::new_gnu();
        builder.path(name).link_name(target).entry_type(kind);
        builder.mode(0o755).and_then(|b| b.uid(0)).and_then(|b| b.gid(0)).expect("small numbers");
        builder.mtime(1).and_then(|b| b.size(size)).expect("small numbers");
        self.0.extend(builder.finish_bytes());
    }

    /// With what ends an archive.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// The names of files, directories and links in an archive, in its order, with content.
pub fn list(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    use tar_core::parse::{ParseEvent, Parser};
    let mut parser = Parser::with_defaults();
    let mut found = Vec::new();
    let mut rest = archive;
    while let ParseEvent::Entry { consumed, entry } = parser.parse(rest).expect("an archive") {
        let size = usize::try_from(entry.size).expect("small");
        let content = match &entry.link_target {
            Some(target) if size == 0 && !target.is_empty() => target.to_vec(),
            _ => rest[consumed..consumed + size].to_vec(),
        };
        found.push((entry.path_lossy().into_owned(), content));
        rest = &rest[consumed + size.next_multiple_of(512)..];
    }
    found
}

/// What is in an archive by name.
pub fn content(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    list(archive).into_iter().collect()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("in memory");
    encoder.finish().expect("in memory")
}

pub fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Blobs with the descriptor of what is on top.
#[derive(Clone)]
pub struct Image {
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    pub top: Descriptor,
    pub diff_ids: Vec<Digest>,
}

impl Image {
    /// An image of layers that are archives, gzip in the image.
    pub fn new(layers: &[Vec<u8>]) -> Self {
        Self::of(layers, MediaType::OCI_LAYER_GZIP, gzip, "amd64")
    }

    pub fn of(
        layers: &[Vec<u8>],
        media_type: &str,
        compress: impl Fn(&[u8]) -> Vec<u8>,
        architecture: &str,
    ) -> Self {
        let mut blobs = BTreeMap::new();
        let mut keep = |media_type: &str, content: Vec<u8>| {
            let descriptor = Descriptor::of(media_type, &content);
            blobs.insert(descriptor.digest.clone(), content);
            descriptor
        };
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer)).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2020-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": layers.iter().map(|_| json!({"created_by": "test"})).collect::<Vec<_>>(),
        });
        let config = keep(MediaType::OCI_CONFIG, config.to_string().into_bytes());
        let layers: Vec<_> = layers.iter().map(|layer| keep(media_type, compress(layer))).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers,
        });
        let top = keep(MediaType::OCI_MANIFEST, manifest.to_string().into_bytes());
        Self { blobs, top, diff_ids }
    }

    /// Two layers with a little of everything.
    pub fn small() -> Self {
        let first =
            Tar::default().directory("bin/").file("bin/hello", b"hello\n").symlink("hello", "bin/hello");
        let second = Tar::default().file("etc/motd", b"welcome\n");
        Self::new(&[first.end(), second.end()])
    }

    /// An index of several images for different processors.
    pub fn index(images: &[(&str, Self)]) -> Self {
        let mut blobs = BTreeMap::new();
        let mut manifests = Vec::new();
        for (architecture, image) in images {
            blobs.extend(image.blobs.clone());
            let mut entry = serde_json::to_value(&image.top).expect("a descriptor");
            entry["platform"] = json!({"architecture": architecture, "os": "linux"});
            manifests.push(entry);
        }
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests});
        let content = index.to_string().into_bytes();
        let top = Descriptor::of(MediaType::OCI_INDEX, &content);
        blobs.insert(top.digest.clone(), content);
        Self { blobs, top, diff_ids: Vec::new() }
    }

    pub fn json(&self, digest: &Digest) -> Value {
        serde_json::from_slice(&self.blobs[digest]).expect("a document")
    }

    /// The files of a layout with this image under a name.
    pub fn files(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let mut top = self.top.clone();
        top.annotations.insert(NAME.into(), name.into());
        let index = json!({"schemaVersion": 2, "manifests": [top]}).to_string().into_bytes();
        let mut files = vec![
            ("oci-layout".into(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()),
            ("index.json".into(), index),
        ];
        let blobs = self.blobs.iter();
        files.extend(blobs.map(|(digest, content)| (blob(digest), content.clone())));
        files
    }

    /// Writes a layout by hand.
    pub fn layout(&self, path: &Path, name: &str) {
        for (file, content) in self.files(name) {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("directories");
            std::fs::write(file, content).expect("a file");
        }
    }

    /// The same as an archive.
    pub fn archive(&self, name: &str) -> Tar {
        self.files(name).iter().fold(Tar::default(), |tar, (name, content)| tar.file(name, content))
    }
}

pub fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// All of a content, as it comes.
pub fn read(source: &dyn Source, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    source.open(descriptor)?.read_to_end(&mut content).expect("reading");
    Ok(content)
}

/// The one image of a place.
pub fn only(source: &dyn Source) -> Offer {
    let mut offers = source.offers().expect("offers");
    assert_eq!(offers.len(), 1, "{offers:?}");
    offers.remove(0)
}

/// Puts all of an image and publishes it.
pub fn put(destination: &dyn Destination, image: &Image, name: Option<&str>) {
    for content in image.blobs.values() {
        destination.put(&Descriptor::of("x", content), &mut &content[..]).expect("put");
    }
    destination.publish(name, &image.top).expect("publish");
}

/// A file below a directory.
pub fn written(directory: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// The names in a directory and below.
pub fn names(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        if entry.file_type().expect("a type").is_dir() {
            names.extend(self::names(&entry.path()).iter().map(|below| format!("{name}/{below}")));
        }
        names.push(name);
    }
    names.sort();
    names
}

/// The message of an error, with its kind.
pub fn told<T: std::fmt::Debug>(result: Result<T>) -> (Error, String) {
    let error = result.expect_err("this is refused");
    let text = error.to_string();
    (error, text)
}
