//! Image layout directories, read and written.

mod places;

use std::os::unix::fs::symlink;

use cofferdam_image_spec::{Descriptor, Destination, Digest, Error, Layout, MediaType, Source};
use places::{Image, blob, names, only, put, read, told};
use tempfile::tempdir;

#[test]
fn what_is_in_a_layout_is_found_and_read() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    image.layout(directory.path(), "some/name:tag");
    let layout = Layout::open(directory.path()).unwrap();
    let offer = only(&layout);
    assert_eq!(offer.name.as_deref(), Some("some/name:tag"));
    assert_eq!(offer.descriptor.digest, image.top.digest);
    assert_eq!(read(&layout, &offer.descriptor).unwrap(), image.blobs[&image.top.digest]);
}

#[test]
fn a_directory_that_is_no_layout_is_refused() {
    let directory = tempdir().unwrap();
    assert!(matches!(
        told(Layout::open(directory.path().join("none"))).0,
        Error::File { action: "open", .. }
    ));
    assert!(matches!(told(Layout::open(directory.path())).0, Error::Missing { .. }));
    Image::small().layout(directory.path(), "a");
    let marker = directory.path().join("oci-layout");
    for bad in ["", "{}", r#"{"imageLayoutVersion":"2.0.0"}"#] {
        std::fs::write(&marker, bad).unwrap();
        told(Layout::open(directory.path()));
        told(Layout::create(directory.path()));
    }
    std::fs::remove_file(&marker).unwrap();
    symlink("index.json", &marker).unwrap();
    told(Layout::open(directory.path()));
}

#[test]
fn a_list_that_is_too_long_is_not_read() {
    let directory = tempdir().unwrap();
    Image::small().layout(directory.path(), "a");
    let file = std::fs::File::options().append(true).open(directory.path().join("index.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    let layout = Layout::open(directory.path()).unwrap();
    assert!(matches!(told(layout.offers()).0, Error::Limit { .. }));
    std::fs::remove_file(directory.path().join("index.json")).unwrap();
    assert!(matches!(told(layout.offers()).0, Error::Missing { .. }));
}

#[test]
fn only_regular_files_are_blobs() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    image.layout(directory.path(), "a");
    let layout = Layout::open(directory.path()).unwrap();
    let path = directory.path().join(blob(&image.top.digest));
    let outside = directory.path().join("outside");
    std::fs::rename(&path, &outside).unwrap();
    assert!(matches!(told(layout.open(&image.top).map(drop)).0, Error::Missing { what: "blob", .. }));
    symlink(&outside, &path).unwrap();
    told(layout.open(&image.top).map(drop));
    told(layout.has(&image.top.digest));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    told(layout.open(&image.top).map(drop));
    std::fs::remove_dir(&path).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(told(layout.open(&image.top).map(drop)).1.contains("not a regular file"));
}

#[test]
fn a_directory_of_blobs_that_is_a_link_is_refused() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    image.layout(directory.path(), "a");
    let layout = Layout::open(directory.path()).unwrap();
    let outside = tempdir().unwrap();
    let blobs = directory.path().join("blobs/sha256");
    std::fs::rename(&blobs, outside.path().join("blobs")).unwrap();
    symlink(outside.path().join("blobs"), &blobs).unwrap();
    told(layout.open(&image.top).map(drop));
    let content = b"new";
    told(layout.put(&Descriptor::of("x", content), &mut &content[..]));
    assert_eq!(names(outside.path()).len(), image.blobs.len() + 1);
}

#[test]
fn a_blob_of_another_size_is_not_read() {
    let directory = tempdir().unwrap();
    let image = Image::small();
    image.layout(directory.path(), "a");
    let layout = Layout::open(directory.path()).unwrap();
    std::fs::write(directory.path().join(blob(&image.top.digest)), b"short").unwrap();
    assert!(matches!(told(layout.open(&image.top).map(drop)).0, Error::SizeMismatch { found: 5, .. }));
}

#[test]
fn what_was_put_is_read_again() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("new");
    let image = Image::small();
    let layout = Layout::create(&path).unwrap();
    assert!(!layout.has(&image.top.digest).unwrap());
    assert_eq!(layout.offers().unwrap(), []);
    put(&layout, &image, Some("a"));
    assert!(layout.has(&image.top.digest).unwrap());
    put(&Layout::create(&path).unwrap(), &image, Some("b"));
    let again = Layout::open(&path).unwrap();
    let found: Vec<_> = again.offers().unwrap().into_iter().map(|offer| offer.name).collect();
    assert_eq!(found, [Some("a".to_owned()), Some("b".to_owned())]);
    for (digest, content) in &image.blobs {
        let descriptor = Descriptor::new("x", digest.clone(), content.len() as u64);
        assert_eq!(read(&again, &descriptor).unwrap(), *content);
    }
}

#[test]
fn what_is_not_what_it_should_be_leaves_nothing() {
    let directory = tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    let before = names(directory.path());
    let descriptor = Descriptor::of("x", b"content");
    let wrong = told(layout.put(&descriptor, &mut &b"Content"[..])).0;
    assert!(matches!(wrong, Error::DigestMismatch { .. }), "{wrong}");
    let endless = told(layout.put(&descriptor, &mut std::io::repeat(b'x'))).0;
    assert!(matches!(endless, Error::SizeMismatch { found: 8, .. }), "{endless}");
    told(layout.put(&descriptor, &mut &b"c"[..]));
    assert_eq!(names(directory.path()), before);
}

#[test]
fn a_directory_with_other_files_is_not_made_a_layout() {
    let directory = tempdir().unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "").unwrap();
    told(Layout::create(directory.path()));
    assert_eq!(names(directory.path()), ["thesis.txt"]);
    told(Layout::create(directory.path().join("thesis.txt")));
    told(Layout::create(directory.path().join("not/there")));
    assert_eq!(names(directory.path()), ["thesis.txt"]);
}

#[test]
fn other_digests_have_their_own_directory() {
    let directory = tempdir().unwrap();
    let layout = Layout::create(directory.path()).unwrap();
    let digest = Digest::of(cofferdam_image_spec::Algorithm::Sha512, b"content");
    let descriptor = Descriptor::new("x", digest, 7);
    layout.put(&descriptor, &mut &b"content"[..]).unwrap();
    assert_eq!(read(&layout, &descriptor).unwrap(), b"content");
}

#[test]
fn many_writers_lose_no_image() {
    let directory = tempdir().unwrap();
    let shared = Layout::create(directory.path()).unwrap();
    let content = b"manifest";
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, content);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (shared, descriptor, path) = (&shared, &descriptor, directory.path());
            scope.spawn(move || {
                let own = Layout::create(path).expect("a layout");
                for round in 0..10 {
                    let layout = if round % 2 == 0 { shared } else { &own };
                    layout.put(descriptor, &mut &content[..]).expect("put");
                    layout.publish(Some(&format!("{writer}-{round}")), descriptor).expect("publish");
                }
            });
        }
    });
    assert_eq!(shared.offers().unwrap().len(), 40);
    assert!(names(directory.path()).iter().all(|name| !name.contains("tmp")));
}
