//! The caller's own user namespace: what never changes of it, read once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_namespaces::{IdMap, IdRange, Identity, Kind, Namespace, OutsideId};

use crate::{Errno, Error};

/// A user namespace whose maps are written, after which neither they nor the rule about groups can change.
#[derive(Debug)]
pub(crate) struct Own {
    /// Held, so that no other namespace gets its inode number.
    namespace: Namespace,
    /// Everyone who has a number in it keeps that number.
    pub(crate) users: IdMap,
    pub(crate) groups: IdMap,
    /// Whether it denies changing groups, which those below it inherit.
    pub(crate) setgroups_denied: bool,
}

static CURRENT: Mutex<Option<Arc<Own>>> = Mutex::new(None);

/// The user namespace of the calling thread.
pub(crate) fn get() -> Result<Arc<Own>, Error> {
    let path = Path::new("/proc/thread-self/ns/user");
    let stat = rustix::fs::stat(path).map_err(|errno| failed(path, errno.raw_os_error()))?;
    let now = Identity { dev: stat.st_dev, ino: stat.st_ino };
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    match current.as_ref().filter(|own| own.identity() == now) {
        Some(own) => Ok(Arc::clone(own)),
        None => Ok(Arc::clone(current.insert(Arc::new(Own::read()?)))),
    }
}

impl Own {
    pub(crate) fn identity(&self) -> Identity {
        self.namespace.identity()
    }

    fn read() -> Result<Self, Error> {
        let namespace = Namespace::of_current(Kind::User)?;
        let users = everyone(Path::new("/proc/thread-self/uid_map"))?;
        let groups = everyone(Path::new("/proc/thread-self/gid_map"))?;
        let setgroups_denied = read(Path::new("/proc/thread-self/setgroups"))?.starts_with(b"deny");
        Ok(Self { namespace, users, groups, setgroups_denied })
    }
}

fn everyone(own: &Path) -> Result<IdMap, Error> {
    let text = read(own)?;
    let same =
        |range: &IdRange| IdRange::new(range.inside(), OutsideId::new(range.inside().get()), range.count());
    let ranges = IdMap::parse(&text)?.ranges().iter().map(same).collect::<Result<Vec<_>, _>>();
    Ok(IdMap::new(ranges.map_err(cofferdam_namespaces::Error::from)?)?)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| failed(path, error.raw_os_error().unwrap_or(libc::EIO)))
}

fn failed(path: &Path, errno: i32) -> Error {
    Error::Path { what: "file of the calling thread", path: path.to_owned(), errno: Errno::new(errno) }
}
