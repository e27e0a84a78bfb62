//! Names and links that lead elsewhere.

mod layers;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use cofferdam_image_spec::{Form, Unpack};
use layers::*;

#[test]
fn names_that_leave_the_root_are_refused() {
    let place = Place::new();
    for name in ["../x", "a/../../x", "a/../b", "..", "/..", "/../out/keep", "a/.."] {
        place.refuses(&Tar::new().file(name, "x").end(), "holds `..`");
        place.refuses(&Tar::new().dir(name).end(), "holds `..`");
        place.refuses(&Tar::new().symlink(name, "x").end(), "holds `..`");
    }
    place.refuses(&Tar::new().pax(&[("path", b"../out/keep")]).file("x", "").end(), "holds `..`");
    place.refuses(&Tar::new().pax(&[("path", b"a\0b")]).file("x", "").end(), "zero byte");
    place.refuses(&Tar::new().file("", "x").end(), "empty path");
    place.refuses(&Tar::new().file("ok", "x").file("a/../../out/keep", "x").end(), "holds `..`");
}

#[test]
fn absolute_names_are_below_the_root() {
    let place = Place::new();
    place.plain(&Tar::new().file("/abs", "x").file("//two/./x", "y").end()).unwrap();
    assert_eq!(place.names(), ["abs", "two", "two/x"]);
}

#[test]
fn the_root_can_only_be_a_directory() {
    let place = Place::new();
    for name in [".", "./", "/", "//", "/."] {
        place.refuses(&Tar::new().symlink(name, place.out()).end(), "replace the root");
        place.refuses(&Tar::new().hard_link(name, "x").end(), "replace the root");
        place.refuses(&Tar::new().head(Head::new(name, b'6')).end(), "replace the root");
    }
    place.refuses(&Tar::new().file(".", "x").end(), "replace the root");
    // With a second entry that would go through the link.
    place.refuses(&Tar::new().symlink(".", place.out()).file("keep", "x").end(), "replace the root");
    place.plain(&Tar::new().head(Head::new(".", b'5').mode(0o711)).end()).unwrap();
    assert_eq!(place.root().metadata().unwrap().mode() & 0o7777, 0o711);
}

#[test]
fn links_on_the_way_are_resolved_below_the_root() {
    for (target, there) in [
        ("/out", "out/keep"),
        ("../../out", "out/keep"),
        ("..", "keep"),
        ("/", "keep"),
        ("../../../../../../../../..", "keep"),
        ("/../../out", "out/keep"),
        ("real", "real/keep"),
        ("./real/../real/.", "real/keep"),
        ("missing/deep", "missing/deep/keep"),
        ("second", "real/keep"),
    ] {
        for form in [Form::Plain, overlay()] {
            let place = Place::new();
            let tar = Tar::new().dir("real/").symlink("second", "/real").symlink("link", target);
            place.with(&Unpack::new(form), &tar.file("link/keep", "new").end()).unwrap();
            assert_eq!(place.read(there), "new", "{target}");
        }
    }
    // The absolute path of what is outside becomes one inside.
    let place = Place::new();
    let tar = Tar::new().symlink("link", place.out()).file("link/keep", "new").dir("link/sub/").end();
    place.plain(&tar).unwrap();
    assert_eq!(place.read(&format!("{}/keep", &place.out()[1..])), "new");
}

#[test]
fn links_of_earlier_layers_and_of_the_host_are_resolved_below_the_root() {
    let place = Place::new();
    symlink(place.out(), place.path("out")).unwrap();
    symlink("../other", place.path("up")).unwrap();
    place.plain(&Tar::new().file("out/keep", "new").file("up/keep", "up").end()).unwrap();
    assert_eq!(place.read(&format!("{}/keep", &place.out()[1..])), "new");
    assert_eq!(place.read("other/keep"), "up");
    assert!(place.path("out").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn cycles_end() {
    let place = Place::new();
    let cycle = Tar::new().symlink("a", "b").symlink("b", "a");
    place.refuses(&cycle.file("a/x", "").end(), "Too many levels");
    place.refuses(&Tar::new().symlink("a", "a").dir("a/x/").end(), "Too many levels");
    // Each link doubles the way.
    let mut tar = Tar::new().dir("l0/");
    for number in 1..40 {
        let below = format!("l{}", number - 1);
        tar = tar.symlink(format!("l{number}"), format!("{below}/../{below}/../{below}"));
    }
    place.refuses(&tar.file("l39/x", "").end(), "Too many levels");
}

#[test]
fn what_exists_is_replaced_and_not_written_through() {
    let place = Place::new();
    let out = place.out();
    let link = |tar: Tar, name: &str| tar.symlink(name, format!("{out}/keep"));
    let mut tar = Tar::new();
    for name in ["file", "fifo", "hard", "symlink"] {
        tar = link(tar, name);
    }
    let tar = tar.symlink("dir", &out).symlink("sub", format!("{out}/sub"));
    let tar = tar.file("file", "new").head(Head::new("fifo", b'6').mode(0o777)).file("target", "t");
    let tar = tar.hard_link("hard", "target").symlink("symlink", "elsewhere");
    let tar = tar.head(Head::new("dir", b'5').mode(0o777)).file("dir/keep", "mine");
    let tar = tar.head(Head::new("sub/", b'5').mode(0o777).mtime(1)).end();
    place.plain(&tar).unwrap();
    assert_eq!(place.read("file"), "new");
    assert!(place.path("dir").symlink_metadata().unwrap().is_dir());
    assert_eq!(place.path("hard").metadata().unwrap().nlink(), 2);
    assert_eq!(place.read("dir/keep"), "mine");
}

#[test]
fn kinds_replace_each_other_and_the_last_one_stays() {
    type Make = (&'static str, fn(Tar) -> Tar);
    let make: [Make; 6] = [
        ("file", |tar| tar.file("x", "content")),
        ("dir", |tar| tar.dir("x/").file("x/in", "")),
        ("symlink", |tar| tar.symlink("x", "nowhere")),
        ("fifo", |tar| tar.head(Head::new("x", b'6'))),
        ("hard", |tar| tar.file("y", "").hard_link("x", "y")),
        ("deep", |tar| tar.file("x/a/b/c", "")),
    ];
    for (first, one) in make {
        for (second, other) in make {
            let place = Place::new();
            let alone = Place::new();
            alone.plain(&other(Tar::new()).end()).unwrap();
            let result = place.plain(&other(one(Tar::new())).end());
            let contradiction = second == "deep" && !matches!(first, "dir" | "deep" | "symlink");
            if contradiction {
                assert!(message(&result.unwrap_err()).contains("not a directory"), "{first} {second}");
                continue;
            }
            result.unwrap();
            let names = place.names();
            for name in alone.names() {
                // A link to a missing directory is followed.
                let name =
                    if (first, second) == ("symlink", "deep") { name.replace('x', "nowhere") } else { name };
                assert!(names.contains(&name), "{first} {second}: {name} {names:?}");
            }
            let kept_inside = names.iter().any(|name| name == "x/in");
            assert_eq!(
                kept_inside,
                second == "dir" || (first, second) == ("dir", "deep"),
                "{first} {second}"
            );
        }
    }
}

#[test]
fn hard_links_lead_to_names_below_the_root_and_do_not_follow() {
    let place = Place::new();
    let out = place.out();
    for target in ["../out/keep", "a/../../out/keep", "..", "/", "."] {
        place.refuses(&Tar::new().hard_link("x", target).end(), "a name that cannot be");
    }
    place.refuses(&Tar::new().hard_link("x", "").end(), "link without a target");
    place.refuses(&Tar::new().file("y", "").hard_link("x", ".wh.y").end(), "a name that cannot be");
    let plain = |tar: Tar| message(&place.plain(&tar.end()).unwrap_err());
    let absolute = format!("{out}/keep");
    assert!(plain(Tar::new().hard_link("x", &absolute)).contains("is not there"));
    assert!(plain(Tar::new().hard_link("x", "later").file("later", "")).contains("is not there"));
    assert!(plain(Tar::new().symlink("l", &out).hard_link("x", "l/keep")).contains("is not there"));
    assert!(plain(Tar::new().dir("d").hard_link("x", "d")).contains("linkat"));
    assert_eq!(place.names(), [""; 0]);

    // A link to a link is the link. What follows through it goes to what replaced it.
    let tar = Tar::new().symlink("l", &absolute).hard_link("h", "l").hard_link("same", "same2");
    let tar = Tar(tar.0[..tar.0.len() - BLOCK].to_vec());
    let tar = tar.entry(Head::new("h", b'0').mode(0o777), b"new").hard_link("h", "h");
    place.plain(&tar.end()).unwrap();
    assert_eq!(place.read("h"), "new");
    let tar = Tar::new().symlink("l", &absolute).head(Head::new("h", b'1').link("l").mode(0o777));
    place.plain(&tar.end()).unwrap();
    assert!(place.path("h").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_link(place.path("h")).unwrap().to_str(), Some(&absolute[..]));
}

#[test]
fn a_hard_link_changes_nothing_of_its_file() {
    let place = Place::new();
    let tar = Tar::new().entry(Head::new("f", b'0').mode(0o600).mtime(9), b"x");
    let tar = tar.head(Head::new("h", b'1').link("f").mode(0o6777).owner(5, 5).mtime(1));
    place.plain(&tar.end()).unwrap();
    let file = place.path("f").metadata().unwrap();
    assert_eq!((file.mode() & 0o7777, file.mtime(), file.nlink()), (0o600, 9, 2));
}

#[test]
fn long_and_deep_names_have_limits() {
    let place = Place::new();
    let refuses = |name: &str, reason| {
        place.refuses(&Tar::new().pax(&[("path", name.as_bytes())]).file("x", "").end(), reason);
    };
    refuses(&"n".repeat(256), "length of a file name");
    refuses(&("n/".repeat(1024) + "n"), "depth of a path");
    refuses(&(("d".repeat(200) + "/").repeat(21) + "n"), "length of a path");
    refuses(&("n/".repeat(10_000) + "n"), "depth of a path");
    let good = "n/".repeat(1023) + "n";
    place.plain(&Tar::new().pax(&[("path", good.as_bytes())]).file("x", "").end()).unwrap();
    assert_eq!(place.names().len(), 1024);
    // Links could make it deeper, but not longer than a path can be.
    let mut tar = Tar::new();
    for number in 0..8 {
        let name = format!("s{number}/{}", "n/".repeat(1000));
        tar = tar.pax(&[("path", format!("{name}x/").as_bytes())]).dir("x");
        let link = format!("s{}", number + 1);
        tar =
            tar.pax(&[("path", format!("{}/{link}", &name[..name.len() - 1]).as_bytes())]).symlink("x", "/");
        let long = format!("s{number}/{}", "n/".repeat(1000));
        tar = tar.pax(&[("linkpath", long.as_bytes())]).symlink(&link, "x");
    }
    let result = place.plain(&tar.end());
    assert!(result.is_err() || place.names().iter().all(|name| name.len() <= 4095));
}

#[test]
fn two_layers_at_once_do_not_lead_each_other_astray() {
    for _ in 0..100 {
        let (one, two, shared) = (Place::new(), Place::new(), Place::new());
        let links = |place: &Place| {
            let out = place.out();
            Tar::new()
                .symlink("d", &out)
                .dir("d")
                .symlink("d/sub", &out)
                .dir("d/sub")
                .symlink("d", &out)
                .end()
        };
        let files = Tar::new().dir("d").file("d/keep", "x").dir("d/sub").file("d/sub/keep", "y").end();
        std::thread::scope(|scope| {
            scope.spawn(|| one.plain(&links(&one)).unwrap());
            scope.spawn(|| two.plain(&files).unwrap());
            // Into one directory, which nobody should do: either may fail, and whatever comes of it lies in there.
            scope.spawn(|| shared.plain(&links(&shared)).ok());
            scope.spawn(|| shared.plain(&files).ok());
        });
        for place in [one, two, shared] {
            place.check_outside();
        }
    }
}
