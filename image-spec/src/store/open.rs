//! A store found, made and checked.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{FlockOperation, OFlags};
use serde::{Deserialize, Serialize};

use super::dir::{Dir, io_error};
use super::lock::{self, Kind, Lock, open_lock};
use super::scratch::{Scratch, sweep};
use crate::{Error, Form, OverlayXattrs, Result};

/// The version of the form that this code reads and writes.
const VERSION: u32 = 1;
/// No document of the store's own is longer, except for `index.json`.
const MOST: u64 = 64 * 1024;

/// Images kept in a directory, of a local file system: hosts that share one do not know of each other's boots.
///
/// A store is a directory that only its owner can enter, as layers contain setuid programs:
///
/// | name | what it is |
/// |---|---|
/// | `store.json` | the version of this form, and how the layers say what they replace |
/// | `oci-layout`, `index.json`, `blobs/ALG/HEX` | an image layout as other tools know it; names are annotations |
/// | `layers/ALG/HEX/{diff/,layer.json}` | unpacked layers by chain id, and what is known of each |
/// | `containers/NAME/{upper/,work/,image.json}` | roots that are kept, each on an image |
/// | `tmp/NAME/` | what is being made, locked while its maker lives |
/// | `locks/` | files to lock |
///
/// Several processes and threads can use a store at once, and each can be killed at any instant: what counts is whole and
/// verified, and the next who writes removes the rest. Blobs, documents and names are synced to disk before they count. An
/// unpacked layer counts during the boot in which it was made, and later only if [`Store::sync`] was called since;
/// otherwise it is made again from its blob. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Dir,
    whiteouts: Whiteouts,
    /// The kernel's id of this boot.
    boot: String,
    /// Held from the first blob that is put to the end of the copy.
    copying: Mutex<Option<Lock>>,
}

/// In which form the store's layers say that something is deleted. There is one, so that a layer means the same to root
/// and in a user namespace: the attributes `trusted.overlay.*` cannot be read there, and directories that replace
/// others would be merged with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Whiteouts {
    /// Attributes `user.overlay.*`, which mounts with `userxattr` understand.
    User,
}

#[derive(Serialize, Deserialize)]
struct StoreRecord {
    version: u32,
    whiteouts: Whiteouts,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutRecord {
    image_layout_version: String,
}

impl Store {
    /// The store at a path, which must be one.
    ///
    /// Opening does not write, so a store on a read-only file system can be read.
    ///
    /// # Errors
    /// If it cannot be opened; [`Error::Missing`] if the directory is not a store; [`Error::Unsupported`] if it is one of
    /// another version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let root = Dir::at(path.as_ref())?;
        let content = document(&root, "store.json")?;
        // The version first: another one may have other fields.
        let version: serde_json::Value = parse("store.json", &content)?;
        if version["version"] != VERSION {
            let value = version["version"].to_string();
            return Err(Error::Unsupported { what: "store version", value });
        }
        let record: StoreRecord = parse("store.json", &content)?;
        let layout: LayoutRecord = parse("oci-layout", &document(&root, "oci-layout")?)?;
        if layout.image_layout_version != "1.0.0" {
            return Err(Error::Unsupported {
                what: "image layout version",
                value: layout.image_layout_version,
            });
        }
        let boot = super::layers::boot_id()?;
        let inner = Inner { root, whiteouts: record.whiteouts, boot, copying: Mutex::new(None) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes a store in a directory that is empty or does not exist; those above it are made too.
    ///
    /// # Errors
    /// If there is a store already, or something else; if it cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !make(path)? {
            return Err(Error::invalid("directory", path.to_string_lossy(), "is a store already"));
        }
        Self::open(path)
    }

    /// The store at a path, made if there is none. What killed processes left is removed.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        make(path.as_ref())?;
        let store = Self::open(path)?;
        store.sweep()?;
        Ok(store)
    }

    /// Where a user's images are kept: `/var/lib/cofferdam` for root, otherwise `cofferdam` in `$XDG_DATA_HOME`, or
    /// in `~/.local/share` where that is not set. As the XDG specification has it, an empty variable is one that is
    /// not set.
    ///
    /// # Errors
    /// If the variable has a relative path; if it is not set and `$HOME` is not an absolute path.
    pub fn default_path() -> Result<PathBuf> {
        let root = rustix::process::geteuid().is_root();
        default_path(root, std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.inner.root.path()
    }

    /// The form that its layers are unpacked in.
    pub fn form(&self) -> Form {
        Form::Overlay(match self.inner.whiteouts {
            Whiteouts::User => OverlayXattrs::User,
        })
    }

    pub(super) fn root(&self) -> &Dir {
        &self.inner.root
    }

    pub(super) fn boot(&self) -> &str {
        &self.inner.boot
    }

    pub(super) fn copying(&self) -> std::sync::MutexGuard<'_, Option<Lock>> {
        self.inner.copying.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Keeps collections away, while something is made or opened.
    pub(super) fn share(&self) -> Result<Lock> {
        let (locks, fd) = self.store_lock()?;
        Lock::wait(fd, Kind::Shared).map_err(Error::file("lock", locks.path_of("store")))
    }

    /// The file that is locked as the store.
    pub(super) fn store_lock(&self) -> Result<(Dir, std::os::fd::OwnedFd)> {
        let locks = self.root().open("locks")?;
        let fd = open_lock(&locks, "store", OFlags::empty())?;
        Ok((locks, fd))
    }

    pub(super) fn scratch(&self) -> Result<Scratch> {
        Scratch::new(self.root().open("tmp")?)
    }

    /// Removes what killed processes left.
    pub(super) fn sweep(&self) -> Result<u64> {
        let locks = lock::sweep(&self.root().open("locks")?, "layer-")?;
        Ok(locks + sweep(&self.root().open("tmp")?)?)
    }
}

/// Makes a store, unless there is one. It is complete when `store.json` is there; a half-made one is completed.
fn make(path: &Path) -> Result<bool> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("mkdir", path))?;
    let root = Dir::at(path)?;
    // Held to the end, so that of two who make one the second finds it.
    let fd = open_lock(&root, ".", OFlags::DIRECTORY)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&fd, FlockOperation::LockExclusive))
        .map_err(Error::file("lock", path))?;
    if root.stat("store.json")?.is_some() {
        return Ok(false);
    }
    let names = root.names()?;
    if !names.is_empty() && !names.iter().any(|name| name == "locks") {
        return Err(Error::invalid("directory", path.to_string_lossy(), "is neither empty nor a store"));
    }
    fill(&root)?;
    Ok(true)
}

fn fill(root: &Dir) -> Result<()> {
    rustix::fs::fchmod(root, rustix::fs::Mode::RWXU).map_err(Error::file("chmod", root.path()))?;
    let locks = root.make("locks")?;
    open_lock(&locks, "store", OFlags::CREATE)?;
    root.make("containers")?;
    for name in ["blobs", "layers"] {
        let dir = root.make(name)?;
        dir.make("sha256")?;
        dir.make("sha512")?;
        dir.sync()?;
    }
    let scratch = Scratch::new(root.make("tmp")?)?;
    locks.sync()?;
    let layout = LayoutRecord { image_layout_version: "1.0.0".to_owned() };
    scratch.replace(root, "oci-layout", &to_json("oci-layout", &layout)?)?;
    scratch.replace(root, "index.json", super::names::EMPTY)?;
    let record = StoreRecord { version: VERSION, whiteouts: Whiteouts::User };
    scratch.replace(root, "store.json", &to_json("store.json", &record)?)?;
    scratch.finish()
}

fn default_path(root: bool, data: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    if root {
        return Ok(PathBuf::from("/var/lib/cofferdam"));
    }
    let absolute = |variable: &'static str, value: OsString| {
        let path = PathBuf::from(value);
        let reason = "is not an absolute path";
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(Error::invalid(variable, path.to_string_lossy(), reason))
        }
    };
    match data.filter(|data| data != OsStr::new("")) {
        Some(data) => Ok(absolute("$XDG_DATA_HOME", data)?.join("cofferdam")),
        None => Ok(absolute("$HOME", home.unwrap_or_default())?.join(".local/share/cofferdam")),
    }
}

fn document(root: &Dir, name: &'static str) -> Result<Vec<u8>> {
    let missing =
        || Error::Missing { what: "document", name: root.path_of(name).to_string_lossy().into_owned() };
    root.read(name, MOST)?.ok_or_else(missing)
}

pub(super) fn parse<'a, T: Deserialize<'a>>(what: &'static str, content: &'a [u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|source| Error::Json { what, source })
}

pub(super) fn to_json(what: &'static str, value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|source| Error::Json { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_follows_the_variables_or_says_what_is_wrong() {
        let path = |root, data: Option<&str>, home: Option<&str>| {
            default_path(root, data.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(path(true, Some("x"), None).unwrap(), Path::new("/var/lib/cofferdam"));
        assert_eq!(path(false, Some("/d"), None).unwrap(), Path::new("/d/cofferdam"));
        assert_eq!(path(false, Some(""), Some("/h")).unwrap(), Path::new("/h/.local/share/cofferdam"));
        assert_eq!(path(false, None, Some("/h")).unwrap(), Path::new("/h/.local/share/cofferdam"));
        let relative = path(false, Some("data"), Some("/h")).unwrap_err().to_string();
        assert_eq!(relative, r#"$XDG_DATA_HOME "data" is not an absolute path"#);
        assert!(path(false, None, None).unwrap_err().to_string().contains("$HOME"));
        assert!(path(false, None, Some("")).is_err());
    }

    #[test]
    fn versions_and_things_that_are_no_store() {
        let temporary = tempfile::tempdir().unwrap();
        let at = temporary.path().join("new/store");
        assert!(matches!(Store::open(&at), Err(Error::File { .. })));
        Store::create(&at).unwrap();
        assert!(Store::create(&at).is_err());
        Store::open_or_create(&at).unwrap();
        assert_eq!(std::fs::read_dir(at.join("tmp")).unwrap().count(), 0);

        std::fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
        assert!(matches!(Store::open(&at), Err(Error::Unsupported { value, .. }) if value == "9"));
        std::fs::remove_file(at.join("oci-layout")).unwrap();
        assert!(matches!(Store::open(&at), Err(Error::Missing { .. })));
        std::fs::write(at.join("store.json"), r#"{"version":2,"new":1}"#).unwrap();
        assert!(matches!(Store::open(&at), Err(Error::Unsupported { value, .. }) if value == "2"));
        std::fs::write(at.join("store.json"), "{").unwrap();
        assert!(matches!(Store::open(&at), Err(Error::Json { .. })));

        std::fs::write(temporary.path().join("file"), "").unwrap();
        assert!(Store::create(temporary.path()).is_err(), "neither empty nor a store");
        assert!(matches!(Store::open(temporary.path()), Err(Error::Missing { .. })));
    }

    #[test]
    fn one_that_was_half_made_is_completed() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::create_dir(temporary.path().join("locks")).unwrap();
        std::fs::create_dir_all(temporary.path().join("tmp/1-2-3/x")).unwrap();
        Store::open_or_create(temporary.path()).unwrap();
        assert_eq!(std::fs::read_dir(temporary.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn many_make_the_same() {
        let temporary = tempfile::tempdir().unwrap();
        let at = temporary.path().join("store");
        std::thread::scope(|scope| {
            let made: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open_or_create(&at).unwrap())).collect();
            made.into_iter().for_each(|made| drop(made.join().unwrap()));
        });
    }
}
