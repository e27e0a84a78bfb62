//! The same tree gives the same bytes.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_image_spec::{CreateLayer, Digest, Error, LayerCompression, LayerIds, LayerTimes, MediaType};
use proptest::prelude::*;

use crate::skip;
use crate::support::{chmod, create, entries, link_to, mkdir, noise, write};

const ALL: [LayerCompression; 3] = [LayerCompression::None, LayerCompression::Gzip, LayerCompression::Zstd];

/// Some megabytes, made in this order of names.
fn sample(dir: &Path, backwards: bool) {
    let mut numbers = (0..40_usize).collect::<Vec<_>>();
    if backwards {
        numbers.reverse();
    }
    mkdir(dir.join("d"));
    for number in numbers {
        let path = dir.join(format!("d/{number}"));
        write(&path, noise(number * 5_003, number as u64));
        chmod(&path, 0o640);
        link_to(format!("d/{number}"), dir.join(format!("l{number}")));
    }
    chmod(dir.join("d"), 0o751);
    std::fs::hard_link(dir.join("d/7"), dir.join("e")).expect("link");
}

fn options(compression: LayerCompression, threads: usize) -> CreateLayer {
    let threads = NonZeroUsize::new(threads).expect("some");
    let layer = CreateLayer::tree().compression(compression).threads(threads);
    layer.times(LayerTimes::Fixed(1_000_000_000)).ids(LayerIds::Squash)
}

fn unpacked(blob: &[u8], compression: LayerCompression) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        LayerCompression::Gzip | LayerCompression::GzipLevel(_) => {
            flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut plain).expect("gzip");
        }
        LayerCompression::Zstd | LayerCompression::ZstdLevel(_) => {
            let mut rest = blob;
            while !rest.is_empty() {
                let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).expect("zstd");
                frame.read_to_end(&mut plain).expect("zstd");
                let (read, said) =
                    (frame.decoder.get_calculated_checksum(), frame.decoder.get_checksum_from_data());
                assert!(said.is_some() && read == said, "each frame has a right checksum");
            }
        }
        _ => plain.extend_from_slice(blob),
    }
    plain
}

#[test]
fn order_and_threads_do_not_change_a_byte() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample(one.path(), false);
    sample(two.path(), true);
    let (archive, plain) = create(&options(LayerCompression::None, 1), one.path()).unwrap();
    assert_eq!(entries(&archive).len(), 82);
    for compression in ALL {
        let (first, created) = create(&options(compression, 1), one.path()).unwrap();
        assert_eq!(created.diff_id, plain.diff_id);
        assert_eq!(created.bytes, archive.len() as u64);
        assert!(unpacked(&first, compression) == archive, "{compression:?} gives the archive back");
        for (threads, dir) in [(2, &two), (16, &one)] {
            let (again, other) = create(&options(compression, threads), dir.path()).unwrap();
            assert!(again == first, "{compression:?} by {threads} threads");
            assert_eq!(other, created);
        }
    }
}

#[test]
fn levels_and_media_types_are_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), false);
    let size = |compression| create(&options(compression, 2), dir.path()).unwrap().0.len();
    assert!(size(LayerCompression::GzipLevel(1)) > size(LayerCompression::GzipLevel(9)));
    assert_eq!(size(LayerCompression::Gzip), size(LayerCompression::GzipLevel(6)));
    for wrong in
        [LayerCompression::GzipLevel(0), LayerCompression::GzipLevel(10), LayerCompression::ZstdLevel(0)]
    {
        let error = create(&options(wrong, 2), dir.path()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
    let third = create(&options(LayerCompression::ZstdLevel(3), 2), dir.path());
    assert_eq!(third.is_ok(), cfg!(feature = "zstd-c"));
    let types = ALL.map(|compression| {
        create(&options(compression, 1), dir.path()).unwrap().1.descriptor.media_type.to_string()
    });
    assert_eq!(types, [MediaType::OCI_LAYER, MediaType::OCI_LAYER_GZIP, MediaType::OCI_LAYER_ZSTD]);
}

#[test]
fn an_empty_tree_is_an_archive_without_entries() {
    let dir = tempfile::tempdir().unwrap();
    for compression in ALL {
        let (blob, created) = create(&options(compression, 2), dir.path()).unwrap();
        assert_eq!(unpacked(&blob, compression), [0; 1024]);
        assert_eq!((created.entries, created.diff_id), (0, Digest::sha256(&[0; 1024])));
    }
}

#[test]
fn the_tools_of_the_host_take_what_is_compressed() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), false);
    for (tool, compression) in [("gzip", LayerCompression::Gzip), ("zstd", LayerCompression::Zstd)] {
        let (blob, created) = create(&options(compression, 2), dir.path()).unwrap();
        let child =
            Command::new(tool).args(["-d", "-c", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => skip!("{tool} is needed: {error}"),
        };
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&blob));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "{tool}");
        assert_eq!(Digest::sha256(&output.stdout), created.diff_id, "{tool}");
    }
}

/// Takes some bytes and fails.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_place_that_is_full_is_the_error_at_any_length() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), false);
    let dir = std::fs::File::open(dir.path()).unwrap();
    for compression in ALL {
        for most in [0, 1, 100_000, 1_500_000] {
            let error =
                options(compression, 2).create(std::os::fd::AsFd::as_fd(&dir), Full(most)).unwrap_err();
            let Error::Stream { source, .. } = error else { panic!("{error}") };
            assert_eq!(source.kind(), io::ErrorKind::StorageFull, "{compression:?} {most}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_a_file_has_comes_back(
        pieces in prop::collection::vec((any::<u8>(), 0_usize..400_000, any::<bool>()), 0..12),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let content = pieces.iter().flat_map(|&(byte, length, flat)| {
            if flat { vec![byte; length] } else { noise(length, u64::from(byte)) }
        });
        let content = content.collect::<Vec<_>>();
        write(dir.path().join("f"), &content);
        for compression in ALL {
            let (blob, _) = create(&options(compression, 2), dir.path()).expect("a layer");
            let found = entries(&unpacked(&blob, compression));
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].content == content, "{:?}", compression);
        }
    }
}
