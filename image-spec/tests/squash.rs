//! The files of an image as one archive.

mod places;

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cofferdam_image_spec::{
    CopyOptions, Destination, Digest, Error, Form, Layer, Limits, MemorySource, Source, TarballWriter,
    Unpack, copy, resolve_image,
};
use places::{Image, Tar, content, gzip, list, names, only, read, told};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tar_core::EntryType;
use tempfile::tempdir;

fn source(image: &Image) -> MemorySource {
    let mut source = MemorySource::new();
    for (digest, content) in &image.blobs {
        source.insert(digest.clone(), content.clone());
    }
    source.offer(None, image.top.clone());
    source
}

fn squashed(layers: &[Tar]) -> cofferdam_image_spec::Result<Vec<u8>> {
    let layers: Vec<_> = layers.iter().cloned().map(Tar::end).collect();
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("root.tar");
    let writer = TarballWriter::create(&path)?;
    copy(&source(&Image::new(&layers)), None, &writer, Some("ignored"), &CopyOptions::new())?;
    writer.finish()?;
    Ok(std::fs::read(path).expect("the archive"))
}

#[test]
fn layers_are_put_together() {
    let lower = Tar::default()
        .directory("./")
        .directory("usr/")
        .directory("usr/lib/")
        .symlink("lib", "usr/lib")
        .file("lib/a", b"old a")
        .file("hidden", b"shared")
        .link("also", "hidden")
        .directory("gone/")
        .file("gone/x", b"x")
        .file("swap", b"file");
    let upper = Tar::default()
        .file("lib/a", b"new a")
        .file(".wh.hidden", b"")
        .file("gone/.wh..wh..opq", b"")
        .file("gone/y", b"y")
        .directory("swap/")
        .file("swap/in", b"in")
        .link("third", "also")
        .entry(EntryType::Fifo, "pipe", "");
    let archive = squashed(&[lower.clone(), upper.clone()]).unwrap();
    let all: Vec<_> = list(&archive);
    let expected: Vec<(&str, &[u8])> = vec![
        ("./", b""),
        ("usr/", b""),
        ("usr/lib/", b""),
        ("lib", b"usr/lib"),
        ("also", b"shared"),
        ("third", b"also"),
        ("gone/", b""),
        ("usr/lib/a", b"new a"),
        ("gone/y", b"y"),
        ("swap/", b""),
        ("swap/in", b"in"),
        ("pipe", b""),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    assert_eq!(all, expected);
    assert_eq!(archive, squashed(&[lower, upper]).unwrap(), "the same each time");
}

#[test]
fn the_name_says_the_compression() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    let mut plain = Vec::new();
    for name in ["a.tar", "a.tar.gz", "a.tzst"] {
        let path = directory.path().join(name);
        let writer = TarballWriter::create(&path).unwrap();
        copy(&source(&image), None, &writer, None, &CopyOptions::new()).unwrap();
        writer.finish().unwrap();
        let tarball = cofferdam_image_spec::Tarball::open(&path).unwrap();
        let made =
            resolve_image(&tarball, &only(&tarball).descriptor, &cofferdam_image_spec::Platform::host())
                .unwrap();
        assert!(!read(&tarball, &made.layers[0].descriptor).unwrap().is_empty());
        plain.push(made.layers[0].diff_id.clone());
    }
    assert!(plain.iter().all(|diff_id| *diff_id == plain[0]));
    let found = content(&std::fs::read(directory.path().join("a.tar")).unwrap());
    assert_eq!(found["bin/hello"], b"hello\n");
    assert_eq!(found["hello"], b"bin/hello");
    assert_eq!(names(directory.path()), ["a.tar", "a.tar.gz", "a.tzst"]);
}

#[test]
fn what_cannot_be_put_together_leaves_nothing() {
    let device = |tar: Tar| tar.entry(EntryType::Char, "deleted", "");
    for bad in [
        Tar::default().file("../x", b""),
        Tar::default().file("a/../../x", b""),
        Tar::default().link("a", "missing"),
        Tar::default().link("a", "../../etc/passwd"),
        Tar::default().directory("d").link("a", "d"),
        Tar::default().symlink("a", "b").symlink("b", "a").file("a/x", b""),
        Tar::default().file(".wh.", b""),
        Tar::default().file(".", b""),
        device(Tar::default()),
        Tar::default().promise("huge", 1 << 60),
    ] {
        let (error, text) = told(squashed(&[Tar::default().file("lower", b""), bad]));
        assert!(matches!(error, Error::Layer { .. }), "{text}");
    }
}

#[test]
fn limits_hold() {
    let directory = tempdir().unwrap();
    let image = Image::new(&[Tar::default().file("a", &[0; 5000]).file("b", b"").end()]);
    for limits in [Limits { entries: 1, ..Limits::default() }, Limits { bytes: 4096, ..Limits::default() }] {
        let writer = TarballWriter::create(directory.path().join("a.tar")).unwrap().limits(limits);
        copy(&source(&image), None, &writer, None, &CopyOptions::new()).unwrap();
        assert!(told(writer.finish()).1.contains("limit"));
    }
    let writer = TarballWriter::create(directory.path().join("a.tar")).unwrap();
    told(writer.finish());
    copy(&source(&image), None, &writer, None, &CopyOptions::new()).unwrap();
    told(copy(&source(&Image::small()), None, &writer, None, &CopyOptions::new()));
    let index = Image::index(&[("amd64", Image::small())]);
    let writer = TarballWriter::create(directory.path().join("a.tar")).unwrap();
    told(copy(&source(&index), None, &writer, None, &CopyOptions::new()));
    assert_eq!(names(directory.path()), [""; 0]);
}

/// What a layer does, by a few names that meet often.
#[derive(Clone, Debug)]
enum Step {
    Directory(String),
    File(String, u8),
    Symlink(String, String),
    Link(String, String),
    Whiteout(String),
    Opaque(String),
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => path().prop_map(Step::Directory),
        4 => (path(), any::<u8>()).prop_map(|(path, content)| Step::File(path, content)),
        1 => (path(), "(/|\\.\\./)?[abc](/[abc])?").prop_map(|(path, target)| Step::Symlink(path, target)),
        1 => (path(), path()).prop_map(|(path, target)| Step::Link(path, target)),
        2 => path().prop_map(Step::Whiteout),
        1 => path().prop_map(Step::Opaque),
    ]
}

fn layer(steps: &[Step]) -> Tar {
    steps.iter().fold(Tar::default(), |tar, step| match step {
        Step::Directory(path) => tar.directory(&format!("{path}/")),
        Step::File(path, content) => tar.file(path, &[*content]),
        Step::Symlink(path, target) => tar.symlink(path, target),
        Step::Link(path, target) => tar.link(path, target),
        Step::Whiteout(path) => {
            let (directory, name) = path.rsplit_once('/').map_or(("", &**path), |(head, tail)| (head, tail));
            tar.file(&format!("{directory}/.wh.{name}"), b"")
        }
        Step::Opaque(path) => tar.file(&format!("{path}/.wh..wh..opq"), b""),
    })
}

/// Unpacks layers on top of each other.
fn unpacked(layers: &[Vec<u8>], root: &Path) -> cofferdam_image_spec::Result<()> {
    let root = std::fs::File::open(root).expect("a directory");
    for layer in layers {
        let blob = gzip(layer);
        let media_type = cofferdam_image_spec::MediaType::OCI_LAYER_GZIP;
        let descriptor = cofferdam_image_spec::Descriptor::of(media_type, &blob);
        let diff_id = Digest::sha256(layer);
        Unpack::new(Form::Plain).layer(&blob[..], &descriptor, Some(&diff_id), root.as_fd(), &|_| {})?;
    }
    Ok(())
}

/// All that is in a tree, with what shares an inode.
fn tree(root: &Path) -> Vec<(String, String)> {
    let all = names(root);
    let metadata = |name: &String| std::fs::symlink_metadata(root.join(name)).expect("metadata");
    let describe = |name: &String| {
        let here = metadata(name);
        let path = root.join(name);
        if here.is_dir() {
            "directory".to_owned()
        } else {
            let same = all.iter().find(|other| metadata(other).ino() == here.ino());
            let what = match std::fs::read_link(&path) {
                Ok(target) => format!("-> {}", target.display()),
                Err(_) => format!("{:?}", std::fs::read(&path).expect("content")),
            };
            format!("{what} with {}", same.expect("itself"))
        }
    };
    all.iter().map(|name| (name.clone(), describe(name))).collect()
}

/// The tree without directories that have no file in them.
fn without_empty(tree: Vec<(String, String)>) -> Vec<(String, String)> {
    let files: Vec<_> =
        tree.iter().filter(|(_, what)| what != "directory").map(|(name, _)| name.clone()).collect();
    let is_needed =
        |name: &str| files.iter().any(|file| file == name || file.starts_with(&format!("{name}/")));
    tree.into_iter().filter(|(name, _)| is_needed(name)).collect()
}

fn is_the_same(layers: &[Vec<Step>]) -> TestCaseResult {
    let deletes = |step: &&Step| matches!(step, Step::Whiteout(_) | Step::Opaque(_));
    let deletes_twice = layers.iter().any(|steps| steps.iter().filter(deletes).count() > 1);
    let layers: Vec<_> = layers.iter().map(|steps| layer(steps)).collect();
    let plain: Vec<_> = layers.iter().cloned().map(Tar::end).collect();
    let [apart, together] = [tempdir().expect("a directory"), tempdir().expect("a directory")];
    if unpacked(&plain, apart.path()).is_err() {
        return Ok(());
    }
    let archive = squashed(&layers).map_err(|error| TestCaseError::fail(error.to_string()))?;
    unpacked(&[archive], together.path()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let trees = [tree(apart.path()), tree(together.path())];
    // Of a layer that deletes a directory and something in it nobody can say whether the directory is left, empty.
    let [left, right] = if deletes_twice { trees.map(without_empty) } else { trees };
    prop_assert_eq!(left, right);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_archive_unpacks_to_what_the_layers_do(
        layers in proptest::collection::vec(proptest::collection::vec(step(), 0..8), 1..4)
    ) {
        is_the_same(&layers)?;
    }
}

/// Keeps the types that the helpers name in use.
#[test]
fn a_layer_is_named_in_errors() {
    let image = Image::small();
    let resolved =
        resolve_image(&source(&image), &image.top, &cofferdam_image_spec::Platform::new("linux", "amd64"));
    let layers: Vec<Layer> = resolved.unwrap().layers;
    let (_, text) = told(squashed(&[Tar::default().link("a", "b")]));
    assert!(
        text.starts_with("layer sha256:") && !text.contains(&layers[0].descriptor.digest.to_string()),
        "{text}"
    );
    assert!(source(&image).open(&layers[0].descriptor).is_ok());
}
