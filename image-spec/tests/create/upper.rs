//! Layers of upper directories of overlay.

use cofferdam_image_spec::{CreateLayer, Error, LayerTimes};
use rustix::fs::FileType;

use crate::support::{by_path, create, layer, mkdir, mknod, paths, set_xattr, write};
use crate::{require_root, skip};

fn upper() -> CreateLayer {
    CreateLayer::upper().times(LayerTimes::Fixed(0))
}

#[test]
fn devices_0_0_are_deletions_and_come_before_their_siblings() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    mkdir(at("d"));
    write(at("a"), "");
    write(at("d/b"), "");
    // The kernel lets everyone make these.
    mknod(&at("z"), FileType::CharacterDevice, (0, 0));
    mknod(&at("d/gone"), FileType::CharacterDevice, (0, 0));
    std::fs::hard_link(at("d/gone"), at("d/c")).unwrap();
    let found = layer(upper(), dir.path());
    assert_eq!(paths(&found), [".wh.z", "a", "d/", "d/.wh.c", "d/.wh.gone", "d/b"]);
    let whiteout = by_path(&found, "d/.wh.gone");
    assert_eq!((whiteout.kind, whiteout.content.len(), whiteout.ids), ('0', 0, (0, 0)));

    let error = create(&CreateLayer::tree(), dir.path()).unwrap_err();
    assert!(error.to_string().contains("upper directory"), "{error}");
}

#[test]
fn marks_in_either_form_are_understood_and_left_out() {
    let mut forms = vec!["user"];
    if rustix::process::geteuid().is_root() {
        forms.push("trusted");
    }
    for form in forms {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        mkdir(at("opaque"));
        mkdir(at("x"));
        for name in ["opaque/new", "x/gone", "x/here", "other"] {
            write(at(name), "");
        }
        let set = |name: &str, mark: &str, value: &str| {
            set_xattr(&at(name), &format!("{form}.overlay.{mark}"), value.as_bytes())
        };
        if !set("opaque", "opaque", "y") {
            skip!("the file system of temporary files has no {form} attributes");
        }
        assert!(set("opaque", "origin", "?") && set("other", "impure", "y"));
        assert!(set("x", "opaque", "x") && set("x/gone", "whiteout", ""));
        // A mark in a directory that does not say it has such is none to the kernel either.
        assert!(set("other", "whiteout", ""));
        assert!(set_xattr(&at("other"), "user.kept", b"1"));
        let found = layer(upper(), dir.path());
        let expected =
            ["opaque/", "opaque/.wh..wh..opq", "opaque/new", "other", "x/", "x/.wh.gone", "x/here"];
        assert_eq!(paths(&found), expected);
        let records = found.iter().flat_map(|entry| entry.records.keys()).collect::<Vec<_>>();
        assert_eq!(records, ["SCHILY.xattr.user.kept"]);
        let error = create(&CreateLayer::tree(), dir.path()).unwrap_err();
        assert!(matches!(error, Error::Entry { .. }), "{error}");
    }
}

#[test]
fn content_that_is_elsewhere_is_an_error() {
    for (name, mark) in [("f", "metacopy"), ("d", "redirect")] {
        let dir = tempfile::tempdir().unwrap();
        mkdir(dir.path().join("d"));
        write(dir.path().join("f"), "");
        if !set_xattr(&dir.path().join(name), &format!("user.overlay.{mark}"), b"/old") {
            skip!("the file system of temporary files has no attributes");
        }
        let error = create(&upper(), dir.path()).unwrap_err();
        assert!(matches!(&error, Error::Entry { entry, .. } if entry.as_os_str() == name), "{error}");
    }
}

#[test]
fn an_upper_directory_of_the_kernel_becomes_its_changes() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let script = "set -e; mount -t tmpfs tmpfs . && cd \"$PWD\" && mkdir l u w m && cd l && mkdir -p keep swap/old gone/x && \
        touch keep/a keep/b swap/old/f gone/x/y && cd .. && \
        mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && \
        rm m/keep/a && echo new > m/keep/c && rm -r m/swap && mkdir m/swap && touch m/swap/n && rm -r m/gone && \
        umount m && cp -a --preserve=all u \"$1\"";
    let out = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(out.path()).current_dir(dir.path());
    match command.output() {
        Ok(output) if output.status.success() => {}
        other => skip!("overlay cannot be mounted here: {other:?}"),
    }
    let found = layer(upper(), &out.path().join("u"));
    let expected = [".wh.gone", "keep/", "keep/.wh.a", "keep/c", "swap/", "swap/.wh..wh..opq", "swap/n"];
    assert_eq!(paths(&found), expected);
    assert!(found.iter().all(|entry| entry.records.is_empty()), "{found:?}");
}
