//! Trees to make layers of, and a reader of archives that shows what was written.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cofferdam_image_spec::{CreateLayer, Created, LayerCompression, Result};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use tar_core::parse::{Limits, ParseEvent, ParsedEntry, Parser};

/// Goes on as root only; an ordinary user is not expected to.
#[macro_export]
macro_rules! require_root {
    () => {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
    };
}

/// An entry as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    pub kind: char,
    pub mode: u32,
    pub ids: (u64, u64),
    pub link: String,
    pub device: Option<(u32, u32)>,
    pub content: Vec<u8>,
    /// PAX records, escaped.
    pub records: BTreeMap<String, String>,
    pub mtime: u64,
}

/// All entries of an archive, with bytes that are not ASCII escaped.
pub fn entries(archive: &[u8]) -> Vec<Found> {
    let mut parser = Parser::new(Limits { max_metadata_size: 16 << 20, ..Limits::default() });
    // It does not know times before 1970; the records show them.
    parser.set_ignore_pax_errors(true);
    let (mut at, mut found) = (0, Vec::new());
    loop {
        match parser.parse(&archive[at..]).expect("a right archive") {
            ParseEvent::Entry { consumed, entry } => {
                at += consumed;
                let size = usize::try_from(entry.size).expect("small");
                found.push(describe(&entry, &archive[at..at + size]));
                at += size.next_multiple_of(512);
            }
            ParseEvent::End { consumed } => {
                assert_eq!(at + consumed, archive.len(), "nothing follows the end");
                return found;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn describe(entry: &ParsedEntry<'_>, content: &[u8]) -> Found {
    let records = tar_core::PaxExtensions::new(entry.pax.unwrap_or_default()).map(|record| {
        let record = record.expect("a right record");
        (record.key_bytes().escape_ascii().to_string(), record.value_bytes().escape_ascii().to_string())
    });
    let byte = entry.entry_type.to_byte();
    let device = matches!(byte, b'3' | b'4').then(|| (entry.dev_major, entry.dev_minor));
    assert!(entry.uname.as_ref().is_none_or(|name| name.is_empty()), "no names of users");
    assert!(entry.gname.as_ref().is_none_or(|name| name.is_empty()), "no names of groups");
    Found {
        path: entry.path.escape_ascii().to_string(),
        kind: char::from(byte),
        mode: entry.mode,
        ids: (entry.uid, entry.gid),
        link: entry.link_target.as_deref().unwrap_or_default().escape_ascii().to_string(),
        device: device.map(|(major, minor)| (major.expect("major"), minor.expect("minor"))),
        content: content.to_vec(),
        records: records.collect(),
        mtime: entry.mtime,
    }
}

/// The layer's blob and what was said about it, checked against each other.
pub fn create(layer: &CreateLayer, dir: &Path) -> Result<(Vec<u8>, Created)> {
    let dir = File::open(dir).expect("the tree");
    let mut blob = Vec::new();
    let created = layer.create(dir.as_fd(), &mut blob)?;
    assert_eq!(created.descriptor.size, blob.len() as u64);
    assert_eq!(created.descriptor.digest, cofferdam_image_spec::Digest::sha256(&blob));
    Ok((blob, created))
}

/// The entries of the layer of a directory.
pub fn layer(layer: CreateLayer, dir: &Path) -> Vec<Found> {
    let (blob, created) = create(&layer.compression(LayerCompression::None), dir).expect("a layer");
    assert_eq!((&created.diff_id, created.bytes), (&created.descriptor.digest, created.descriptor.size));
    let found = entries(&blob);
    assert_eq!(found.len() as u64, created.entries);
    found
}

pub fn paths(found: &[Found]) -> Vec<&str> {
    found.iter().map(|entry| entry.path.as_str()).collect()
}

pub fn by_path<'a>(found: &'a [Found], path: &str) -> &'a Found {
    found.iter().find(|entry| entry.path == path).unwrap_or_else(|| panic!("{path} in {:?}", paths(found)))
}

/// What makes files. A failure ends the test.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    std::fs::write(path, content).expect("write");
}

pub fn mkdir(path: impl AsRef<Path>) {
    std::fs::create_dir_all(path).expect("mkdir");
}

pub fn link_to(target: impl AsRef<Path>, path: impl AsRef<Path>) {
    symlink(target, path).expect("symlink");
}

pub fn chmod(path: impl AsRef<Path>, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
}

pub fn mknod(path: &Path, kind: FileType, device: (u32, u32)) {
    let device = rustix::fs::makedev(device.0, device.1);
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o644), device).expect("mknod");
}

/// Fails where the file system or the user has no such attributes.
pub fn set_xattr(path: &Path, name: &str, value: &[u8]) -> bool {
    let name = CString::new(name).expect("a name");
    match rustix::fs::lsetxattr(path, &name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => false,
        Err(errno) => panic!("setxattr {name:?}: {errno}"),
    }
}

pub fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("utimensat");
}

/// Content that does not compress to nothing, and is the same each time.
pub fn noise(length: usize, mut seed: u64) -> Vec<u8> {
    let next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = seed >> 40;
        if word.is_multiple_of(3) { b'a' } else { word.to_le_bytes()[0] & 0x3f }
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A name of bytes that are no text.
pub fn odd(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
