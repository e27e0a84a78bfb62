//! Archives of image layouts, read and written.

mod places;

use cofferdam_image_spec::{Descriptor, Destination, Error, OciArchive, OciArchiveWriter, Source};
use places::{Image, Tar, blob, content, gzip, names, only, put, read, told, written, zstd};
use tar_core::EntryType;
use tempfile::tempdir;

#[test]
fn what_is_in_an_archive_is_found_and_read() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    let plain = image.archive("name").end();
    let dots = image
        .files("name")
        .iter()
        .fold(Tar::default().directory("./"), |tar, (name, content)| tar.file(&format!("./{name}"), content));
    let endless = image.archive("name").0;
    let half = [&endless[..], &[0; 512]].concat();
    for (file, bytes) in [
        ("plain.tar", plain.clone()),
        ("a.tar.gz", gzip(&plain)),
        ("a.tar.zst", zstd(&plain)),
        ("dots.tar", dots.end()),
        ("endless.tar", endless),
        ("half.tar", half),
    ] {
        let archive = OciArchive::open(written(directory.path(), file, &bytes)).unwrap();
        let offer = only(&archive);
        assert_eq!(
            (offer.name.as_deref(), &offer.descriptor.digest),
            (Some("name"), &image.top.digest),
            "{file}"
        );
        for (digest, content) in &image.blobs {
            let descriptor = Descriptor::new("x", digest.clone(), content.len() as u64);
            assert_eq!(read(&archive, &descriptor).unwrap(), *content, "{file}");
        }
    }
}

#[test]
fn a_pipe_is_an_archive_too() {
    use std::io::Write as _;
    let directory = tempdir().unwrap();
    let path = directory.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let bytes = gzip(&Image::small().archive("name").end());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| std::fs::File::options().write(true).open(&path)?.write_all(&bytes));
        assert_eq!(only(&OciArchive::open(&path).unwrap()).name.as_deref(), Some("name"));
        writer.join().unwrap().unwrap();
    });
}

/// An archive with something more in it.
fn with(more: impl FnOnce(Tar) -> Tar) -> Vec<u8> {
    more(Image::small().archive("name")).end()
}

#[test]
fn archives_that_no_tool_writes_are_refused() {
    let directory = tempdir().unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("absolute", with(|tar| tar.file("/etc/passwd", b"x"))),
        ("outside", with(|tar| tar.file("blobs/../../x", b"x"))),
        ("twice", with(|tar| tar.file("index.json", b"{}"))),
        ("file for directory", with(|tar| tar.file("d", b"").directory("d"))),
        ("device", with(|tar| tar.entry(EntryType::Char, "null", ""))),
        ("fifo", with(|tar| tar.entry(EntryType::Fifo, "fifo", ""))),
        ("huge", with(|tar| tar.promise("huge", u64::MAX >> 2))),
        ("truncated", with(|tar| tar)[..530].to_vec()),
        ("cut in content", Image::small().archive("name").promise("more", 4096).0),
        ("not an archive", vec![b'x'; 4096]),
        ("empty", Vec::new()),
        ("no marker", Tar::default().file("index.json", b"{}").end()),
        ("other version", Tar::default().file("oci-layout", br#"{"imageLayoutVersion":"3"}"#).end()),
        ("marker link outside", Tar::default().symlink("oci-layout", "../../etc/passwd").end()),
        ("marker link absolute", Tar::default().symlink("oci-layout", "/etc/passwd").end()),
        ("cycle", Tar::default().symlink("oci-layout", "a").symlink("a", "oci-layout").end()),
        ("hard link cycle", Tar::default().link("oci-layout", "oci-layout").end()),
        ("hard link outside", Tar::default().link("oci-layout", "../x").end()),
        ("marker directory", Tar::default().directory("oci-layout").end()),
        ("long marker", Tar::default().file("oci-layout", &[b' '; 70_000]).end()),
    ];
    for (case, bytes) in cases {
        let path = written(directory.path(), "archive", &bytes);
        let (error, text) = told(OciArchive::open(&path));
        assert!(!text.is_empty() && !matches!(error, Error::File { action: "open", .. }), "{case}: {text}");
        if bytes.len() > 1024 {
            told(OciArchive::open(written(directory.path(), "archive", &gzip(&bytes))));
        }
    }
    assert_eq!(names(directory.path()), ["archive"]);
    told(OciArchive::open(directory.path()));
    told(OciArchive::open("/dev/null"));
    told(OciArchive::open(directory.path().join("missing")));
}

#[test]
fn a_list_that_is_too_long_or_missing_is_refused() {
    let directory = tempdir().unwrap();
    let marker = Tar::default().file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let path = written(directory.path(), "a", &marker.clone().file("index.json", &vec![b' '; 5 << 20]).end());
    assert!(matches!(told(OciArchive::open(path).unwrap().offers()).0, Error::Limit { .. }));
    let path = written(directory.path(), "a", &marker.end());
    assert!(matches!(told(OciArchive::open(path).unwrap().offers()).0, Error::Missing { .. }));
}

#[test]
fn blobs_that_are_not_there_or_shorter_are_errors() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    let name = blob(&image.top.digest);
    let without = image.files("a").into_iter().filter(|(file, _)| *file != name);
    let without = without.fold(Tar::default(), |tar, (name, content)| tar.file(&name, &content));
    let archive = OciArchive::open(written(directory.path(), "a", &without.clone().end())).unwrap();
    assert!(matches!(told(archive.open(&image.top).map(drop)).0, Error::Missing { .. }));
    let shorter = without.clone().file(&name, b"x").end();
    let archive = OciArchive::open(written(directory.path(), "a", &shorter)).unwrap();
    assert!(matches!(told(archive.open(&image.top).map(drop)).0, Error::SizeMismatch { .. }));
    let linked = without.file("elsewhere", &image.blobs[&image.top.digest]).link(&name, "elsewhere").end();
    let archive = OciArchive::open(written(directory.path(), "a", &linked)).unwrap();
    assert_eq!(read(&archive, &image.top).unwrap(), image.blobs[&image.top.digest]);
}

#[test]
fn what_was_put_is_read_again_and_the_same_each_time() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    let mut archives = Vec::new();
    for file in ["one.tar", "two.tar"] {
        let path = directory.path().join(file);
        let writer = OciArchiveWriter::create(&path).unwrap();
        put(&writer, &image, Some("name"));
        assert!(!path.exists(), "nothing is there before the end");
        writer.finish().unwrap();
        let archive = OciArchive::open(&path).unwrap();
        assert_eq!(only(&archive).name.as_deref(), Some("name"));
        assert_eq!(read(&archive, &image.top).unwrap(), image.blobs[&image.top.digest]);
        archives.push(std::fs::read(&path).unwrap());
    }
    assert_eq!(archives[0], archives[1]);
    assert_eq!(content(&archives[0]).len(), image.blobs.len() + 4);
    assert_eq!(names(directory.path()), ["one.tar", "two.tar"]);
}

#[test]
fn an_archive_that_is_not_finished_leaves_what_was_there() {
    let directory = tempdir().unwrap();
    let path = written(directory.path(), "a.tar", b"before");
    let image = Image::small();
    let writer = OciArchiveWriter::create(&path).unwrap();
    told(writer.finish());
    let wrong = told(writer.put(&image.top, &mut &b"wrong"[..])).0;
    assert!(matches!(wrong, Error::SizeMismatch { .. }));
    assert!(!writer.has(&image.top.digest).unwrap());
    writer.publish(None, &image.top).unwrap();
    drop(writer);
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(names(directory.path()), ["a.tar"]);
    told(OciArchiveWriter::create(directory.path().join("not/there.tar")));
    told(OciArchiveWriter::create("/"));
}
