//! Random operations through a real overlay: what is found is what a model of the tree says.

mod common;
mod union;

use cofferdam_overlay::{Change, ChangeKind, EntryType, Opacity, opacity};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use union::Union;

#[derive(Clone, Debug)]
enum Operation {
    /// Writes a whole file, which may be there.
    Write(PathBuf, u8),
    /// Opens a file for writing and writes nothing: it is copied up.
    CopyUp(PathBuf),
    Link(PathBuf, u8),
    Mkdir(PathBuf),
    /// With all that is in it.
    Remove(PathBuf),
    /// A directory, or what is in its place, is removed, and a new one made, with a file in it if there is a name. In an
    /// overlay it is opaque.
    Replace(PathBuf, Option<&'static str>),
    /// 7 or 6 for others.
    Chmod(PathBuf, bool),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    File(u8),
    Link(u8),
    /// Which one: a new directory of the same name is another.
    Directory(usize),
}

/// What matters of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    content: Content,
    mode: bool,
    /// Whether it has the time of the lower layers.
    old: bool,
}

/// A tree as it should be.
#[derive(Clone, Debug, Default)]
struct Model {
    nodes: BTreeMap<PathBuf, Node>,
    made: usize,
}

impl Model {
    fn is_directory(&self, path: &Path) -> bool {
        path.as_os_str().is_empty()
            || matches!(self.nodes.get(path), Some(Node { content: Content::Directory(_), .. }))
    }

    /// Whether an entry of this name can be.
    fn has_place(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.is_directory(parent))
    }

    /// An entry came to a directory, or left it.
    fn touch_parent(&mut self, path: &Path) {
        if let Some(parent) = path.parent().and_then(|parent| self.nodes.get_mut(parent)) {
            parent.old = false;
        }
    }

    fn put(&mut self, path: &Path, content: Content) {
        self.nodes.insert(path.to_owned(), Node { content, mode: true, old: false });
        self.touch_parent(path);
    }

    fn below(&self, path: &Path) -> Vec<PathBuf> {
        self.nodes.keys().filter(|key| key.starts_with(path)).cloned().collect()
    }

    fn remove(&mut self, path: &Path) {
        self.nodes.retain(|key, _| !key.starts_with(path));
        self.touch_parent(path);
    }

    /// False where the operation cannot be.
    fn apply(&mut self, operation: &Operation) -> bool {
        let content = |path: &Path| self.nodes.get(path).map(|node| node.content.clone());
        match operation {
            Operation::Write(path, byte) => match content(path) {
                None if self.has_place(path) => self.put(path, Content::File(*byte)),
                Some(Content::File(_)) => {
                    let node = self.nodes.get_mut(path).expect("it is there");
                    (node.content, node.old) = (Content::File(*byte), false);
                }
                _ => return false,
            },
            Operation::CopyUp(path) => return matches!(content(path), Some(Content::File(_))),
            Operation::Link(path, byte) if content(path).is_none() && self.has_place(path) => {
                self.put(path, Content::Link(*byte));
            }
            Operation::Mkdir(path) if content(path).is_none() && self.has_place(path) => {
                self.made += 1;
                self.put(path, Content::Directory(self.made));
            }
            Operation::Remove(path) if content(path).is_some() => self.remove(path),
            Operation::Replace(path, within) if content(path).is_some() => {
                self.remove(path);
                self.made += 1;
                self.put(path, Content::Directory(self.made));
                within.iter().for_each(|name| self.put(&path.join(name), Content::File(0)));
            }
            Operation::Chmod(path, mode) => match content(path) {
                None | Some(Content::Link(_)) => return false,
                Some(_) => self.nodes.get_mut(path).expect("it is there").mode = *mode,
            },
            Operation::Rename(from, to) => return self.rename(from, to),
            _ => return false,
        }
        true
    }

    fn rename(&mut self, from: &Path, to: &Path) -> bool {
        if !self.nodes.contains_key(from)
            || self.nodes.contains_key(to)
            || !self.has_place(to)
            || to.starts_with(from)
        {
            return false;
        }
        for path in self.below(from) {
            let node = self.nodes.remove(&path).expect("it is there");
            let rest = path.strip_prefix(from).expect("it is below");
            let new = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
            self.nodes.insert(new, node);
        }
        self.touch_parent(from);
        self.touch_parent(to);
        true
    }
}

fn entry(content: &Content) -> EntryType {
    match content {
        Content::File(_) => EntryType::File,
        Content::Link(_) => EntryType::Symlink,
        Content::Directory(_) => EntryType::Directory,
    }
}

/// What changed from one tree to another. `replaced` are paths at which another directory is than was there.
fn difference(before: &Model, after: &Model) -> BTreeSet<(PathBuf, ChangeKind, EntryType)> {
    let mut changes = BTreeSet::new();
    // Below these everything is new, or gone without a word.
    let mut replaced: Vec<&Path> = Vec::new();
    let paths: BTreeSet<_> = before.nodes.keys().chain(after.nodes.keys()).collect();
    for path in paths {
        let below = replaced.iter().any(|directory| path.starts_with(directory) && path != directory);
        let old = before.nodes.get(path).filter(|_| !below);
        let (kind, of) = match (old, after.nodes.get(path)) {
            (None, None) => continue,
            (None, Some(new)) => (ChangeKind::Added, new),
            (Some(old), None) => (ChangeKind::Deleted, old),
            (Some(old), Some(new)) if old.content != new.content => (ChangeKind::Modified, new),
            (Some(old), Some(new)) if old != new => (ChangeKind::MetadataOnly, new),
            (Some(_), Some(_)) => continue,
        };
        if matches!(kind, ChangeKind::Deleted | ChangeKind::Modified) {
            replaced.push(path);
        }
        changes.insert((path.clone(), kind, entry(&of.content)));
    }
    changes
}

/// Long ago; all that is done meanwhile has another time.
fn old_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

/// Carries an operation out in a directory.
fn execute(root: &Path, operation: &Operation) -> io::Result<()> {
    let mode = |mode: bool| Permissions::from_mode(if mode { 0o707 } else { 0o706 });
    match operation {
        Operation::Write(path, byte) => {
            let new = !root.join(path).exists();
            fs::write(root.join(path), [*byte])?;
            if new { fs::set_permissions(root.join(path), mode(true)) } else { Ok(()) }
        }
        Operation::CopyUp(path) => File::options().append(true).open(root.join(path)).map(drop),
        Operation::Link(path, byte) => symlink(byte.to_string(), root.join(path)),
        Operation::Mkdir(path) => {
            fs::create_dir(root.join(path))?;
            fs::set_permissions(root.join(path), mode(true))
        }
        Operation::Remove(path) if fs::symlink_metadata(root.join(path))?.is_dir() => {
            fs::remove_dir_all(root.join(path))
        }
        Operation::Remove(path) => fs::remove_file(root.join(path)),
        Operation::Replace(path, within) => {
            execute(root, &Operation::Remove(path.clone()))?;
            execute(root, &Operation::Mkdir(path.clone()))?;
            within.iter().try_for_each(|name| execute(root, &Operation::Write(path.join(name), 0)))
        }
        Operation::Chmod(path, new) => fs::set_permissions(root.join(path), mode(*new)),
        Operation::Rename(from, to) => fs::rename(root.join(from), root.join(to)),
    }
}

/// Makes all times old, from the leaves up.
fn age(path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    if fs::symlink_metadata(path)?.is_dir() {
        fs::read_dir(path)?.try_for_each(|entry| age(&entry?.path()))?;
    }
    let seconds = old_time().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
    let time = Timespec { tv_sec: seconds.try_into().map_err(io::Error::other)?, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b"])
}

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(name(), 1..4).prop_map(|names| names.into_iter().collect())
}

fn replacement() -> impl Strategy<Value = Operation> {
    (path(), prop::option::of(name())).prop_map(|(path, within)| Operation::Replace(path, within))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => (path(), 0..3_u8).prop_map(|(path, byte)| Operation::Write(path, byte)),
        1 => path().prop_map(Operation::CopyUp),
        1 => (path(), 0..3_u8).prop_map(|(path, byte)| Operation::Link(path, byte)),
        3 => path().prop_map(Operation::Mkdir),
        3 => path().prop_map(Operation::Remove),
        1 => (path(), any::<bool>()).prop_map(|(path, mode)| Operation::Chmod(path, mode)),
        2 => (path(), path()).prop_map(|(from, to)| Operation::Rename(from, to)),
        1 => replacement(),
    ]
}

/// What a layer is filled with first: nearly all paths are there, so that most operations find something.
fn full() -> Vec<Operation> {
    let paths = ["a", "b", "a/a", "a/b", "b/a", "a/a/b", "b/a/a"];
    let (directories, files) = (paths[..3].iter().chain(&paths[4..5]), [paths[3], paths[5], paths[6]]);
    let made = directories.map(|path| Operation::Mkdir(path.into()));
    made.chain(files.map(|path| Operation::Write(path.into(), 1))).collect()
}

/// How many names of an upper directory lie in a directory that is opaque in the middle layer, and are in the bottom one:
/// who does not see that it is opaque compares with what is hidden.
fn behind_opaque(union: &Union, path: &Path) -> io::Result<usize> {
    let [upper, middle, bottom] = ["upper", "0", "1"].map(|layer| union.path(layer).join(path));
    let parts = [&upper, &middle, &bottom];
    if !parts.iter().all(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())) {
        return Ok(0);
    }
    let opaque = |path: &Path| -> io::Result<bool> {
        let (directory, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
        let found = opacity(File::open(directory)?, name, union::xattrs());
        Ok(found.map_err(io::Error::other)? == Opacity::Opaque)
    };
    if opaque(&upper)? {
        return Ok(0);
    }
    let hides = opaque(&middle)?;
    let mut count = 0;
    for entry in fs::read_dir(&upper)? {
        let name = entry?.file_name();
        let hidden = hides
            && fs::symlink_metadata(bottom.join(&name)).is_ok()
            && fs::symlink_metadata(middle.join(&name)).is_err();
        count += if hidden { 1 } else { behind_opaque(union, &path.join(&name))? };
    }
    Ok(count)
}

/// What one case had.
#[derive(Debug, Default)]
struct Seen {
    kinds: BTreeSet<ChangeKind>,
    behind_opaque: usize,
}

/// One case: a lower layer, what is done in an overlay on it, which becomes a lower layer too, and what is done in a second one.
fn case(steps: &[Vec<Operation>; 3]) -> Result<Seen, TestCaseError> {
    let union = Union::new(2);
    let bottom = union.path("1");
    let mut model = Model::default();
    for operation in full().iter().chain(&steps[0]) {
        if model.apply(operation) {
            execute(&bottom, operation)?;
        }
    }
    model.nodes.values_mut().for_each(|node| node.old = true);
    age(&bottom)?;

    // The middle layer is what another overlay leaves.
    let first = Union::new(1);
    fs::remove_dir(first.path("0"))?;
    fs::rename(&bottom, first.path("0"))?;
    let merged = first.mountable();
    let merged = merged.mount("").map_err(|error| TestCaseError::fail(error.to_string()))?;
    run(merged, &mut model, &steps[1])?;
    nix::mount::umount(merged).map_err(io::Error::from)?;
    // Not through the mount, which would copy everything up.
    age(&first.path("upper"))?;
    model.nodes.values_mut().for_each(|node| node.old = true);
    fs::rename(first.path("0"), &bottom)?;
    fs::remove_dir(union.path("0"))?;
    fs::rename(first.path("upper"), union.path("0"))?;

    let before = model.clone();
    let merged = union.mountable();
    let merged = merged.mount("").map_err(|error| TestCaseError::fail(error.to_string()))?;
    run(merged, &mut model, &steps[2])?;
    nix::mount::umount(merged).map_err(io::Error::from)?;

    let changes: Result<Vec<Change>, _> = union.changes().into_iter().collect();
    let changes = changes.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let found: BTreeSet<_> =
        changes.iter().map(|change| (change.path.clone(), change.kind, change.entry)).collect();
    prop_assert_eq!(found.len(), changes.len(), "each path once");
    prop_assert!(changes.is_sorted_by_key(|change| change.path.clone()), "by the names on the way");
    prop_assert_eq!(&found, &difference(&before, &model));
    let kinds = found.into_iter().map(|(_, kind, _)| kind).collect();
    Ok(Seen { kinds, behind_opaque: behind_opaque(&union, Path::new(""))? })
}

/// Does in an overlay and in the model what can be done. An overlay renames no directories of lower layers.
fn run(merged: &Path, model: &mut Model, operations: &[Operation]) -> Result<(), TestCaseError> {
    for operation in operations {
        let mut next = model.clone();
        if !next.apply(operation) {
            continue;
        }
        match (execute(merged, operation), operation) {
            (Ok(()), _) => *model = next,
            (Err(error), Operation::Rename(..)) if error.kind() == io::ErrorKind::CrossesDevices => {}
            (Err(error), _) => return Err(TestCaseError::fail(format!("{operation:?}: {error}"))),
        }
    }
    Ok(())
}

#[test]
fn changes_are_those_of_the_model() {
    require_root_of_a_namespace!();
    let union = Union::new(1);
    let mountable = union.mountable();
    if let Err(error) = common::in_private_mounts(move || mountable.mount("").map(drop)) {
        skip!("an overlay cannot be mounted here: {error}");
    }
    let seen = common::in_private_mounts(|| {
        let steps = |most| prop::collection::vec(operation(), 0..most);
        // What the middle layer has in the end is new to a good part.
        let middle = (steps(12), prop::collection::vec(replacement(), 0..5))
            .prop_map(|(some, last)| [some, last].concat());
        let mut runner =
            TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
        let seen = std::cell::RefCell::new(Seen::default());
        let result = runner.run(&(steps(12), middle, steps(24)), |(one, two, three)| {
            let (one, mut all) = (case(&[one, two, three])?, seen.borrow_mut());
            all.kinds.extend(one.kinds);
            all.behind_opaque += one.behind_opaque;
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
        seen.into_inner()
    });
    assert_eq!(seen.kinds.len(), 4, "all kinds were met: {seen:?}");
    assert!(seen.behind_opaque > 0, "directories were replaced in the middle layer");
}
