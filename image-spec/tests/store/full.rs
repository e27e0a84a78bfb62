//! Disks that are full, files that may not grow, file systems that may not be written.

use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_image_spec::{Error, Store};

use crate::child::command;
use crate::fixture::{Place, image, inner, options, source};

/// Runs a shell in a mount namespace of its own, as root of a user namespace where one is not root.
fn in_own_mounts(script: &str, store: &Path, work: &str) -> Option<(bool, String)> {
    let child = command(store, work);
    let program = child.get_program().to_owned();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private"]);
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["sh", "-ec", script, "sh"]).arg(store).arg(program).args(child.get_args());
    for (name, value) in child.get_envs() {
        unshare.env(name, value.unwrap_or_default());
    }
    let output = unshare.stdin(Stdio::null()).output().ok()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if told.contains("unshare:") || told.contains("mount:") {
        eprintln!("skipped: {told}");
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"), "required, but {told}");
        return None;
    }
    Some((output.status.success(), told))
}

#[test]
fn a_full_disk() {
    let place = Place::new();
    // Each size stops the import somewhere else: in a blob, in a layer, in a document.
    for kilobytes in [200, 600, 1000, 1400, 1700] {
        let script = format!(
            r#"store="$1"; shift; aside="$(mktemp -d)"; trap 'rm -rf "$aside"' EXIT
            cp -a "$store" "$aside/store"
            mount -t tmpfs -o size={kilobytes}k,mode=700 none "$store"
            cp -a "$aside/store/." "$store"
            find "$store" | sort > "$aside/before"
            "$@"
            find "$store" | sort > "$aside/after"
            cmp "$aside/before" "$aside/after""#
        );
        let work = "full x 10 20000 1 2 3 4 5";
        let Some((well, told)) = in_own_mounts(&script, &place.path(""), work) else { return };
        assert!(well && told.contains("No space left"), "{kilobytes}: {told}");
    }
}

#[test]
fn a_file_system_that_may_not_be_written() {
    let place = Place::new();
    place.import(&image(&[1, 2], 2, 100), "there").unwrap();
    let script =
        r#"store="$1"; shift; mount --bind "$store" "$store"; mount -o remount,bind,ro "$store"; exec "$@""#;
    let work = "full x 2 100 1 3";
    let Some((well, told)) = in_own_mounts(script, &place.path(""), work) else { return };
    assert!(well && told.contains("Read-only file system"), "{told}");
}

#[test]
fn files_that_may_not_grow() {
    let place = Place::new();
    let before = place.names();
    // One that ignores the signal gets an error instead.
    let script = r#"trap '' XFSZ; shift; ulimit -f 16; exec "$@""#;
    let child = command(&place.path(""), "full x 2 200000 1 3");
    let mut shell = Command::new("sh");
    shell.args(["-ec", script, "sh", ""]).arg(child.get_program()).args(child.get_args());
    for (name, value) in child.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("File too large"), "{told}");
    assert_eq!(place.names(), before);
}

#[test]
fn a_reader_needs_no_writing() {
    let place = Place::new();
    let image = image(&[1, 2], 2, 100);
    place.import(&image, "there").unwrap();
    let before = place.names();
    let store = Store::open(place.path("")).unwrap();
    store.image("there").unwrap().lower_paths().unwrap();
    store.images().unwrap();
    store.usage().unwrap();
    assert_eq!(place.names(), before);
    let error = store.import(&source(&image), &image.top, Some("there"), &options().threads(0)).map(drop);
    error.unwrap();
    let none = store.image("none").map(drop).unwrap_err();
    assert!(matches!(inner(none), Error::Missing { .. }));
}
