//! Changes between plain directories: nothing is mounted, so every user can run these.

use cofferdam_overlay::{
    Change, ChangeKind, Changes, EntryType, Error, XattrNamespace, make_opaque, make_whiteout,
    make_xattr_whiteout,
};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, XattrFlags, lsetxattr, utimensat};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const USER: XattrNamespace = XattrNamespace::User;

/// Layers in one temporary directory, the upper one first.
struct Layers {
    directory: TempDir,
    count: usize,
}

impl Layers {
    fn new(count: usize) -> Self {
        Self::new_in(tempfile::tempdir().expect("temporary directory"), count)
    }

    fn new_in(directory: TempDir, count: usize) -> Self {
        (0..count)
            .for_each(|layer| fs::create_dir(directory.path().join(layer.to_string())).expect("a layer"));
        Self { directory, count }
    }

    /// None, with the reason printed, where files have no extended attributes: those of tmpfs have them since Linux 6.6.
    fn with_attributes(count: usize) -> Option<Self> {
        let layers = Self::new(count);
        match lsetxattr(layers.directory.path(), "user.test", b"1", XattrFlags::empty()) {
            Ok(()) => Some(layers),
            Err(error) => {
                assert_eq!(error, rustix::io::Errno::OPNOTSUPP);
                eprintln!("skipped: no extended attributes here");
                None
            }
        }
    }

    fn path(&self, layer: usize, path: &str) -> PathBuf {
        self.directory.path().join(layer.to_string()).join(path)
    }

    fn open(&self, layer: usize, path: &str) -> File {
        File::open(self.path(layer, path)).expect("open a directory")
    }

    /// Writes a file, in directories that are made.
    fn file(&self, layer: usize, path: &str, content: &str) -> &Self {
        let path = self.path(layer, path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(&path, content).expect("a file");
        old(&path);
        self
    }

    fn dir(&self, layer: usize, path: &str) -> &Self {
        fs::create_dir_all(self.path(layer, path)).expect("directories");
        self
    }

    fn whiteout(&self, layer: usize, dir: &str, name: &str) -> &Self {
        self.dir(layer, dir);
        make_whiteout(self.open(layer, dir), name).expect("a whiteout");
        self
    }

    fn opaque(&self, layer: usize, path: &str) -> &Self {
        self.dir(layer, path);
        make_opaque(self.open(layer, path), ".", USER).expect("an opaque directory");
        self
    }

    fn results(&self) -> Vec<Result<Change, Error>> {
        self.results_by(USER)
    }

    fn results_by(&self, xattrs: XattrNamespace) -> Vec<Result<Change, Error>> {
        let layers: Vec<_> = (0..self.count).map(|layer| self.open(layer, "")).collect();
        Changes::new(&layers[0], &layers[1..], xattrs).collect()
    }

    /// Times of directories are made the same everywhere, as they are not what most tests are about.
    fn changes(&self) -> Vec<String> {
        (0..self.count).for_each(|layer| age(&self.path(layer, "")));
        self.results().into_iter().map(|change| shown(&change.expect("no error"))).collect()
    }
}

fn shown(change: &Change) -> String {
    format!("{} {}: {}", change.kind, change.entry, change.path.display())
}

fn old(path: &Path) {
    let time = Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("set times");
}

fn age(directory: &Path) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            age(&entry.path());
        }
    }
    old(directory);
}

#[test]
fn added_modified_and_deleted() {
    let layers = Layers::new(2);
    layers
        .file(1, "same", "1")
        .file(1, "content", "1")
        .file(1, "size", "1")
        .file(1, "gone", "1")
        .file(1, "d/f", "1");
    layers.file(0, "same", "1").file(0, "content", "2").file(0, "size", "12").file(0, "new/f", "1");
    layers.whiteout(0, "", "gone").whiteout(0, "d", "f").whiteout(0, "", "never");
    let expected = [
        "modified file: content",
        "deleted file: d/f",
        "deleted file: gone",
        "added directory: new",
        "added file: new/f",
        "modified file: size",
    ];
    assert_eq!(layers.changes(), expected);
}

#[test]
fn only_metadata_differs() {
    let Some(layers) = Layers::with_attributes(2) else { return };
    for layer in [0, 1] {
        for name in ["mode", "time", "xattr", "value", "same", "own"] {
            layers.file(layer, name, "1");
        }
        layers.dir(layer, "d").dir(layer, "time-of-d");
        lsetxattr(layers.path(layer, "same"), "user.x", b"1", XattrFlags::empty()).expect("an attribute");
    }
    fs::set_permissions(layers.path(0, "mode"), Permissions::from_mode(0o4711)).expect("a mode");
    fs::set_permissions(layers.path(0, "d"), Permissions::from_mode(0o700)).expect("a mode");
    let now = Timespec { tv_sec: 1_000_000_000, tv_nsec: 6 };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: omit, last_modification: now };
    utimensat(CWD, layers.path(0, "time"), &times, AtFlags::empty()).expect("a time");
    lsetxattr(layers.path(0, "xattr"), "user.x", b"1", XattrFlags::empty()).expect("an attribute");
    for (layer, value) in [(0, b"1"), (1, b"2")] {
        lsetxattr(layers.path(layer, "value"), "user.x", value, XattrFlags::empty()).expect("an attribute");
    }
    lsetxattr(layers.path(0, "own"), "user.overlay.origin", b"1", XattrFlags::empty()).expect("an attribute");
    let expected = ["directory: d", "file: mode", "file: time", "file: value", "file: xattr"];
    assert_eq!(layers.changes(), expected.map(|change| format!("metadata only {change}")));
}

#[test]
fn types_replace_each_other() {
    let layers = Layers::new(2);
    layers.file(1, "file-to-dir", "1").file(1, "dir-to-file/f", "1").file(1, "file-to-link", "1");
    layers.file(0, "file-to-dir/f", "1").file(0, "dir-to-file", "1");
    for (layer, target) in [(0, "new"), (1, "old")] {
        symlink(target, layers.path(layer, "target")).expect("a link");
        symlink("same", layers.path(layer, "link")).expect("a link");
        old(&layers.path(layer, "link"));
    }
    symlink("x", layers.path(0, "file-to-link")).expect("a link");
    let expected = [
        "modified file: dir-to-file",
        "modified directory: file-to-dir",
        "added file: file-to-dir/f",
        "modified symbolic link: file-to-link",
        "modified symbolic link: target",
    ];
    assert_eq!(layers.changes(), expected);
}

#[test]
fn fifos_and_sockets_have_no_content() {
    let layers = Layers::new(2);
    for layer in [0, 1] {
        let kind = if layer == 0 { rustix::fs::FileType::Fifo } else { rustix::fs::FileType::Socket };
        for (name, kind) in [("same", rustix::fs::FileType::Fifo), ("type", kind)] {
            let path = layers.path(layer, name);
            rustix::fs::mknodat(CWD, &path, kind, rustix::fs::Mode::RUSR, 0).expect("a node");
            old(&path);
        }
    }
    assert_eq!(layers.changes(), ["modified fifo: type"]);
}

#[test]
fn opaque_directories_replace() {
    let Some(layers) = Layers::with_attributes(3) else { return };
    layers.file(2, "d/below", "1").file(1, "d/f", "1").file(2, "e/f", "1").dir(1, "e");
    layers.opaque(0, "d").file(0, "d/f", "1").opaque(0, "nothing-below");
    // Below, an opaque directory hides what is under it: of `e/f` there is nothing to delete.
    layers.opaque(1, "e").whiteout(0, "e", "f");
    let expected = ["modified directory: d", "added file: d/f", "added directory: nothing-below"];
    assert_eq!(layers.changes(), expected);
}

#[test]
fn whiteouts_between_the_layers_are_seen() {
    let layers = Layers::new(4);
    layers.file(3, "a", "1").whiteout(2, "", "a").file(0, "a", "1");
    layers.file(3, "b", "1").whiteout(2, "", "b").whiteout(0, "", "b");
    layers.file(3, "c", "1").file(1, "c", "2").file(0, "c", "1");
    layers.file(3, "d/f", "1").file(2, "d", "a file").file(1, "d/g", "1").whiteout(0, "d", "f");
    layers.file(3, "e/f", "1").dir(1, "e").whiteout(0, "e", "f");
    let expected = ["added file: a", "modified file: c", "deleted file: e/f"];
    assert_eq!(layers.changes(), expected);
}

#[test]
fn files_with_an_attribute_are_whiteouts_below() {
    let Some(layers) = Layers::with_attributes(3) else { return };
    layers.file(2, "d/f", "1").file(2, "d/g", "1").file(2, "f", "1");
    layers.dir(1, "d");
    make_xattr_whiteout(layers.open(1, "d"), "f", USER).expect("a whiteout");
    make_xattr_whiteout(layers.open(1, ""), "f", USER).expect("a whiteout in the root");
    layers.file(0, "d/f", "1").file(0, "f", "1").whiteout(0, "d", "g");
    assert_eq!(layers.changes(), ["added file: d/f", "deleted file: d/g", "added file: f"]);
}

#[test]
fn a_metacopy_has_the_data_of_below() {
    let Some(layers) = Layers::with_attributes(3) else { return };
    let mark = |layer, name| {
        lsetxattr(layers.path(layer, name), "user.overlay.metacopy", b"", XattrFlags::empty())
            .expect("a mark");
    };
    for name in ["same", "mode", "below"] {
        layers.file(2, name, "data");
        layers.file(1, name, "\0\0\0\0").file(0, name, if name == "below" { "data" } else { "\0\0\0\0" });
        mark(1, name);
    }
    mark(0, "same");
    mark(0, "mode");
    fs::set_permissions(layers.path(0, "mode"), Permissions::from_mode(0o600)).expect("a mode");
    assert_eq!(layers.changes(), ["metadata only file: mode"]);
}

#[test]
fn a_renamed_directory_is_an_error_beside_which_the_walk_goes_on() {
    let Some(layers) = Layers::with_attributes(2) else { return };
    layers.file(0, "a/f", "1").file(0, "moved/f", "1").file(0, "z", "1");
    lsetxattr(layers.path(0, "moved"), "user.overlay.redirect", b"/old", XattrFlags::empty())
        .expect("a mark");
    let results = layers.results();
    let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(errors[0].to_string().starts_with("directory \"moved\" was renamed"), "{errors:?}");
    assert_eq!((errors.len(), results.len()), (1, 4));
}

#[test]
fn what_cannot_be_read_is_an_item() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root reads everything");
        return;
    }
    let layers = Layers::new(2);
    layers.file(1, "f", "1").file(0, "f", "2").file(0, "closed/f", "1").file(0, "z", "1");
    for closed in ["f", "closed"] {
        fs::set_permissions(layers.path(0, closed), Permissions::from_mode(0o000)).expect("no rights");
    }
    // User attributes can be read by those who can read the file.
    let all = [XattrNamespace::Trusted, USER].map(|xattrs| layers.results_by(xattrs));
    fs::set_permissions(layers.path(0, "closed"), Permissions::from_mode(0o700)).expect("rights");
    let texts = all.map(|results| {
        let texts = results.iter().map(|result| result.as_ref().map_or_else(Error::to_string, shown));
        texts.collect::<Vec<_>>()
    });
    let reason = "EACCES (Permission denied)";
    let expected = [
        "added directory: closed".to_owned(),
        format!("readdir closed: {reason}"),
        format!("openat f: {reason}"),
        "added file: z".to_owned(),
    ];
    assert_eq!(texts[0], expected);
    let expected =
        [format!("lgetxattr closed: {reason}"), format!("lgetxattr f: {reason}"), "added file: z".to_owned()];
    assert_eq!(texts[1], expected);
}

#[test]
fn names_need_not_be_text_and_are_sorted_by_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let layers = Layers::new(2);
    let names: [&[u8]; 5] = [b"\n", b"B", b"a", b"a-", b"\xff\xfe"];
    for name in names {
        fs::write(layers.path(0, "").join(std::ffi::OsStr::from_bytes(name)), "").expect("a file");
    }
    let found = layers.results().into_iter().map(|change| change.expect("no error").path);
    assert_eq!(found.map(|path| path.as_os_str().as_bytes().to_owned()).collect::<Vec<_>>(), names);
}

#[test]
fn big_files_are_compared_to_the_end() {
    let layers = Layers::new(2);
    let big = "x".repeat(300_000);
    layers.file(1, "same", &big).file(0, "same", &big);
    layers.file(1, "last", &big).file(0, "last", &format!("{}y", &big[1..]));
    assert_eq!(layers.changes(), ["modified file: last"]);
}

/// Makes a chain of directories, by descriptors, as no path is so long; a file in each.
fn chain(layer: &File, depth: usize, content: &[u8]) {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let mut here = layer.try_clone().expect("a descriptor").into();
    for _ in 0..depth {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let file = openat(&here, "z", flags, Mode::RUSR | Mode::WUSR).expect("a file");
        assert_eq!(rustix::io::write(&file, content), Ok(content.len()));
        mkdirat(&here, "d", Mode::RWXU).expect("a directory");
        here = openat(&here, "d", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("open it");
    }
}

/// Removes it again: it is flattened from above, as the standard library's removal takes a descriptor a level.
fn unchain(layer: &Path) {
    let (next, spare) = (layer.join("d"), layer.join("spare"));
    while next.exists() {
        fs::rename(&next, &spare).expect("aside");
        if spare.join("d").exists() {
            fs::rename(spare.join("d"), &next).expect("up");
        }
        fs::remove_dir_all(&spare).expect("removed");
    }
}

#[test]
fn depth_is_not_limited() {
    const DEPTH: usize = 10_000;
    // In memory if possible: tens of thousands of directories take a disk minutes.
    let directory =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("temporary directory");
    let layers = Layers::new_in(directory, 3);
    chain(&layers.open(0, ""), DEPTH, b"2");
    chain(&layers.open(1, ""), DEPTH, b"1");
    chain(&layers.open(2, ""), DEPTH / 2, b"0");
    let open: Vec<_> = (0..3).map(|layer| layers.open(layer, "")).collect();
    let before = fs::read_dir("/proc/self/fd").expect("descriptors").count();
    let (mut modified, mut most, mut deepest) = (0, 0, 0);
    for (count, change) in Changes::new(&open[0], &open[1..], USER).enumerate() {
        let change = change.expect("no error");
        if change.entry == EntryType::File {
            assert_eq!(change.kind, ChangeKind::Modified);
            modified += 1;
            deepest = deepest.max(change.path.as_os_str().len());
        }
        if count % 1000 == 0 {
            most = most.max(fs::read_dir("/proc/self/fd").expect("descriptors").count());
        }
    }
    (0..3).for_each(|layer| unchain(&layers.path(layer, "")));
    assert_eq!((modified, deepest), (DEPTH, 2 * DEPTH - 1));
    // Other tests of this binary have some open, too.
    assert!(most < before + 60, "{before} {most}");
}
