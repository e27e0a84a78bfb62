//! Archives that break their format, or that tools read differently.

mod layers;

use std::os::unix::fs::MetadataExt;

use cofferdam_image_spec::{Form, Limits, Unpack};
use layers::*;

fn refuses(archive: &[u8], reason: &str) {
    Place::new().refuses(archive, reason);
}

#[test]
fn wrong_checksums_are_errors() {
    let place = Place::new();
    let mut archive = Tar::new().file("a", "x").end();
    archive[0] = b'b';
    place.refuses(&archive, "checksum");
    // Some old tools add up signed bytes.
    let mut head = Head::new(b"\xff", b'0').0;
    head[148..156].copy_from_slice(b"        ");
    let sum: i64 = head.iter().map(|byte| i64::from(byte.cast_signed())).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    place.refuses(&Tar(head.to_vec()).end(), "checksum");
}

#[test]
fn archives_that_break_off_are_errors_but_may_lack_an_end() {
    let whole = Tar::new().file("a", "x".repeat(1000)).pax(&[("mtime", b"5")]).file("b", "y").0;
    let good = [0, 3 * BLOCK, whole.len()];
    let near_blocks = |length: &usize| matches!(length % BLOCK, 0 | 1 | 100 | 511);
    for length in (0..whole.len()).filter(near_blocks) {
        let place = Place::new();
        let cut = &whole[..length];
        if good.contains(&length) {
            assert!(!place.plain(cut).unwrap().end_marker);
        } else {
            let error = message(&place.plain(cut).unwrap_err());
            assert!(error.contains("unexpected EOF"), "{length}: {error}");
            assert_eq!(place.names(), [""; 0]);
        }
    }
    let place = Place::new();
    let one_block = [&whole[..], &[0; BLOCK]].concat();
    assert!(!place.plain(&one_block).unwrap().end_marker);
    assert!(place.plain(&[0; 2 * BLOCK]).unwrap().end_marker);
    refuses(&[&[0; BLOCK][..], &whole].concat(), "single block of zeros");
    refuses(&Tar::new().pax(&[("mtime", b"5")]).end(), "without a following");
    let between = Tar::new().pax(&[("mtime", b"5")]).padded(&[0; BLOCK]).file("x", "");
    refuses(&between.end(), "single block of zeros");
}

#[test]
fn what_follows_the_archive_counts_for_its_digest_alone() {
    let place = Place::new();
    let mut archive = Tar::new().file("a", "x").end();
    archive.extend(Tar::new().file("hidden", "").0);
    archive.extend(b"garbage");
    let unpacked = place.plain(&archive).unwrap();
    assert_eq!(unpacked.diff_id, cofferdam_image_spec::Digest::sha256(&archive));
    assert_eq!(place.names(), ["a"]);
}

#[test]
fn numbers_that_do_not_fit_are_errors() {
    let place = Place::new();
    let field = |at: usize, bytes: &[u8]| {
        let mut head = Head::new("x", b'0');
        head.put(at, bytes);
        Tar::new().head(head).end()
    };
    place.refuses(&field(124, &[0xff; 12]), "");
    place.refuses(&field(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfc\x00"), "");
    place.refuses(&field(124, b"\x80\0\0\x01\0\0\0\0\0\0\0\0"), "too large number");
    place.refuses(&field(124, b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), "bytes of a file");
    place.refuses(&field(124, b"77777777777\0"), "EOF");
    place.refuses(&field(124, b"999\0"), "octal");
    place.refuses(&field(124, b"-1\0"), "octal");
    place.refuses(&field(108, b"\xff\xff\xff\xff\xff\xff\xff\xff"), "number");
    for id in [u64::from(u32::MAX), 1 << 32, 1 << 55] {
        let bytes = [&[0x80][..], &id.to_be_bytes()[1..]].concat();
        place.refuses(&field(108, &bytes), "user id");
        place.refuses(&field(116, &bytes), "group id");
        let text = id.to_string();
        place.refuses(&Tar::new().pax(&[("uid", text.as_bytes())]).file("x", "").end(), "user id");
    }
    for bad in [&b""[..], b"-1", b"+1", b"1.5", b"0x1", b" 1", b"18446744073709551616"] {
        for key in ["size", "uid", "gid"] {
            place.refuses(&Tar::new().pax(&[(key, bad)]).file("x", "").end(), &format!("wrong `{key}`"));
        }
    }
}

#[test]
fn ids_up_to_the_last_are_taken() {
    require_root!();
    let place = Place::new();
    for id in [1 << 31, (1_u32 << 31) - 1, u32::MAX - 1] {
        let text = id.to_string();
        place.plain(&Tar::new().pax(&[("uid", text.as_bytes())]).file("x", "").end()).unwrap();
        assert_eq!(place.path("x").metadata().unwrap().uid(), id);
    }
}

#[test]
fn a_size_in_a_record_counts_so_nothing_hides_in_content() {
    let hidden = Tar::new().file("hidden", "h").0;
    let place = Place::new();
    let size = hidden.len().to_string();
    let tar = Tar::new().pax(&[("size", size.as_bytes())]).head(Head::new("x", b'0').size(0)).padded(&hidden);
    place.plain(&tar.clone().end()).unwrap();
    assert_eq!(place.names(), ["x"]);
    assert_eq!(place.path("x").metadata().unwrap().len(), hidden.len() as u64);
    // What has no content must not have a size: some skip it, some do not.
    for kind in [b'1', b'2', b'3', b'4', b'5', b'6'] {
        let tar = Tar::new().head(Head::new("x", kind).link("y").size(hidden.len() as u64)).padded(&hidden);
        refuses(&tar.end(), "has a size");
    }
}

#[test]
fn malformed_records_are_errors() {
    let place = Place::new();
    let with = |bytes: &[u8]| Tar::new().entry(Head::new("pax", b'x'), bytes).file("x", "").end();
    for bad in [
        &b"99 path=y\n"[..],
        b"8 path=y\n",
        b"10 path=y\n\n",
        b"10 path-y\n",
        b"path=y\n",
        b"x path=y\n",
        b"10 path=yx",
        b"4 =\n",
        b"10 path=y\n\0\0\0",
        b"0 path=y\n",
    ] {
        place.refuses(&with(bad), "");
    }
    place.refuses(&with(b"+11 path=y\n"), "malformed record");
    place.refuses(&with(b"garbage without a length"), "malformed record");
    place.plain(&with(&record("comment", b"two\nlines=3"))).unwrap();
    // The same extension twice, and one without an entry.
    let twice = Tar::new().pax(&[("path", b"a")]).pax(&[("path", b"b")]).file("x", "");
    refuses(&twice.end(), "uplicate");
    let long = Tar::new().entry(Head::new("././@LongLink", b'L'), b"name\0");
    refuses(&long.end(), "without a following");
}

#[test]
fn records_for_all_entries_are_refused_if_they_say_anything() {
    let place = Place::new();
    let global = |records: &[u8]| Tar::new().entry(Head::new("pax_global_header", b'g'), records);
    let comment = record("comment", b"0123456789");
    place.plain(&global(&comment).file("x", "").end()).unwrap();
    for key in ["path", "size", "uid", "mtime", "SCHILY.xattr.user.x", "linkpath"] {
        refuses(&global(&record(key, b"1")).file("x", "").end(), "a global header sets");
    }
    refuses(&global(b"nonsense").file("x", "").end(), "malformed");
    // Between an entry and its records.
    let between = Tar::new().pax(&[("size", b"512")]).entry(Head::new("g", b'g'), &comment);
    refuses(&between.file("x", "").end(), "between an entry and its extensions");
}

#[test]
fn large_records_are_refused() {
    let place = Place::new();
    let much = vec![b'x'; 2 << 20];
    for kind in [b'x', b'g', b'L', b'K'] {
        place.refuses(&Tar::new().entry(Head::new("x", kind), &much).file("x", "").end(), "metadata exceeds");
        // As much as it says need not come.
        place.refuses(&Tar::new().head(Head::new("x", kind).size(100 << 20)).end(), "metadata exceeds");
    }
    let value = vec![0; (64 << 10) + 1];
    place.refuses(&Tar::new().xattr("user.x", &value).file("x", "").end(), "bytes of an extended attribute");
    let names: Vec<String> = (0..300).map(|number| format!("SCHILY.xattr.user.{number}")).collect();
    let records: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &b"x"[..])).collect();
    place.refuses(&Tar::new().pax(&records).file("x", "").end(), "extended attributes of an entry");
}

#[test]
fn times_may_be_negative_fractional_and_far_away() {
    let place = Place::new();
    let base256 = |bytes: &[u8; 12]| {
        let mut head = Head::new("b", b'0');
        head.put(136, bytes);
        Tar::new().head(head).end()
    };
    place.plain(&base256(&[0xff; 12])).unwrap();
    assert_eq!(place.path("b").metadata().unwrap().mtime(), -1);
    place.plain(&base256(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff")).unwrap();
    refuses(&base256(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), "a time that cannot be");
    refuses(&base256(b"\xc0\0\0\0\0\0\0\0\0\0\0\0"), "a time that cannot be");
    let pax = |text: &str| Tar::new().pax(&[("mtime", text.as_bytes())]).file("p", "").end();
    for (text, time) in [("-1.5", (-2, 500_000_000)), ("7.000000001", (7, 1)), ("3", (3, 0))] {
        place.plain(&pax(text)).unwrap();
        let meta = place.path("p").metadata().unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), time, "{text}");
    }
    place.plain(&pax("9223372036854775807")).unwrap();
    for bad in ["", "x", "1e9", "9223372036854775808", "1.x"] {
        refuses(&pax(bad), "wrong `mtime`");
    }
}

#[test]
fn unknown_kinds_are_refused() {
    let place = Place::new();
    for kind in [b'8', b'A', b'D', b'V', b'M', b's', 0xff] {
        place.refuses(&Tar::new().head(Head::new("x", kind)).end(), "unknown type");
    }
    place.refuses(&Tar::new().file("x/", "content").end(), "ends with a slash");
    // Before POSIX a slash made the directory.
    place.plain(&Tar::new().head(Head::new("x/", 0)).end()).unwrap();
    assert!(place.path("x").is_dir());
}

/// Header, map of `parts`, and the content that goes with it.
fn old_sparse(parts: &[(u64, u64)], real_size: u64, content: &[u8]) -> Tar {
    let mut head = Head::new("sparse", b'S');
    head.put(257, b"ustar  \0").put(329, &[0; 16]);
    head.put(345, &[0; 155]);
    for (number, (offset, length)) in parts.iter().take(4).enumerate() {
        head.number(386 + number * 24, 12, *offset).number(398 + number * 24, 12, *length);
    }
    let large = [&[0x80, 0, 0, 0][..], &real_size.to_be_bytes()].concat();
    head.put(483, &large);
    Tar::new().entry(head, content)
}

fn pax_sparse(map: &str, real_size: &str, content: &[u8]) -> Tar {
    let records = [("GNU.sparse.map", map.as_bytes()), ("GNU.sparse.size", real_size.as_bytes())];
    Tar::new().pax(&records).file("sparse", content)
}

/// Version 1.0: the map comes before the content.
fn map_in_content(map: &str, real_size: &str, content: &[u8], more: &[(&str, &[u8])]) -> Tar {
    let mut body = map.as_bytes().to_vec();
    body.resize(body.len().next_multiple_of(BLOCK), 0);
    body.extend(content);
    let mut records = vec![("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0")];
    records.extend([("GNU.sparse.name", &b"sparse"[..]), ("GNU.sparse.realsize", real_size.as_bytes())]);
    records.extend(more);
    Tar::new().pax(&records).file("ignored", &body)
}

#[test]
fn sparse_files_of_all_forms_have_their_holes() {
    let size = 10 << 20;
    let real = size.to_string();
    let offset = 5 << 20;
    for (form, tar) in [
        ("old", old_sparse(&[(0, 2), (offset, 3)], size, b"abxyz")),
        ("0.1", pax_sparse(&format!("0,2,{offset},3"), &real, b"abxyz")),
        ("1.0", map_in_content(&format!("2\n0\n2\n{offset}\n3\n"), &real, b"abxyz", &[])),
    ] {
        let place = Place::new();
        let unpacked = place.plain(&tar.file("after", "x").end()).unwrap();
        let content = std::fs::read(place.path("sparse")).unwrap();
        let at = usize::try_from(offset).unwrap();
        assert_eq!(
            (content.len() as u64, &content[..3], &content[at..at + 4]),
            (size, &b"ab\0"[..], &b"xyz\0"[..])
        );
        assert!(place.path("sparse").metadata().unwrap().blocks() * 512 < 1 << 20, "{form} has no holes");
        assert_eq!((unpacked.bytes, place.names().len()), (6, 2), "{form}");
    }
}

#[test]
fn maps_of_sparse_files_that_lie_are_errors() {
    let place = Place::new();
    let huge = 1_u64 << 62;
    place.refuses(&old_sparse(&[(0, 1)], huge, b"x").end(), "bytes of a file");
    place.refuses(&pax_sparse("0,1", &huge.to_string(), b"x").end(), "bytes of a file");
    place.refuses(&map_in_content("1\n0\n1\n", &huge.to_string(), b"x", &[]).end(), "bytes of a file");
    for (parts, content) in [
        (&[(0, 2), (1, 2)][..], "abcd"),
        (&[(5, 1), (0, 1)], "ab"),
        (&[(99, 2)], "ab"),
        (&[(u64::MAX, 2)], "ab"),
        (&[(u64::MAX - 1, 1), (3, u64::MAX)], "ab"),
    ] {
        let map: Vec<String> = parts.iter().flat_map(|(at, len)| [at.to_string(), len.to_string()]).collect();
        place.refuses(&pax_sparse(&map.join(","), "100", content.as_bytes()).end(), "overlap or do not fit");
        let lines = format!("{}\n{}\n", parts.len(), map.join("\n"));
        let tar = map_in_content(&lines, "100", content.as_bytes(), &[]);
        place.refuses(&tar.end(), "overlap or do not fit");
    }
    place.refuses(&old_sparse(&[(0, 2), (1, 2)], 100, b"abcd").end(), "overlap or do not fit");
    place.refuses(&pax_sparse("0,1", "100", b"ab").end(), "not that of its content");
    place.refuses(&pax_sparse("0,x", "100", b"a").end(), "invalid length");
    place.refuses(&pax_sparse("0", "100", b"a").end(), "odd number");
    let twice = map_in_content("1\n0\n1\n", "100", b"x", &[("size", b"513")]);
    place.refuses(&twice.end(), "size is given twice");
    let unknown = Tar::new().pax(&[("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")]).file("x", "");
    place.refuses(&unknown.end(), "unknown form");
    place.refuses(&Tar::new().pax(&[("GNU.sparse.size", b"9")]).file("x", "").end(), "unknown form");
    place.refuses(&map_in_content(&"1".repeat(5 << 20), "9", b"", &[]).end(), "");
    place.refuses(&map_in_content("99999999\n", "9", b"", &[]).end(), "too many sparse");
    let dir = Tar::new().pax(&[("GNU.sparse.map", b"0,0"), ("GNU.sparse.size", b"9")]).dir("x");
    place.refuses(&dir.end(), "is no file");
}

#[test]
fn holes_count_for_the_limits() {
    let place = Place::new();
    let tar = pax_sparse("0,1", "1000000", b"x");
    let limits = Limits { bytes: 100_000, ..Limits::default() };
    let error = place.with(&Unpack::new(Form::Plain).limits(limits), &tar.clone().end()).unwrap_err();
    assert!(message(&error).contains("bytes of the files"), "{error}");
    let limits = Limits { file_bytes: 100_000, ..Limits::default() };
    let error = place.with(&Unpack::new(Form::Plain).limits(limits), &tar.end()).unwrap_err();
    assert!(message(&error).contains("bytes of a file"), "{error}");
    assert_eq!(place.names(), [""; 0]);
}
