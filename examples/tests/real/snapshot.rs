//! Everything about the files below a directory that an image can say.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// Paths relative to the directory, which itself is the empty path.
pub type Tree = BTreeMap<Vec<u8>, Entry>;

/// One file. The size of a directory and the blocks of a file are the file system's own affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Permissions, set-id bits and the sticky bit.
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub modified: (i64, i64),
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a file with several names here, the first of them.
    pub first_name: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File { size: u64, sha256: String },
    Link(Vec<u8>),
    Fifo,
    Socket,
    Device { block: bool, number: u64 },
}

/// Takes the snapshot.
pub fn snapshot(root: &Path) -> Tree {
    // A link, as those below /proc are, is what it leads to.
    let root = root.join(".");
    let mut tree = Tree::new();
    let mut names = BTreeMap::new();
    let mut left = vec![Vec::new()];
    while let Some(path) = left.pop() {
        let entry = entry(&at(&root, &path), &mut |inode| {
            names.entry(inode).or_insert_with(Vec::new).push(path.clone())
        });
        if entry.kind == Kind::Directory {
            left.extend(children(&root, &path));
        }
        tree.insert(path, entry);
    }
    for mut paths in names.into_values().filter(|paths| paths.len() > 1) {
        paths.sort();
        for path in &paths {
            tree.get_mut(path).expect("a path of this tree").first_name = Some(paths[0].clone());
        }
    }
    tree
}

fn at(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(path)) }
}

fn children(root: &Path, path: &[u8]) -> Vec<Vec<u8>> {
    let directory = at(root, path);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let child = |entry: io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name().into_vec();
        if path.is_empty() { name } else { [path, b"/", &name].concat() }
    };
    entries.map(child).collect()
}

/// `named` is told the inode of a file that has other names too.
fn entry(path: &Path, named: &mut dyn FnMut((u64, u64))) -> Entry {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kind = found.file_type();
    if !kind.is_dir() && found.nlink() > 1 {
        named((found.dev(), found.ino()));
    }
    let kind = if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        Kind::Link(fs::read_link(path).expect("a link").into_os_string().into_vec())
    } else if kind.is_fifo() {
        Kind::Fifo
    } else if kind.is_socket() {
        Kind::Socket
    } else if kind.is_block_device() || kind.is_char_device() {
        Kind::Device { block: kind.is_block_device(), number: found.rdev() }
    } else {
        Kind::File { size: found.len(), sha256: sha256(path) }
    };
    Entry {
        kind,
        mode: found.mode() & 0o7777,
        owner: (found.uid(), found.gid()),
        modified: (found.mtime(), found.mtime_nsec()),
        xattrs: xattrs(path),
        first_name: None,
    }
}

fn sha256(path: &Path) -> String {
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 17]);
    loop {
        match file.read(&mut buffer).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            0 => return hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let len = match llistxattr(path, &mut names[..]) {
        Ok(len) => len,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 1 << 16];
        let len = lgetxattr(path, OsStr::from_bytes(name), &mut value[..]).expect("an extended attribute");
        value.truncate(len);
        value
    };
    names.map(|name| (name.to_owned(), value(name))).collect()
}
