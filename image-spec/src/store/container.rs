//! Roots that are kept: an upper and a work directory for an overlay mount on an image.

use std::path::PathBuf;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use serde::{Deserialize, Serialize};

use super::Store;
use super::dir::Dir;
use super::image::StoredImage;
use super::lock::{Kind, Lock, is_named, open_lock};
use super::open::{parse, to_json};
use super::scratch::Scratch;
use crate::{Descriptor, Error, Result};

const RECORD: &str = "image.json";
/// No record is longer.
const MOST: u64 = 64 * 1024;
/// Most file systems take names of 255 bytes.
const LONGEST: usize = 128;

/// A root that is kept: what a program changes in it is there the next time.
///
/// While this lives nobody else has the container: two overlay mounts that write to one upper directory do what nobody can
/// foretell. The programs may live on; whoever opens the container then must not mount it.
#[derive(Debug)]
pub struct Container {
    store: Store,
    name: String,
    dir: Dir,
    image: Descriptor,
    _lock: Lock,
}

/// `image.json` of a container.
#[derive(Serialize, Deserialize)]
struct ContainerRecord {
    version: u32,
    /// The manifest.
    image: Descriptor,
}

impl Store {
    /// The container of a name, made if there is none. Its upper directory begins with the mode and the owner of the
    /// image's root, as the mount takes them from there. The image stays while the container is there, whatever becomes
    /// of its names.
    ///
    /// # Errors
    /// [`Error::Busy`] if somebody has the container; [`Error::Invalid`] if it is on another image, or if the name has
    /// other characters than letters, digits, `_`, `.` and `-`, does not begin with a letter or digit, or is longer
    /// than 128; if the store cannot be read or written, or a layer of the image not be made.
    pub fn container(&self, name: &str, image: &StoredImage) -> Result<Container> {
        check_name(name)?;
        let lowers = image.lower_paths()?;
        let _shared = self.share()?;
        self.sweep()?;
        loop {
            if let Some(container) = self.try_open_container(name)? {
                return container.on(image);
            }
            if let Some(container) = self.create_container(name, image, lowers.first())? {
                return Ok(container);
            }
        }
    }

    /// A container that is there.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none of this name; [`Error::Busy`] if somebody has it; if it cannot be read.
    pub fn open_container(&self, name: &str) -> Result<Container> {
        check_name(name)?;
        let _shared = self.share()?;
        let missing = || Error::Missing { what: "container", name: name.to_owned() };
        self.try_open_container(name)?.ok_or_else(missing)
    }

    /// The names of all containers and the manifests of their images, sorted by name.
    ///
    /// # Errors
    /// If they cannot be read, or if one has no record of its image.
    pub fn containers(&self) -> Result<Vec<(String, Descriptor)>> {
        let mut containers = Vec::new();
        for name in self.container_names()? {
            match self.container_image(&name) {
                // It was removed meanwhile.
                Err(Error::Missing { what: "container", .. }) => {}
                image => containers.push((name, image?)),
            }
        }
        Ok(containers)
    }

    pub(super) fn container_names(&self) -> Result<Vec<String>> {
        let names = self.root().open("containers")?.names()?.into_iter();
        Ok(names.filter_map(|name| name.into_string().ok()).filter(|name| check_name(name).is_ok()).collect())
    }

    /// The manifest of a container's image.
    pub(super) fn container_image(&self, name: &str) -> Result<Descriptor> {
        let dir = self.root().open("containers")?.try_open(name)?;
        let missing = || Error::Missing { what: "container", name: name.to_owned() };
        read_record(&dir.ok_or_else(missing)?)
    }

    /// Removes a container with all that is in it, whatever the modes in it.
    ///
    /// # Privileges
    /// What belongs to other users, as programs with a mapped range of ids make it, only root or root of a user namespace
    /// with these ids can remove.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none of this name; [`Error::Busy`] if somebody has it; if it cannot be removed, then
    /// the rest is in `tmp`, and the next who writes tries again.
    pub fn remove_container(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let _shared = self.share()?;
        let containers = self.root().open("containers")?;
        let missing = || Error::Missing { what: "container", name: name.to_owned() };
        let dir = containers.try_open(name)?.ok_or_else(missing)?;
        let lock = lock(&dir, name)?;
        if !is_named(&containers, name, &dir)? {
            return Err(missing());
        }
        let scratch = self.scratch()?;
        containers.rename(name, scratch.dir(), "container")?;
        containers.sync()?;
        scratch.finish()?;
        drop(lock);
        Ok(())
    }

    fn try_open_container(&self, name: &str) -> Result<Option<Container>> {
        let containers = self.root().open("containers")?;
        let Some(dir) = containers.try_open(name)? else { return Ok(None) };
        let lock = lock(&dir, name)?;
        if !is_named(&containers, name, &dir)? {
            return Ok(None);
        }
        let image = read_record(&dir)?;
        Ok(Some(Container { store: self.clone(), name: name.to_owned(), dir, image, _lock: lock }))
    }

    /// Makes a container whole before it gets its name; `None` if somebody was faster.
    fn create_container(
        &self,
        name: &str,
        image: &StoredImage,
        top: Option<&PathBuf>,
    ) -> Result<Option<Container>> {
        let scratch: Scratch = self.scratch()?;
        let dir = scratch.dir().make("container")?;
        let lock = lock(&dir, name)?;
        let upper = dir.make("upper")?;
        like(&upper, top)?;
        dir.make("work")?;
        let record = ContainerRecord { version: 1, image: image.descriptor() };
        dir.write(RECORD, &to_json(RECORD, &record)?)?;
        dir.sync()?;
        let containers = self.root().open("containers")?;
        if !scratch.dir().rename_new("container", &containers, name)? {
            return Ok(None);
        }
        containers.sync()?;
        scratch.finish()?;
        let dir = containers.open(name)?;
        Ok(Some(Container {
            store: self.clone(),
            name: name.to_owned(),
            dir,
            image: record.image,
            _lock: lock,
        }))
    }
}

impl Container {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The upper directory: what differs from the image.
    pub fn upper(&self) -> PathBuf {
        self.dir.path_of("upper")
    }

    /// The work directory, which the mount needs for itself.
    pub fn work(&self) -> PathBuf {
        self.dir.path_of("work")
    }

    /// The image that it is on; also one that has no name any more.
    ///
    /// # Errors
    /// If its documents cannot be read.
    pub fn image(&self) -> Result<StoredImage> {
        let _shared = self.store.share()?;
        StoredImage::hold(self.store.clone(), None, self.store.load(&self.image)?)
    }

    fn on(self, image: &StoredImage) -> Result<Self> {
        if self.image.digest == image.descriptor().digest {
            return Ok(self);
        }
        let reason = format!("is on the image {}", self.image.digest);
        Err(Error::invalid("container", self.name, reason))
    }
}

fn lock(dir: &Dir, name: &str) -> Result<Lock> {
    let fd = open_lock(dir, ".", OFlags::DIRECTORY)?;
    let lock = Lock::attempt(fd, Kind::Exclusive).map_err(Error::file("lock", dir.path()))?;
    lock.ok_or_else(|| Error::Busy { what: "container", name: name.to_owned() })
}

fn read_record(dir: &Dir) -> Result<Descriptor> {
    let missing =
        || Error::Missing { what: "document", name: dir.path_of(RECORD).to_string_lossy().into_owned() };
    let content = dir.read(RECORD, MOST)?.ok_or_else(missing)?;
    let record: ContainerRecord = parse(RECORD, &content)?;
    match record.version {
        1 => Ok(record.image),
        other => Err(Error::Unsupported { what: "container version", value: other.to_string() }),
    }
}

/// Gives a directory the mode and owner of a root.
fn like(upper: &Dir, root: Option<&PathBuf>) -> Result<()> {
    let fail = |action| Error::file(action, upper.path());
    let Some(root) = root else {
        return rustix::fs::fchmod(upper, Mode::from_raw_mode(0o755)).map_err(fail("chmod"));
    };
    let stat = rustix::fs::lstat(root).map_err(Error::file("stat", root))?;
    let own = rustix::fs::fstat(upper).map_err(fail("stat"))?;
    if (stat.st_uid, stat.st_gid) != (own.st_uid, own.st_gid) {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        rustix::fs::fchown(upper, Some(uid), Some(gid)).map_err(fail("chown"))?;
    }
    rustix::fs::fchmod(upper, Mode::from_raw_mode(stat.st_mode)).map_err(fail("chmod"))
}

/// Whether this can be the name of a container, which is one of a directory.
fn check_name(name: &str) -> Result<()> {
    let wrong = |reason: &str| Err(Error::invalid("container name", name, reason));
    match name.as_bytes() {
        [] => wrong("is empty"),
        bytes if bytes.len() > LONGEST => wrong("is longer than 128 bytes"),
        [first, ..] if !first.is_ascii_alphanumeric() => wrong("does not begin with a letter or digit"),
        bytes if !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte)) => {
            wrong("has other characters than letters, digits, '_', '.' and '-'")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_names_of_directories() {
        for bad in ["", ".", "..", "a/b", "-a", "_", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "web-1", "0.a_b", &"x".repeat(128)] {
            check_name(good).unwrap();
        }
    }
}
