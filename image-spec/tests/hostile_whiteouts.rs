//! Deletions, forged or misplaced, and what else means something to an overlay.

mod layers;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use cofferdam_image_spec::{Devices, FileCapabilities, Form, Ids, Unpack};
use layers::*;

fn is_whiteout(place: &Place, name: &str) -> bool {
    let meta = place.path(name).symlink_metadata().expect(name);
    meta.file_type().is_char_device() && meta.rdev() == 0
}

fn is_opaque(place: &Place, name: &str) -> bool {
    xattrs(&place.path(name)).iter().any(|(name, value)| name.ends_with(".overlay.opaque") && value == b"y")
}

#[test]
fn reserved_names_that_delete_nothing_are_refused() {
    let place = Place::new();
    for name in [".wh.", ".wh..", ".wh...", "a/.wh.", ".wh..wh.new", ".wh.a/b", ".wh..wh..opq/x"] {
        place.refuses(&Tar::new().file(name, "").end(), "");
        place.refuses(&Tar::new().dir(name).end(), "");
    }
}

#[test]
fn a_deletion_of_any_kind_with_any_content_is_just_that() {
    for entry in [
        Tar::new().file(".wh.x", "content".repeat(1000)),
        Tar::new().dir(".wh.x/"),
        Tar::new().symlink(".wh.x", "/etc/passwd"),
        Tar::new().head(Head::new(".wh.x", b'6')),
        Tar::new().head(Head::new(".wh.x", b'3').device(1, 3)),
        Tar::new().hard_link(".wh.x", "y"),
    ] {
        let archive = entry.file("after", "a").end();
        let place = Place::new();
        place.overlay(&archive).unwrap();
        assert!(is_whiteout(&place, "x"));
        assert_eq!(place.names(), ["after", "x"]);
        let place = Place::new();
        place.plain(&Tar::new().file("x", "").end()).unwrap();
        place.plain(&archive).unwrap();
        assert_eq!(place.names(), ["after"]);
    }
}

#[test]
fn only_lower_layers_are_deleted_from_wherever_it_stands() {
    let lower = Tar::new().file("x", "lower").file("d/old", "").file("d/sub/old", "").dir("e").end();
    let thing = |tar: Tar| tar.file("x", "new").dir("d").file("d/new", "").file("d/sub/new", "");
    let deletions = |tar: Tar| tar.file(".wh.x", "").file(".wh.d", "").file(".wh.missing", "");
    for archive in [deletions(thing(Tar::new())).end(), thing(deletions(Tar::new())).end()] {
        let place = Place::new();
        place.plain(&lower).unwrap();
        place.plain(&archive).unwrap();
        assert_eq!(place.names(), ["d", "d/new", "d/sub", "d/sub/new", "e", "x"]);
        assert_eq!(place.read("x"), "new");
        let place = Place::new();
        place.overlay(&archive).unwrap();
        assert_eq!(place.names(), ["d", "d/new", "d/sub", "d/sub/new", "missing", "x"]);
        assert_eq!(place.read("x"), "new");
        assert!(is_opaque(&place, "d") && !is_opaque(&place, "d/sub") && is_whiteout(&place, "missing"));
    }
}

#[test]
fn what_replaced_a_directory_without_an_entry_is_not_deleted() {
    let archive = Tar::new().file("a/b/.wh.x", "").symlink("a/b", "a").file("a/.wh.b", "").end();
    for form in [Form::Plain, overlay()] {
        let place = Place::new();
        place.with(&Unpack::new(form), &archive).unwrap();
        assert_eq!(place.names(), ["a", "a/b"]);
        assert!(place.path("a/b").symlink_metadata().unwrap().is_symlink());
    }
}

#[test]
fn opaque_directories_lose_what_is_below_and_keep_what_is_new() {
    let lower =
        Tar::new().dir("d").file("d/old", "").file("d/sub/old", "").file("d/gone/old", "").file("x", "");
    let lower = lower.end();
    let things = |tar: Tar| tar.dir("d/sub").file("d/sub/new", "").file("d/new", "").file("d/in/new", "");
    let opaque = |tar: Tar| tar.file("d/.wh..wh..opq", "");
    for archive in [opaque(things(Tar::new())).end(), things(opaque(Tar::new())).end()] {
        let place = Place::new();
        place.plain(&lower).unwrap();
        place.plain(&archive).unwrap();
        assert_eq!(place.names(), ["d", "d/in", "d/in/new", "d/new", "d/sub", "d/sub/new", "x"]);
        let place = Place::new();
        place.overlay(&archive).unwrap();
        assert!(is_opaque(&place, "d") && !is_opaque(&place, "d/sub"));
    }
    let place = Place::new();
    place.plain(&lower).unwrap();
    place.plain(&Tar::new().file("new", "").file(".wh..wh..opq", "").end()).unwrap();
    assert_eq!(place.names(), ["new"]);
}

#[test]
fn deletions_through_links_stay_below_the_root() {
    let place = Place::new();
    let out = place.out();
    for link in [&out[..], "../out", "/", ".."] {
        fs::remove_dir_all(place.root()).unwrap();
        fs::create_dir(place.root()).unwrap();
        symlink(link, place.path("l")).unwrap();
        symlink(&out, place.path("m")).unwrap();
        fs::write(place.path("keep"), "inside").unwrap();
        let tar = Tar::new().file("l/.wh.keep", "").file("l/.wh.sub", "").file("l/.wh..wh..opq", "");
        let tar = tar.file("m/.wh..wh..opq", "").file(".wh.m", "");
        place.plain(&tar.end()).unwrap();
        let link = place.path("m").symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        assert!(!link, "the link itself is deleted");
    }
    let place = Place::new();
    let tar = Tar::new().symlink("l", &out).file("l/.wh.keep", "").file("l/.wh..wh..opq", "").end();
    place.overlay(&tar).unwrap();
    assert!(is_opaque(&place, &out[1..]) && is_whiteout(&place, &format!("{}/keep", &out[1..])));
}

#[test]
fn a_deleted_directory_may_be_very_deep() {
    let place = Place::new();
    fs::create_dir(place.path("deep")).unwrap();
    let mut here = fs::File::open(place.path("deep")).unwrap();
    for _ in 0..2000 {
        rustix::fs::mkdirat(&here, "d", rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
        here = rustix::fs::openat(&here, "d", flags, rustix::fs::Mode::empty()).unwrap().into();
    }
    place.plain(&Tar::new().file(".wh.deep", "").end()).unwrap();
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn what_early_storage_left_behind_is_ignored() {
    let place = Place::new();
    let tar = Tar::new()
        .file(".wh..wh.aufs", "")
        .dir(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", "")
        .dir(".wh..wh.orph");
    let unpacked = place.overlay(&tar.file("x", "").end()).unwrap();
    assert_eq!((place.names(), unpacked.entries), (vec!["x".to_string()], 5));
}

#[test]
fn marks_of_an_overlay_cannot_be_forged() {
    let place = Place::new();
    for name in ["opaque", "redirect", "metacopy", "origin", "whiteout", "overlay.opaque"] {
        for prefix in ["trusted.overlay.", "user.overlay."] {
            let attribute = format!("{prefix}{name}");
            place.refuses(&Tar::new().xattr(&attribute, b"y").dir("d").end(), "only an overlay may set");
            place.refuses(&Tar::new().xattr(&attribute, b"y").file("f", "").end(), "only an overlay may set");
            place.refuses(&Tar::new().xattr(&attribute, b"y").dir("./").end(), "only an overlay may set");
        }
    }
    let forged = Tar::new().head(Head::new("x", b'3').device(0, 0)).end();
    for devices in [Devices::Make, Devices::Skip, Devices::EmptyFile, Devices::Refuse] {
        let error = place.with(&Unpack::new(overlay()).devices(devices), &forged).unwrap_err();
        assert!(message(&error).contains("the device 0:0"), "{error}");
    }
    // Nor a link to a true one.
    let error = place.overlay(&Tar::new().file(".wh.x", "").hard_link("y", "x").end()).unwrap_err();
    assert!(message(&error).contains("that the layer deletes"), "{error}");
}

#[test]
fn devices_are_as_the_plan_says() {
    let archive = Tar::new()
        .head(Head::new("null", b'3').device(1, 3).mode(0o666))
        .head(Head::new("disk", b'4').device(7, 0))
        .file("x", "")
        .end();
    let unpack = |devices| Unpack::new(overlay()).devices(devices);
    let place = Place::new();
    let skipped = place.with(&unpack(Devices::Skip), &archive).unwrap().skipped;
    assert_eq!((skipped.devices, place.names()), (2, vec!["x".to_string()]));
    let place = Place::new();
    let skipped = place.with(&unpack(Devices::EmptyFile), &archive).unwrap().skipped;
    assert_eq!((skipped.devices, place.names().len(), place.read("null")), (2, 3, String::new()));
    let place = Place::new();
    let error = place.with(&unpack(Devices::Refuse), &archive).unwrap_err();
    assert!(message(&error).contains("is a device"), "{error}");
    for (major, minor) in [(1 << 12, 0), (1, 1 << 20)] {
        let big = Tar::new().head(Head::new("x", b'3').device(major, minor)).end();
        let error = place.with(&unpack(Devices::Make), &big).unwrap_err();
        assert!(message(&error).contains("number cannot be"), "{error}");
    }
    let made = place.with(&unpack(Devices::Make), &archive);
    if !is_root() {
        assert!(message(&made.unwrap_err()).contains("mknodat"));
        return;
    }
    made.unwrap();
    let null = place.path("null").metadata().unwrap();
    assert!(
        null.file_type().is_char_device()
            && place.path("disk").metadata().unwrap().file_type().is_block_device()
    );
    assert_eq!((null.rdev(), null.mode() & 0o7777), (0x103, 0o666));
}

/// Version 2, effective, `CAP_NET_RAW`.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn attributes_of_security_are_kept_or_counted() {
    let archive = Tar::new()
        .xattr("security.capability", &CAPABILITY)
        .entry(Head::new("ping", b'0').mode(0o4755).owner(0, 0), b"x")
        .xattr("security.selinux", b"label")
        .file("a", "")
        .xattr("security.ima", b"x")
        .file("b", "")
        .xattr("security.evm", b"x")
        .file("c", "")
        .end();
    let unpack = |policy| Unpack::new(overlay()).file_capabilities(policy);
    let place = Place::new();
    let skipped = place.with(&unpack(FileCapabilities::Drop), &archive).unwrap().skipped;
    assert_eq!((skipped.capabilities, skipped.labels), (1, 3));
    assert_eq!(xattrs(&place.path("ping")).len(), 0);
    let place = Place::new();
    let skipped = place.with(&unpack(FileCapabilities::IfAllowed), &archive).unwrap().skipped;
    let kept = xattrs(&place.path("ping")).contains_key("security.capability");
    assert_eq!((skipped.capabilities == 0, is_root()), (kept, kept));
    let place = Place::new();
    let must = place.with(&unpack(FileCapabilities::Must), &archive);
    assert_eq!(must.is_ok(), is_root());
    if is_root() {
        // Neither the owner nor the mode, set before, has cleared it.
        assert_eq!(xattrs(&place.path("ping"))["security.capability"], CAPABILITY);
        assert_eq!(place.path("ping").metadata().unwrap().mode() & 0o7777, 0o4755);
    }
}

#[test]
fn access_lists_are_kept_only_with_their_ids() {
    // user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r--
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 6, 1000), (4, 4, u32::MAX), (0x10, 6, u32::MAX), (0x20, 4, u32::MAX)];
    let mut list = vec![2, 0, 0, 0];
    for (tag, perm, id) in entries {
        list.extend([&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    let archive = Tar::new().xattr("system.posix_acl_access", &list).file("f", "").end();
    let place = Place::new();
    let skipped = place.with(&Unpack::new(Form::Plain).ids(Ids::Squash), &archive).unwrap().skipped;
    assert_eq!((skipped.access_lists, xattrs(&place.path("f")).len()), (1, 0));
    require_root!();
    let skipped = place.with(&Unpack::new(Form::Plain), &archive).unwrap().skipped;
    assert_eq!(xattrs(&place.path("f")).contains_key("system.posix_acl_access"), skipped.access_lists == 0);
}

#[test]
fn other_attributes_are_kept_where_they_can_be() {
    let archive = Tar::new()
        .xattr("user.binary", &[0, 0xff, 0])
        .file("f", "")
        .xattr("strange.name", b"x")
        .file("g", "")
        .xattr("user.on.link", b"x")
        .symlink("l", "f")
        .end();
    let place = Place::new();
    let unpacked = place.plain(&archive).unwrap();
    let kept = xattrs(&place.path("f")).get("user.binary").map(Vec::as_slice) == Some(&[0, 0xff, 0]);
    assert_eq!(unpacked.skipped.xattrs, if kept { 2 } else { 3 });
}

/// Each would look at all that is in the directory.
#[test]
fn saying_a_deletion_again_costs_nothing() {
    const MANY: usize = 300;
    let again = |tar: Tar| (0..30_000).fold(tar, |tar, _| tar.file(".wh.d", ""));
    let full = |tar: Tar| (0..MANY).fold(tar, |tar, number| tar.file(format!("d/{number}/x"), ""));
    let archive = again(full(Tar::new())).end();
    for (form, below) in [(Form::Plain, false), (Form::Plain, true), (overlay(), false)] {
        let place = Place::new();
        if below {
            fs::write(place.path("below"), "").unwrap();
        }
        let begun = std::time::Instant::now();
        place.with(&Unpack::new(form), &archive).unwrap();
        assert!(begun.elapsed().as_secs() < 30, "{form:?} {below}");
        assert_eq!(fs::read_dir(place.path("d")).unwrap().count(), MANY);
    }
}
