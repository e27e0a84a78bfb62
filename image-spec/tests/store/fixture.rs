//! What these tests share: stores that are gone afterwards, images to import, trees to compare.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_image_spec::{
    Descriptor, Error, ImportOptions, MediaType, MemorySource, Offer, Platform, Result, Source, Store,
    StoredImage,
};

use crate::places::{Image, Tar, names};

/// A store in a temporary directory.
pub struct Place {
    temporary: tempfile::TempDir,
    pub store: Store,
}

impl Place {
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let store = Store::create(temporary.path().join("store")).expect("store");
        Self { temporary, store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join("store").join(name)
    }

    /// All names in the store.
    pub fn names(&self) -> Vec<String> {
        names(&self.path(""))
    }

    /// Fails if a killed or failed process left something.
    pub fn assert_tidy(&self) {
        assert_eq!(names(&self.path("tmp")), [""; 0]);
        assert_eq!(names(&self.path("locks")), ["store"]);
    }

    pub fn import(&self, image: &Image, name: &str) -> Result<StoredImage> {
        self.store.import(&source(image), &image.top, Some(name), &options())
    }
}

/// For the platform of the images here.
pub fn options() -> ImportOptions<'static> {
    ImportOptions::new().platform(Platform::new("linux", "amd64"))
}

pub fn source(image: &Image) -> MemorySource {
    let mut source = MemorySource::new();
    image.blobs.iter().for_each(|(digest, content)| source.insert(digest.clone(), content.clone()));
    source
}

/// A source that counts how often content was opened.
pub struct Counting {
    pub source: MemorySource,
    pub opened: AtomicU64,
}

impl Counting {
    pub fn new(image: &Image) -> Self {
        Self { source: source(image), opened: AtomicU64::new(0) }
    }
}

impl Source for Counting {
    fn offers(&self) -> Result<Vec<Offer>> {
        self.source.offers()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.source.open(descriptor)
    }
}

/// Bytes that cannot be compressed, the same for the same seed.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
}

/// A layer of some files.
pub fn layer(seed: u64, files: u64, bytes: usize) -> Vec<u8> {
    let mut tar = Tar::default().directory("common/").directory(&format!("layer-{seed}/"));
    for file in 0..files {
        tar = tar.file(&format!("layer-{seed}/file-{file}"), &noise(seed * 1000 + file, bytes));
    }
    tar.file("common/last", seed.to_string().as_bytes()).symlink("common/link", "last").end()
}

/// An image of such layers, not compressed.
pub fn image(seeds: &[u64], files: u64, bytes: usize) -> Image {
    let layers: Vec<_> = seeds.iter().map(|seed| layer(*seed, files, bytes)).collect();
    Image::of(&layers, MediaType::OCI_LAYER, <[u8]>::to_vec, "amd64")
}

/// What a directory has: mode, size and content or target of each path.
pub fn tree(top: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for name in names(top) {
        let path = top.join(&name);
        let metadata = fs::symlink_metadata(&path).expect("metadata");
        let content = match metadata.file_type() {
            kind if kind.is_file() => fs::read(&path).expect("content"),
            kind if kind.is_symlink() => {
                fs::read_link(&path).expect("target").into_os_string().into_encoded_bytes()
            }
            _ => Vec::new(),
        };
        found.insert(name, (metadata.mode(), content));
    }
    found
}

/// The trees of an image's layers, the topmost first.
pub fn trees(image: &StoredImage) -> Vec<BTreeMap<String, (u32, Vec<u8>)>> {
    image.lower_paths().expect("layers").iter().map(|path| tree(path)).collect()
}

/// What an error is about, without the layer around it.
pub fn inner(error: Error) -> Error {
    match error {
        Error::Layer { source, .. } => inner(*source),
        other => other,
    }
}
