//! What is unpacked from a layer gives the same layer again, and is what the layer was made of.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cofferdam_image_spec::{
    CreateLayer, Devices, Form, LayerCompression, Limits, OverlayXattrs, Skipped, Unpack, Unpacked,
};
use proptest::prelude::*;
use proptest::sample::select;
use rustix::fs::FileType;

use crate::gnu_tar::{inventory, sample};
use crate::support::{chmod, create, mkdir, mknod, noise, odd, set_time, set_xattr, write};

/// Unpacks the layer of a directory into an empty one; tells the layer too.
fn round(layer: &CreateLayer, from: &Path, form: Form, to: &Path) -> (Vec<u8>, Unpacked) {
    let (blob, created) = create(layer, from).expect("a layer");
    let mut unpack = Unpack::new(form).limits(Limits { path_bytes: 1 << 16, ..Limits::default() });
    if rustix::process::geteuid().is_root() {
        unpack = unpack.devices(Devices::Make);
    }
    let root = File::open(to).expect("open");
    let unpacked =
        unpack.layer(&blob[..], &created.descriptor, Some(&created.diff_id), root.as_fd(), &|_| {});
    let unpacked = unpacked.expect("unpacks");
    assert_eq!(unpacked.skipped, Skipped::default());
    assert_eq!((unpacked.entries, &unpacked.diff_id), (created.entries, &created.diff_id));
    (blob, unpacked)
}

#[test]
fn a_tree_comes_back_as_it_was() {
    for compression in [LayerCompression::None, LayerCompression::Gzip, LayerCompression::Zstd] {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        sample(from.path());
        chmod(from.path(), 0o751);
        set_time(from.path(), 5, 6);
        let layer = CreateLayer::tree().compression(compression).root(true);
        let (blob, _) = round(&layer, from.path(), Form::Plain, to.path());
        assert_eq!(inventory(to.path()), inventory(from.path()));
        assert!(create(&layer, to.path()).unwrap().0 == blob, "{compression:?}");
    }
}

/// Something to make in a tree.
#[derive(Clone, Debug)]
struct Thing {
    path: PathBuf,
    kind: Kind,
    mode: u32,
    time: (i64, i64),
    xattr: Option<(String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum Kind {
    File(usize),
    Directory,
    Link(String),
    Same(usize),
    Fifo,
    Deleted,
    Opaque,
}

fn things(upper: bool) -> impl Strategy<Value = Vec<Thing>> {
    let long = "n".repeat(130);
    let name = select(vec![&b"a"[..], b"b", b"c.d", b"\xff", b"=", b"\n", b" "]).prop_map(<[u8]>::to_vec);
    let name = prop_oneof![8 => name, 1 => Just(long.into_bytes())];
    let path = prop::collection::vec(name, 1..5).prop_map(|parts| odd(&parts.join(&b'/')).to_owned());
    let deletion = || prop_oneof![Just(Kind::Deleted), Just(Kind::Opaque)];
    let plain = prop_oneof![
        (0_usize..3000).prop_map(Kind::File),
        Just(Kind::Directory),
        "[a-z/.]{1,150}".prop_map(Kind::Link),
        any::<usize>().prop_map(Kind::Same),
        Just(Kind::Fifo),
    ];
    let kind = if upper { prop_oneof![3 => plain, 1 => deletion()].boxed() } else { plain.boxed() };
    let xattr = prop::option::weighted(0.2, ("user\\.[a-z]{1,9}", prop::collection::vec(any::<u8>(), 0..40)));
    // The owner can read and write, or the test could not either.
    let mode = (0_u32..0o10000).prop_map(|mode| mode | 0o700);
    let time = (-2_000_000_000_i64..4_000_000_000, prop_oneof![Just(0), 0_i64..1_000_000_000]);
    let thing = (path, kind, mode, time, xattr);
    let thing = thing.prop_map(|(path, kind, mode, time, xattr)| Thing { path, kind, mode, time, xattr });
    prop::collection::vec(thing, 0..25)
}

/// Makes what can be made: a path may lead through something that is no directory.
fn make(top: &Path, things: &[Thing]) {
    let mut made = Vec::<&Thing>::new();
    for thing in things {
        let at = top.join(&thing.path);
        let free = at.symlink_metadata().is_err();
        let real = at.parent().expect("a directory").ancestors().all(|dir| !dir.is_symlink());
        if !real || !free || std::fs::create_dir_all(at.parent().expect("a directory")).is_err() {
            continue;
        }
        let files =
            || made.iter().filter(|other| matches!(other.kind, Kind::File(_) | Kind::Link(_) | Kind::Fifo));
        match &thing.kind {
            Kind::File(length) => write(&at, noise(*length, 1)),
            Kind::Directory | Kind::Opaque => mkdir(&at),
            Kind::Link(target) => std::os::unix::fs::symlink(target, &at).expect("symlink"),
            Kind::Fifo => mknod(&at, FileType::Fifo, (0, 0)),
            Kind::Deleted => mknod(&at, FileType::CharacterDevice, (0, 0)),
            Kind::Same(number) => match files().nth(number % files().count().max(1)) {
                Some(other) => std::fs::hard_link(top.join(&other.path), &at).expect("link"),
                None => continue,
            },
        }
        made.push(thing);
    }
    // What is in a directory changes its time.
    for thing in made.iter().rev() {
        let at = top.join(&thing.path);
        if matches!(thing.kind, Kind::Opaque) {
            assert!(set_xattr(&at, "user.overlay.opaque", b"y"), "attributes were there before");
        }
        if matches!(thing.kind, Kind::File(_) | Kind::Directory) {
            if let Some((name, value)) = &thing.xattr {
                set_xattr(&at, name, value);
            }
            chmod(&at, thing.mode);
        }
        set_time(&at, thing.time.0, thing.time.1);
    }
}

fn has_xattrs() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    set_xattr(dir.path(), "user.overlay.opaque", b"y")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_comes_back(things in things(false)) {
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        make(dirs[0].path(), &things);
        let layer = CreateLayer::tree().compression(LayerCompression::None);
        let (blob, _) = round(&layer, dirs[0].path(), Form::Plain, dirs[1].path());
        prop_assert_eq!(inventory(dirs[1].path()), inventory(dirs[0].path()));
        prop_assert!(create(&layer, dirs[1].path()).expect("a layer").0 == blob);
    }

    #[test]
    fn any_upper_directory_comes_back(things in things(true)) {
        if !has_xattrs() {
            eprintln!("skipped: the file system of temporary files has no attributes");
            return Ok(());
        }
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        make(dirs[0].path(), &things);
        let layer = CreateLayer::upper().compression(LayerCompression::None);
        let (blob, _) = round(&layer, dirs[0].path(), Form::Overlay(OverlayXattrs::User), dirs[1].path());
        let again = create(&layer, dirs[1].path()).expect("a layer").0;
        prop_assert_eq!(crate::support::entries(&again), crate::support::entries(&blob));
    }
}
