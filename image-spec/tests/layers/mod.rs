//! Archives made by hand, a place to unpack them in with something beside it that must stay as it is, and what came of
//! it.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Descriptor, Digest, Error, Form, MediaType, OverlayXattrs, Unpack, Unpacked};

/// Skips for an ordinary user, for whom even `REQUIRE_ALL=1` does not expect it: real root is needed.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::layers::is_root() {
            eprintln!("skipped: needs root of the host");
            return;
        }
    };
}

pub fn is_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").expect("own map");
    let fields: Vec<_> = map.split_whitespace().collect();
    rustix::process::geteuid().is_root() && fields == ["0", "0", "4294967295"]
}

pub const BLOCK: usize = 512;

/// One header; the checksum is set when it becomes bytes.
#[derive(Clone)]
pub struct Head(pub [u8; BLOCK]);

impl Head {
    pub fn new(name: impl AsRef<[u8]>, kind: u8) -> Self {
        let mut head = Self([0; BLOCK]);
        head.put(0, name.as_ref()).put(257, b"ustar\x0000");
        head.0[156] = kind;
        let mode = if kind == b'5' { 0o755 } else { 0o644 };
        head.number(100, 8, mode).number(108, 8, 0).number(116, 8, 0);
        head.number(124, 12, 0).number(136, 12, 1_000_000_000);
        head.number(329, 8, 0).number(337, 8, 0);
        head
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn number(&mut self, at: usize, width: usize, number: u64) -> &mut Self {
        let digits = format!("{number:0width$o}\0", width = width - 1);
        self.put(at, digits.as_bytes())
    }

    pub fn mode(mut self, mode: u64) -> Self {
        self.number(100, 8, mode);
        self
    }

    pub fn owner(mut self, uid: u64, gid: u64) -> Self {
        self.number(108, 8, uid).number(116, 8, gid);
        self
    }

    pub fn size(mut self, size: u64) -> Self {
        self.number(124, 12, size);
        self
    }

    pub fn mtime(mut self, mtime: u64) -> Self {
        self.number(136, 12, mtime);
        self
    }

    pub fn link(mut self, target: impl AsRef<[u8]>) -> Self {
        self.put(157, target.as_ref());
        self
    }

    pub fn device(mut self, major: u64, minor: u64) -> Self {
        self.number(329, 8, major).number(337, 8, minor);
        self
    }

    pub fn bytes(mut self) -> [u8; BLOCK] {
        self.put(148, b"        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.put(148, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

/// An archive that grows.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// A header with content; the size is set.
    pub fn entry(mut self, head: Head, content: &[u8]) -> Self {
        self.0.extend(head.size(content.len() as u64).bytes());
        self.padded(content)
    }

    pub fn padded(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub fn head(mut self, head: Head) -> Self {
        self.0.extend(head.bytes());
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.entry(Head::new(name, b'0'), content.as_ref())
    }

    pub fn dir(self, name: impl AsRef<[u8]>) -> Self {
        self.head(Head::new(name, b'5'))
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.head(Head::new(name, b'2').link(target))
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.head(Head::new(name, b'1').link(target))
    }

    /// PAX records for what follows.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let bytes: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(Head::new("PaxHeaders/x", b'x'), &bytes)
    }

    pub fn xattr(self, name: &str, value: &[u8]) -> Self {
        self.pax(&[(&format!("SCHILY.xattr.{name}"), value)])
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }
}

/// `LENGTH KEY=VALUE\n`
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() > length {
        length = length.to_string().len() + rest.len();
    }
    [length.to_string().as_bytes(), &rest].concat()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// `root` to unpack into, and beside it `out` with things that must stay as they are.
pub struct Place {
    pub dir: tempfile::TempDir,
    before: Vec<Thing>,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let out = dir.path().join("out");
        fs::create_dir_all(out.join("sub")).expect("out");
        fs::write(out.join("keep"), "kept").expect("keep");
        fs::set_permissions(out.join("keep"), PermissionsExt::from_mode(0o640)).expect("mode");
        fs::create_dir(dir.path().join("root")).expect("root");
        let before = listing(&out);
        Self { dir, before }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// As a target of links.
    pub fn out(&self) -> String {
        self.dir.path().join("out").to_str().expect("a plain path").into()
    }

    /// Unpacks an archive, and looks whether all outside is as it was.
    pub fn with(&self, unpack: &Unpack, archive: &[u8]) -> Result<Unpacked, Error> {
        self.blob(unpack, archive, &Descriptor::of(MediaType::OCI_LAYER, archive), None)
    }

    pub fn blob(
        &self,
        unpack: &Unpack,
        blob: impl Read + Send,
        descriptor: &Descriptor,
        diff_id: Option<&Digest>,
    ) -> Result<Unpacked, Error> {
        let root = File::open(self.root()).expect("root");
        let result = unpack.layer(blob, descriptor, diff_id, root.as_fd(), &|_| ());
        self.check_outside();
        result
    }

    pub fn plain(&self, archive: &[u8]) -> Result<Unpacked, Error> {
        self.with(&Unpack::new(Form::Plain), archive)
    }

    pub fn overlay(&self, archive: &[u8]) -> Result<Unpacked, Error> {
        self.with(&Unpack::new(overlay()), archive)
    }

    pub fn check_outside(&self) {
        assert_eq!(listing(&self.dir.path().join("out")), self.before, "something outside changed");
        let beside = fs::read_dir(self.dir.path()).expect("place").count();
        assert_eq!(beside, 2, "something outside was made");
    }

    /// All names below the root, sorted.
    pub fn names(&self) -> Vec<String> {
        listing(&self.root()).into_iter().map(|thing| thing.name).collect()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// Unpacks what must be refused with this in the message, and looks whether nothing is left.
    pub fn refuses(&self, archive: &[u8], reason: &str) {
        for form in [Form::Plain, overlay()] {
            let error = self.with(&Unpack::new(form), archive).expect_err(reason);
            let text = message(&error);
            assert!(text.contains(reason), "{text:?} does not say {reason:?}");
            assert_eq!(self.names(), [""; 0], "something is left");
        }
    }
}

/// The form whose marks this caller can make.
pub fn overlay() -> Form {
    Form::Overlay(if is_root() { OverlayXattrs::Trusted } else { OverlayXattrs::User })
}

/// With all reasons.
pub fn message(error: &dyn std::error::Error) -> String {
    error.to_string()
}

/// What is known of a thing in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    pub name: String,
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: (i64, i64),
    pub links: u64,
    pub content: String,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// All below a directory by name, without itself.
pub fn listing(dir: &Path) -> Vec<Thing> {
    let mut all = Vec::new();
    collect(dir, "", &mut all);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn collect(dir: &Path, prefix: &str, all: &mut Vec<Thing>) {
    for entry in fs::read_dir(dir).expect("directory") {
        let entry = entry.expect("entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = entry.metadata().expect("metadata");
        all.push(thing(&entry.path(), name.clone(), &meta));
        if meta.is_dir() {
            collect(&entry.path(), &format!("{name}/"), all);
        }
    }
}

fn thing(path: &Path, name: String, meta: &fs::Metadata) -> Thing {
    let content = match meta.file_type() {
        kind if kind.is_symlink() => {
            format!("-> {}", fs::read_link(path).expect("link").to_string_lossy())
        }
        kind if kind.is_file() => String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned(),
        _ => format!("{}", meta.rdev()),
    };
    Thing {
        name,
        mode: meta.mode(),
        owner: (meta.uid(), meta.gid()),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        links: if meta.is_dir() { 1 } else { meta.nlink() },
        content,
        xattrs: xattrs(path),
    }
}

pub fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 65536];
    let Ok(count) = rustix::fs::llistxattr(path, names.as_mut_slice()) else { return BTreeMap::new() };
    let names = names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let count = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).expect("value");
            value.truncate(count);
            (String::from_utf8_lossy(name).into_owned(), value)
        })
        .collect()
}
