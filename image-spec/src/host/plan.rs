//! What an image of the host is made of.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::Host;
use crate::{Algorithm, Digest, Digester};

/// A file, directory or link in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostEntry {
    /// Where it is in the image. Files of the host are where they are on the host.
    pub path: PathBuf,
    /// Its permissions. Programs are never setuid or setgid.
    pub mode: u32,
    /// What it is, and where it comes from.
    pub source: HostSource,
}

/// Where something in the image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostSource {
    /// The host's file of the same path, in this state.
    File(FileState),
    /// A directory.
    Directory,
    /// A symbolic link with this target.
    Link(PathBuf),
    /// A file with these bytes.
    Bytes(Vec<u8>),
}

/// By what a change of a file is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileState {
    /// The device number of its file system.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed: seconds since 1970.
    pub mtime: i64,
    /// And nanoseconds.
    pub mtime_nsec: i64,
}

impl FileState {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: meta.mtime(),
            mtime_nsec: meta.mtime_nsec(),
        }
    }
}

impl HostEntry {
    pub(super) fn new(path: impl Into<PathBuf>, mode: u32, source: HostSource) -> Self {
        Self { path: path.into(), mode, source }
    }
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, path) = (self.mode, self.path.display());
        match &self.source {
            HostSource::File(state) => write!(f, "{mode:04o} file {path} {} bytes", state.size),
            HostSource::Directory => write!(f, "{mode:04o} dir  {path}"),
            HostSource::Link(target) => write!(f, "{mode:04o} link {path} -> {}", target.display()),
            HostSource::Bytes(bytes) => write!(f, "{mode:04o} text {path} {} bytes", bytes.len()),
        }
    }
}

/// What an image of the host is made of: printable, comparable, and not yet read but for headers of programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlan {
    pub(super) host: Host,
    pub(super) entries: Vec<HostEntry>,
    pub(super) command: Vec<String>,
    pub(super) search_path: String,
}

impl HostPlan {
    /// Everything in the image, a directory before what is in it.
    pub fn entries(&self) -> &[HostEntry] {
        &self.entries
    }

    /// What is at a path of the image. Links are not followed.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&HostEntry> {
        let path = path.as_ref();
        self.entries.iter().find(|entry| entry.path == path)
    }

    /// What the image runs unless told otherwise: its first program.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// `PATH` in the image.
    pub fn search_path(&self) -> &str {
        &self.search_path
    }

    /// A digest of all that the image is made of, without reading it: of files their path, device, inode, size and time
    /// of change. As long as it is the same, the image made earlier is still right.
    ///
    /// [`HostPlan::build`] notes it as the manifest's annotation [`HostPlan::FINGERPRINT`].
    pub fn fingerprint(&self) -> Digest {
        let mut digester = Digester::new(Algorithm::Sha256);
        let mut add = |bytes: &[u8]| {
            digester.update(&(bytes.len() as u64).to_le_bytes());
            digester.update(bytes);
        };
        add(b"1");
        add(self.search_path.as_bytes());
        for word in &self.command {
            add(word.as_bytes());
        }
        for entry in &self.entries {
            add(entry.path.as_os_str().as_bytes());
            add(&entry.mode.to_le_bytes());
            match &entry.source {
                HostSource::File(state) => add(format!("file {state:?}").as_bytes()),
                HostSource::Directory => add(b"directory"),
                HostSource::Link(target) => add(&[b"link ", target.as_os_str().as_bytes()].concat()),
                HostSource::Bytes(bytes) => add(&[b"bytes ", &bytes[..]].concat()),
            }
        }
        digester.finish()
    }

    /// The annotation that holds [`HostPlan::fingerprint`].
    pub const FINGERPRINT: &'static str = "cofferdam.host.fingerprint";
}

impl fmt::Display for HostPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}
