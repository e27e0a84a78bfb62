//! Random layers: unpacked one upon the other, they are what an overlay of them shows when each is unpacked alone.

mod layers;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Descriptor, Error, Form, MediaType, Settled, Unpack};
use layers::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    File(String, u8, u64),
    Dir(String, u64, u64),
    Symlink(String, String),
    HardLink(String, String),
    Whiteout(String),
    Opaque(String),
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), any::<u8>(), 1..1000_u64).prop_map(|(path, byte, time)| Op::File(path, byte, time)),
        3 => (path(), 0..0o1000_u64, 1..1000_u64).prop_map(|(path, mode, time)| Op::Dir(path, mode, time)),
        1 => (path(), prop_oneof![path(), path().prop_map(|path| format!("/{path}")), Just("..".into())])
            .prop_map(|(path, target)| Op::Symlink(path, target)),
        1 => (path(), path()).prop_map(|(path, target)| Op::HardLink(path, target)),
        2 => path().prop_map(Op::Whiteout),
        1 => path().prop_map(Op::Opaque),
    ]
}

/// Entries of a layer. Something that is put into a directory that the same archive replaces by something else later
/// is lost when the layer is alone, even where it would have been put elsewhere through a link below: there are none.
fn layer() -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), 0..12).prop_map(|ops| {
        let mut kept: Vec<Op> = Vec::new();
        for op in ops {
            let holds = |other: &Op| name(other).starts_with(&format!("{}/", name(&op)));
            if matches!(op, Op::Dir(..) | Op::Whiteout(_) | Op::Opaque(_)) || !kept.iter().any(holds) {
                kept.push(op);
            }
        }
        kept
    })
}

/// Layers above each other. Those above links delete first, and only names of the root, and put nothing where they have
/// directories: what they would undo by another name of it, reached through a link, lies elsewhere when a layer is alone.
fn stack() -> impl Strategy<Value = Vec<Vec<Op>>> {
    proptest::collection::vec(layer(), 1..4).prop_map(|mut layers| {
        if !layers.iter().flatten().any(|op| matches!(op, Op::Symlink(..))) {
            return layers;
        }
        for layer in layers.iter_mut().skip(1) {
            layer.retain_mut(|op| match op {
                Op::Whiteout(path) => !path.contains('/'),
                Op::File(path, ..) => {
                    path.push_str("/f");
                    true
                }
                op => matches!(op, Op::Dir(..)),
            });
            layer.sort_by_key(|op| !matches!(op, Op::Whiteout(_)));
        }
        layers
    })
}

fn name(op: &Op) -> &str {
    match op {
        Op::File(path, ..) | Op::Dir(path, ..) | Op::Symlink(path, _) | Op::HardLink(path, _) => path,
        Op::Whiteout(path) | Op::Opaque(path) => path,
    }
}

fn archive(ops: &[Op]) -> Vec<u8> {
    let mut tar = Tar::new();
    for op in ops {
        tar = match op {
            Op::File(path, byte, time) => {
                tar.entry(Head::new(path, b'0').mtime(*time), format!("{byte}").as_bytes())
            }
            Op::Dir(path, mode, time) => tar.head(Head::new(path, b'5').mode(*mode | 0o700).mtime(*time)),
            Op::Symlink(path, target) => tar.symlink(path, target),
            Op::HardLink(path, target) => tar.hard_link(path, target),
            Op::Whiteout(path) => match path.rsplit_once('/') {
                Some((dir, name)) => tar.file(format!("{dir}/.wh.{name}"), ""),
                None => tar.file(format!(".wh.{path}"), ""),
            },
            Op::Opaque(path) => tar.file(format!("{path}/.wh..wh..opq"), ""),
        };
    }
    tar.end()
}

/// Type and permissions, time of modification, content or target.
type Seen = BTreeMap<String, (u32, i64, String)>;

fn seen(path: &Path, meta: &fs::Metadata) -> (u32, i64, String) {
    let content = if meta.is_symlink() {
        fs::read_link(path).expect("link").to_string_lossy().into_owned()
    } else if meta.is_file() {
        fs::read_to_string(path).expect("file")
    } else {
        String::new()
    };
    (meta.mode(), meta.mtime(), content)
}

/// What an overlay of these directories, the topmost first, shows.
fn merge(dirs: &[PathBuf], prefix: &str, all: &mut Seen) {
    let mut names: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for dir in dirs {
        for entry in fs::read_dir(dir).expect("directory") {
            let entry = entry.expect("entry");
            names.entry(entry.file_name().to_string_lossy().into_owned()).or_default().push(entry.path());
        }
    }
    for (name, paths) in names {
        let mut below = Vec::new();
        for path in paths {
            let meta = path.symlink_metadata().expect("metadata");
            let whiteout = meta.file_type().is_char_device();
            if !meta.is_dir() {
                if below.is_empty() && !whiteout {
                    all.insert(format!("{prefix}{name}"), seen(&path, &meta));
                }
                break;
            }
            if below.is_empty() {
                all.insert(format!("{prefix}{name}"), seen(&path, &meta));
            }
            let opaque = xattrs(&path).keys().any(|name| name.ends_with(".overlay.opaque"));
            below.push(path);
            if opaque {
                break;
            }
        }
        if !below.is_empty() {
            merge(&below, &format!("{prefix}{name}/"), all);
        }
    }
}

/// Leaves out empty directories that no entry names: those are there only as something was to be deleted in them, and
/// whether they stay does not matter.
fn without_hollow(mut all: Seen) -> Seen {
    loop {
        let holds = |name: &String| all.keys().any(|other| other.starts_with(&format!("{name}/")));
        let hollow = all.iter().find(|(name, seen)| seen.0 == 0o040_755 && seen.1 == 0 && !holds(name));
        let Some(name) = hollow.map(|(name, _)| name.clone()) else { return all };
        all.remove(&name);
    }
}

fn plain(archives: &[Vec<u8>]) -> Result<Seen, Error> {
    let place = Place::new();
    for archive in archives {
        place.plain(archive)?;
    }
    let mut all = Seen::new();
    merge(&[place.root()], "", &mut all);
    Ok(all)
}

fn overlaid(archives: &[Vec<u8>]) -> Result<Seen, Error> {
    let place = Place::new();
    let mut dirs: Vec<PathBuf> = Vec::new();
    for (number, archive) in archives.iter().enumerate() {
        let dir = place.path(&number.to_string());
        let mut unpack = Unpack::new(overlay());
        for round in 0.. {
            assert!(round < 10, "it does not end");
            fs::create_dir(&dir).expect("directory");
            let root = File::open(&dir).expect("root");
            let descriptor = Descriptor::of(MediaType::OCI_LAYER, archive);
            let unpacked = unpack.layer(&archive[..], &descriptor, None, root.as_fd(), &|_| ())?;
            let lowers: Vec<File> = dirs.iter().map(|dir| File::open(dir).expect("layer")).collect();
            let lowers: Vec<BorrowedFd<'_>> = lowers.iter().map(AsFd::as_fd).collect();
            match unpacked.pending.settle(root.as_fd(), &lowers)? {
                Settled::Complete => break,
                Settled::Redirect(redirects) => unpack = unpack.redirect(redirects),
            }
            fs::remove_dir_all(&dir).expect("removed");
        }
        dirs.insert(0, dir);
    }
    place.check_outside();
    let mut all = Seen::new();
    merge(&dirs, "", &mut all);
    Ok(all)
}

/// How an archive of one layer reads, without links: the last entry of a name counts.
fn model(ops: &[Op]) -> Seen {
    let mut all = Seen::new();
    for op in ops {
        let (path, what) = match op {
            Op::File(path, byte, time) => (path, (0o100_644, time.cast_signed(), byte.to_string())),
            Op::Dir(path, mode, time) => {
                let mode = u32::try_from(*mode).expect("mode") | 0o040_700;
                (path, (mode, time.cast_signed(), String::new()))
            }
            _ => continue,
        };
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            all.entry(parent.into()).or_insert((0o040_755, 0, String::new()));
        }
        if what.0 & 0o040_000 == 0 {
            all.retain(|name, _| !name.starts_with(&format!("{path}/")));
        }
        all.insert(path.clone(), what);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_layer_is_what_its_last_entries_say(ops in layer()) {
        let ops: Vec<Op> = ops.into_iter().filter(|op| matches!(op, Op::File(..) | Op::Dir(..))).collect();
        if let Ok(all) = plain(&[archive(&ops)]) {
            prop_assert_eq!(all, model(&ops));
        }
    }

    #[test]
    fn layers_above_each_other_are_as_an_overlay_of_them(layers in stack()) {
        let archives: Vec<Vec<u8>> = layers.iter().map(|ops| archive(ops)).collect();
        if let (Ok(plain), Ok(overlaid)) = (plain(&archives), overlaid(&archives)) {
            prop_assert_eq!(without_hollow(plain), without_hollow(overlaid));
        }
    }

    #[test]
    fn any_bytes_are_unpacked_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..3000), at in 0..3_usize) {
        let place = Place::new();
        place.with(&Unpack::new(Form::Plain), &bytes).ok();
        // Behind headers that are good.
        let mut archive = Tar::new().pax(&[("mtime", b"1")]).file("x", "content").0;
        archive.truncate(at * BLOCK);
        archive.append(&mut bytes);
        place.with(&Unpack::new(Form::Plain), &archive).ok();
    }
}
