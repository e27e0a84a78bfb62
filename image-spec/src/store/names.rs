//! Names of images: `index.json`, as an image layout has it.
//!
//! Entries and fields that other tools wrote are kept as they are.

use rustix::fs::OFlags;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::Store;
use super::lock::{Kind, Lock, open_lock};
use super::open::{parse, to_json};
use super::scratch::Scratch;
use crate::{Descriptor, Digest, Error, Offer, Result};

/// The annotation that has the name of an image (image-spec, annotations.md).
const NAME: &str = "org.opencontainers.image.ref.name";
/// What a new store has.
pub(super) const EMPTY: &[u8] =
    br#"{"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#;
/// A longer `index.json` is refused.
const MOST: u64 = 16 * 1024 * 1024;
/// A longer name is refused.
const LONGEST: usize = 1024;

/// `index.json`, as it is.
struct Names {
    rest: Map<String, Value>,
    entries: Vec<Value>,
}

impl Store {
    /// All images, in the order of their first appearance. Of two with the same name only the first is found by it.
    ///
    /// # Errors
    /// If `index.json` cannot be read, or is not an index.
    pub fn images(&self) -> Result<Vec<Offer>> {
        self.read_names()?.entries.iter().map(offer).collect()
    }

    /// Gives an image a second name. One that has the new name already loses it.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such image; [`Error::Invalid`] if the new name is empty, a digest, longer than
    /// 1024 bytes or has control characters; if `index.json` cannot be read or written.
    pub fn tag(&self, name: &str, new: &str) -> Result<()> {
        check_name(new)?;
        let _shared = self.share()?;
        self.change_names(|names| {
            let descriptor = names.find(name)?.descriptor;
            names.set(Some(new), &descriptor)
        })
    }

    /// Removes a name; by a digest, all entries of that manifest. The content stays until it is
    /// [collected](Store::gc), and longer if another image or a container needs it.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such image; if `index.json` cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<()> {
        let _shared = self.share()?;
        self.change_names(|names| {
            names.find(name)?;
            let digest = digest_of(name);
            names.entries.retain(|entry| match &digest {
                Some(digest) => entry["digest"].as_str() != Some(&digest.to_string()),
                None => name_of(entry) != Some(name),
            });
            Ok(())
        })
    }

    /// The first image that has this name or digest.
    pub(super) fn find(&self, name: &str) -> Result<Offer> {
        self.read_names()?.find(name)
    }

    /// Gives a manifest a name, or makes it an image without a name.
    pub(super) fn set_name(&self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        self.change_names(|names| names.set(name, descriptor))
    }

    /// Removes all entries whose manifest is one of these.
    pub(super) fn drop_names(&self, of: &[Digest]) -> Result<()> {
        let texts: Vec<_> = of.iter().map(ToString::to_string).collect();
        self.change_names(|names| {
            let gone = |entry: &Value| texts.iter().any(|text| entry["digest"].as_str() == Some(text));
            names.entries.retain(|entry| !gone(entry));
            Ok(())
        })
    }

    fn read_names(&self) -> Result<Names> {
        let missing = || Error::Missing { what: "document", name: "index.json".to_owned() };
        Names::parse(&self.root().read("index.json", MOST)?.ok_or_else(missing)?)
    }

    /// Reads, changes and writes, and nobody else does meanwhile.
    fn change_names(&self, change: impl FnOnce(&mut Names) -> Result<()>) -> Result<()> {
        // What a layout's writers lock as well.
        let fd = open_lock(self.root(), ".", OFlags::DIRECTORY)?;
        let lock = Lock::wait(fd, Kind::Exclusive).map_err(Error::file("lock", self.path()))?;
        let mut names = self.read_names()?;
        let before = names.entries.clone();
        change(&mut names)?;
        if names.entries != before {
            let scratch: Scratch = self.scratch()?;
            scratch.replace(self.root(), "index.json", &names.to_bytes()?)?;
            scratch.finish()?;
        }
        drop(lock);
        Ok(())
    }
}

impl Names {
    fn parse(content: &[u8]) -> Result<Self> {
        let mut rest: Map<String, Value> = parse("index.json", content)?;
        if rest.get("schemaVersion") != Some(&Value::from(2)) {
            return Err(Error::invalid("index.json", "schemaVersion", "is not 2"));
        }
        match rest.remove("manifests") {
            Some(Value::Array(entries)) => Ok(Self { rest, entries }),
            _ => Err(Error::invalid("index.json", "manifests", "is not a list")),
        }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut all = self.rest.clone();
        all.insert("manifests".to_owned(), Value::Array(self.entries.clone()));
        let content = to_json("index.json", &all)?;
        if content.len() as u64 > MOST {
            return Err(Error::Limit { what: "bytes of index.json", limit: MOST });
        }
        Ok(content)
    }

    fn find(&self, name: &str) -> Result<Offer> {
        let found = match digest_of(name) {
            Some(digest) => {
                self.entries.iter().find(|entry| entry["digest"].as_str() == Some(&digest.to_string()))
            }
            None => self.entries.iter().find(|entry| name_of(entry) == Some(name)),
        };
        let missing = || Error::Missing { what: "image", name: name.to_owned() };
        offer(found.ok_or_else(missing)?)
    }

    fn set(&mut self, name: Option<&str>, descriptor: &Descriptor) -> Result<()> {
        let mut descriptor = descriptor.clone();
        descriptor.annotations.remove(NAME);
        if let Some(name) = name {
            descriptor.annotations.insert(NAME.to_owned(), name.to_owned());
        }
        let entry =
            serde_json::to_value(&descriptor).map_err(|source| Error::Json { what: "index.json", source })?;
        let same = |other: &Value| match name {
            Some(_) => name_of(other) == name,
            None => name_of(other).is_none() && other["digest"] == entry["digest"],
        };
        let at = self.entries.iter().position(same);
        self.entries.retain(|other| !same(other));
        self.entries.insert(at.unwrap_or(self.entries.len()), entry);
        Ok(())
    }
}

/// The digest that is meant, also in the form `@DIGEST` that [`select`](crate::select) and the names of places have.
fn digest_of(name: &str) -> Option<Digest> {
    name.strip_prefix('@').unwrap_or(name).parse().ok()
}

fn name_of(entry: &Value) -> Option<&str> {
    entry["annotations"][NAME].as_str()
}

fn offer(entry: &Value) -> Result<Offer> {
    let descriptor =
        Descriptor::deserialize(entry).map_err(|source| Error::Json { what: "index.json", source })?;
    Ok(Offer { name: name_of(entry).map(str::to_owned), descriptor })
}

/// Whether this can be the name of an image.
pub(super) fn check_name(name: &str) -> Result<()> {
    let wrong = |reason: &str| Err(Error::invalid("image name", name, reason));
    match name {
        "" => wrong("is empty"),
        long if long.len() > LONGEST => wrong("is longer than 1024 bytes"),
        text if text.chars().any(char::is_control) => wrong("has control characters"),
        digest if digest_of(digest).is_some() => wrong("is a digest"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(of: &str) -> Descriptor {
        Descriptor::of("application/vnd.oci.image.manifest.v1+json", of.as_bytes())
    }

    fn store() -> (tempfile::TempDir, Store) {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let store = Store::create(temporary.path().join("store")).expect("store");
        (temporary, store)
    }

    fn names(store: &Store) -> Vec<String> {
        let images = store.images().expect("images");
        images
            .into_iter()
            .map(|image| image.name.unwrap_or_else(|| image.descriptor.digest.to_string()))
            .collect()
    }

    #[test]
    fn names_are_given_moved_and_taken_away() {
        let (_temporary, store) = store();
        let (one, two) = (descriptor("1"), descriptor("2"));
        store.set_name(Some("a"), &one).unwrap();
        store.set_name(Some("b"), &two).unwrap();
        store.set_name(None, &one).unwrap();
        store.set_name(None, &one).unwrap();
        assert_eq!(names(&store), ["a", "b", &one.digest.to_string()]);
        store.set_name(Some("a"), &two).unwrap();
        assert_eq!(names(&store), ["a", "b", &one.digest.to_string()]);
        assert_eq!(store.find("a").unwrap().descriptor.digest, two.digest);
        assert_eq!(store.find(&two.digest.to_string()).unwrap().descriptor.digest, two.digest);
        assert_eq!(store.find(&format!("@{}", two.digest)).unwrap().descriptor.digest, two.digest);
        store.tag("b", "c").unwrap();
        store.remove("b").unwrap();
        assert_eq!(names(&store), ["a", &one.digest.to_string(), "c"]);
        store.remove(&two.digest.to_string()).unwrap();
        assert_eq!(names(&store), [one.digest.to_string()]);
        assert!(matches!(store.remove("a"), Err(Error::Missing { .. })));
        assert!(matches!(store.tag("a", "b"), Err(Error::Missing { .. })));
        assert!(matches!(store.remove(&two.digest.to_string()), Err(Error::Missing { .. })));
    }

    #[test]
    fn what_others_wrote_is_kept() {
        let (temporary, store) = store();
        let path = temporary.path().join("store/index.json");
        let digest = Digest::sha256(b"x");
        let foreign = format!(
            r#"{{"schemaVersion":2,"x":{{"y":[1]}},"manifests":[{{"mediaType":"m","digest":"{digest}","size":1,"z":true}}]}}"#
        );
        std::fs::write(&path, foreign).unwrap();
        store.set_name(Some("n"), &descriptor("1")).unwrap();
        let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(value["x"]["y"][0], 1);
        assert_eq!(value["manifests"][0]["z"], true);
        assert_eq!(value["manifests"][1]["annotations"][NAME], "n");
    }

    #[test]
    fn garbage_is_an_error_and_stays_as_it_is() {
        let (temporary, store) = store();
        let path = temporary.path().join("store/index.json");
        for garbage in
            ["", "{", "null", "[]", "{}", r#"{"schemaVersion":2}"#, r#"{"schemaVersion":1,"manifests":[]}"#]
        {
            std::fs::write(&path, garbage).unwrap();
            assert!(store.images().is_err(), "{garbage}");
            assert!(store.set_name(Some("n"), &descriptor("1")).is_err(), "{garbage}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
        }
        std::fs::write(&path, r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x"}]}"#).unwrap();
        assert!(matches!(store.images(), Err(Error::Json { .. })));
    }

    #[test]
    fn bad_names() {
        let digest = Digest::sha256(b"").to_string();
        for bad in ["", "a\nb", "a\0", &digest, &format!("@{digest}"), &"x".repeat(1025)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["alpine", "docker.io/library/alpine:3.20", "ä b", &"x".repeat(1024)] {
            check_name(good).unwrap();
        }
    }

    #[test]
    fn no_change_is_lost_among_many() {
        let (_temporary, store) = store();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    for count in 0..10 {
                        store.set_name(Some(&format!("{thread}-{count}")), &descriptor("1")).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.images().unwrap().len(), 40);
    }
}
