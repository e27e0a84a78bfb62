//! What the entries of a layer say.

use std::path::Path;

use cofferdam_image_spec::{CreateLayer, Error, IdRange, LayerIds, LayerTimes};
use rustix::fs::{CWD, FileType};

use crate::support::{
    by_path, chmod, create, layer, link_to, mkdir, mknod, odd, paths, set_time, set_xattr, write,
};
use crate::{require_root, skip};

#[test]
fn entries_come_in_the_order_of_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b/z", "b/a", "a.b", "a", "B", "b.c"] {
        mkdir(dir.path().join(name));
    }
    write(dir.path().join("a/x"), "");
    write(dir.path().join(odd(b"\xff\n")), "");
    let found = layer(CreateLayer::tree(), dir.path());
    let order = ["B/", "a/", "a/x", "a.b/", "b/", "b/a/", "b/z/", "b.c/", "\\xff\\n"];
    assert_eq!(paths(&found), order);
    let with_root = layer(CreateLayer::tree().root(true), dir.path());
    assert_eq!(paths(&with_root), [&["./"], &order[..]].concat());
}

#[test]
fn kinds_modes_and_links_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write(at("file"), "content");
    chmod(at("file"), 0o6754);
    mkdir(at("dir"));
    chmod(at("dir"), 0o1777);
    link_to("../some/where", at("link"));
    std::fs::hard_link(at("file"), at("a")).unwrap();
    std::fs::hard_link(at("file"), at("dir/z")).unwrap();
    std::fs::hard_link(at("link"), at("same")).unwrap();
    mknod(&at("fifo"), FileType::Fifo, (0, 0));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();

    let (_, created) = create(&CreateLayer::tree(), dir.path()).unwrap();
    assert_eq!(created.sockets, 1);
    let found = layer(CreateLayer::tree(), dir.path());
    let short = found.iter().map(|entry| (&*entry.path, entry.kind, &*entry.link)).collect::<Vec<_>>();
    let expected = [
        ("a", '0', ""),
        ("dir/", '5', ""),
        ("dir/z", '1', "a"),
        ("fifo", '6', ""),
        ("file", '1', "a"),
        ("link", '2', "../some/where"),
        ("same", '1', "link"),
    ];
    assert_eq!(short, expected);
    assert_eq!((by_path(&found, "a").mode, &*by_path(&found, "a").content), (0o6754, &b"content"[..]));
    assert_eq!(by_path(&found, "dir/").mode, 0o1777);
    let me = (u64::from(rustix::process::geteuid().as_raw()), u64::from(rustix::process::getegid().as_raw()));
    assert_eq!(by_path(&found, "a").ids, me);
}

#[test]
fn devices_have_their_numbers() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    mknod(&dir.path().join("c"), FileType::CharacterDevice, (1, 3));
    mknod(&dir.path().join("d"), FileType::BlockDevice, (4095, 1_048_575));
    let found = layer(CreateLayer::tree(), dir.path());
    let devices = found.iter().map(|entry| (entry.kind, entry.device)).collect::<Vec<_>>();
    assert_eq!(devices, [('3', Some((1, 3))), ('4', Some((4095, 1_048_575)))]);
}

#[test]
fn times_are_kept_to_the_nanosecond_or_cut() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, seconds, nanoseconds) in [("new", 2_000_000_000, 5), ("old", -2, 300_000_000), ("whole", 7, 0)]
    {
        write(at(name), "");
        set_time(&at(name), seconds, nanoseconds);
    }
    link_to("x", at("link"));
    set_time(&at("link"), 9, 500_000_000);
    let record = |options: CreateLayer, name: &str| {
        let found = layer(options, dir.path());
        by_path(&found, name).records.get("mtime").cloned()
    };
    let kept = CreateLayer::tree();
    assert_eq!(record(kept.clone(), "new").as_deref(), Some("2000000000.000000005"));
    assert_eq!(record(kept.clone(), "old").as_deref(), Some("-1.7"));
    assert_eq!(record(kept.clone(), "link").as_deref(), Some("9.5"));
    assert_eq!(record(kept.clone(), "whole"), None);
    assert_eq!(by_path(&layer(kept.clone(), dir.path()), "whole").mtime, 7);
    let cut = kept.clone().times(LayerTimes::Clamp(1_000_000_000));
    assert_eq!(record(cut.clone(), "new"), None);
    assert_eq!(by_path(&layer(cut.clone(), dir.path()), "new").mtime, 1_000_000_000);
    assert_eq!(record(cut, "link").as_deref(), Some("9.5"));
    let fixed = layer(kept.times(LayerTimes::Fixed(11)), dir.path());
    assert!(fixed.iter().all(|entry| entry.mtime == 11 && entry.records.is_empty()));
}

#[test]
fn owners_are_mapped_or_squashed_and_others_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("f"), "");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let squashed = layer(CreateLayer::tree().ids(LayerIds::Squash), dir.path());
    assert_eq!(squashed[0].ids, (0, 0));
    let range = |container, host, count| IdRange { container, host, count };
    let big = LayerIds::Map { uids: vec![range(1 << 31, uid, 1)], gids: vec![range(3_000_000, gid, 5)] };
    let mapped = layer(CreateLayer::tree().ids(big), dir.path());
    assert_eq!(mapped[0].records["uid"], "2147483648");
    assert_eq!(mapped[0].records["gid"], "3000000");
    assert_eq!(mapped[0].ids, (1 << 31, 3_000_000));
    let other = LayerIds::Map { uids: vec![range(0, uid, 1)], gids: vec![range(0, gid + 1, 5)] };
    let error = create(&CreateLayer::tree().ids(other), dir.path()).unwrap_err();
    assert!(matches!(&error, Error::Entry { entry, .. } if entry == Path::new("f")), "{error}");
    assert!(error.to_string().contains(&format!("group {gid}")), "{error}");
}

#[test]
fn long_and_odd_names_are_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let component = "n".repeat(255);
    let long = format!("{component}/{component}/{component}/{component}");
    mkdir(dir.path().join(&long));
    write(dir.path().join(&long).join("file"), "x");
    link_to(&long, dir.path().join("to"));
    std::fs::hard_link(dir.path().join(&long).join("file"), dir.path().join("z")).unwrap();
    let splits = format!("{}/{}", "p".repeat(155), "q".repeat(99));
    mkdir(dir.path().join(&splits));
    write(dir.path().join(odd(b"\xc3\x28=\n\x01 ")), "");
    let found = layer(CreateLayer::tree().times(LayerTimes::Fixed(0)), dir.path());
    assert_eq!(by_path(&found, &format!("{long}/file")).content, b"x");
    assert_eq!(by_path(&found, "to").link, long);
    assert_eq!(by_path(&found, "z").link, format!("{long}/file"));
    assert!(by_path(&found, &format!("{splits}/")).records.is_empty(), "ustar can say it");
    assert!(by_path(&found, "\\xc3(=\\n\\x01 ").records.is_empty());
}

#[test]
fn attributes_are_carried_and_those_of_the_host_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (file, sub) = (dir.path().join("f"), dir.path().join("d"));
    write(&file, "");
    mkdir(&sub);
    if !set_xattr(&file, "user.b", b"\0\n\xff") {
        skip!("the file system of temporary files has no attributes");
    }
    assert!(set_xattr(&file, "user.a", &[b'x'; 2000]));
    assert!(set_xattr(&sub, "user.d", b""));
    let fixed = || CreateLayer::tree().times(LayerTimes::Fixed(0));
    let found = layer(fixed(), dir.path());
    let names = by_path(&found, "f").records.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names, ["SCHILY.xattr.user.a", "SCHILY.xattr.user.b"]);
    assert_eq!(by_path(&found, "f").records["SCHILY.xattr.user.b"], "\\x00\\n\\xff");
    assert_eq!(by_path(&found, "f").records["SCHILY.xattr.user.a"].len(), 2000);
    assert_eq!(by_path(&found, "d/").records["SCHILY.xattr.user.d"], "");

    require_root!();
    let link = dir.path().join("l");
    link_to("f", &link);
    let capability = [&0x0200_0001_u32.to_le_bytes()[..], &[1; 16]].concat();
    assert!(set_xattr(&file, "security.capability", &capability));
    assert!(set_xattr(&link, "trusted.t", b"1"));
    assert!(set_xattr(&file, "security.other", b"1"));
    let found = layer(fixed(), dir.path());
    assert!(by_path(&found, "f").records.contains_key("SCHILY.xattr.security.capability"));
    assert!(!by_path(&found, "f").records.contains_key("SCHILY.xattr.security.other"));
    assert_eq!(by_path(&found, "l").records["SCHILY.xattr.trusted.t"], "1");
}

#[test]
fn what_is_excluded_is_left_out_with_all_below() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a/b/c", "a/d", "ab"] {
        mkdir(dir.path().join(name));
    }
    write(dir.path().join("a/b/f"), "");
    std::fs::hard_link(dir.path().join("a/b/f"), dir.path().join("z")).unwrap();
    let found = layer(CreateLayer::tree().exclude("/a/b/").exclude("nothing"), dir.path());
    assert_eq!(paths(&found), ["a/", "a/d/", "ab/", "z"]);
    assert_eq!(by_path(&found, "z").kind, '0');
}

#[test]
fn names_that_mean_deletions_are_refused() {
    for name in [".wh.x", ".wh..wh..opq", ".wh."] {
        let dir = tempfile::tempdir().unwrap();
        mkdir(dir.path().join("d"));
        write(dir.path().join("d").join(name), "");
        for options in [CreateLayer::tree(), CreateLayer::upper()] {
            let error = create(&options, dir.path()).unwrap_err();
            let expected = Path::new("d").join(name);
            assert!(matches!(&error, Error::Entry { entry, .. } if *entry == expected), "{error}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    mkdir(dir.path().join("d"));
    write(dir.path().join("d/f"), "x");
    chmod(dir.path().join("d/f"), 0);
    if rustix::fs::accessat(
        CWD,
        dir.path().join("d/f"),
        rustix::fs::Access::READ_OK,
        rustix::fs::AtFlags::EACCESS,
    )
    .is_ok()
    {
        eprintln!("skipped: this user reads everything");
        return;
    }
    let error = create(&CreateLayer::tree(), dir.path()).unwrap_err();
    assert!(matches!(&error, Error::EntryCall { entry, .. } if entry == Path::new("d/f")), "{error}");
}

#[test]
fn a_file_that_changes_meanwhile_is_named() {
    // The content is read after the header was written to the sink, which changes the file.
    struct Changes<'a>(&'a Path, &'a [u8], bool);
    impl std::io::Write for Changes<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if !std::mem::replace(&mut self.2, true) {
                std::fs::write(self.0, self.1)?;
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for after in [&b"short"[..], &[b'l'; 1 << 20]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, vec![b'x'; 600_000]);
        set_time(&path, 5, 0);
        let open = std::fs::File::open(dir.path()).unwrap();
        let plain = CreateLayer::tree().compression(cofferdam_image_spec::LayerCompression::None);
        let error = plain.create(std::os::fd::AsFd::as_fd(&open), Changes(&path, after, false)).unwrap_err();
        assert!(matches!(&error, Error::Entry { entry, .. } if entry == Path::new("f")), "{error}");
    }
}
