//! The program `image`, driven as a user does.

mod common;

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use cofferdam_image_spec::{
    CreateLayer, Descriptor, Destination, Digest, Document, ImageConfig, Layout, Manifest, MediaType,
    Platform,
};
use common::errors;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// A directory with a layout `made` that has the image `app`, and the program.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempdir().expect("a directory"));
        let tree = place.path().join("tree");
        std::fs::create_dir_all(tree.join("etc")).expect("directories");
        std::fs::write(tree.join("etc/motd"), "welcome\n").expect("a file");
        std::fs::create_dir(tree.join("closed")).expect("a directory");
        std::fs::write(tree.join("closed/file"), "x").expect("a file");
        std::fs::set_permissions(tree.join("closed"), PermissionsExt::from_mode(0o555)).expect("chmod");
        let mut blob = Vec::new();
        let directory = std::fs::File::open(&tree).expect("a directory");
        let layer = CreateLayer::tree().create(directory.as_fd(), &mut blob).expect("a layer");
        let mut config = ImageConfig::new(Platform::host(), vec![layer.diff_id]);
        config.config.cmd = vec!["/bin/\u{1b}app".into()];
        let config = Document::new(&config).expect("a config");
        let manifest = Document::new(&Manifest::new(config.descriptor(), vec![layer.descriptor.clone()]));
        let manifest = manifest.expect("a manifest");
        let layout = Layout::create(place.path().join("made")).expect("a layout");
        let put =
            |descriptor: &Descriptor, mut content: &[u8]| layout.put(descriptor, &mut content).expect("put");
        put(&layer.descriptor, &blob);
        put(&config.descriptor(), config.bytes());
        put(&manifest.descriptor(), manifest.bytes());
        layout.publish(Some("app"), &manifest.descriptor()).expect("published");
        // Tests remove the tree's copies; the tree itself must be removable too.
        std::fs::set_permissions(tree.join("closed"), PermissionsExt::from_mode(0o755)).expect("chmod");
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_image"));
        command.args(["--store", "store"]).args(arguments).current_dir(self.path());
        command.output().expect("image")
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        assert_eq!(errors(&output), "", "{arguments:?}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// The one line that a failure says.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let line = errors(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {line}");
        assert!(line.starts_with("image: ") && line.lines().count() == 1, "{arguments:?}: {line:?}");
        line
    }
}

#[test]
fn an_image_goes_through_all_places() {
    let place = Place::new();
    let digest = place.text(&["copy", "oci:made:app", "oci:layout"]);
    digest.parse::<Digest>().unwrap();
    assert_eq!(place.text(&["copy", "oci:layout:app", "oci-archive:a.tar:x"]), digest);
    assert_eq!(place.text(&["copy", "oci-archive:a.tar", "store:y"]), digest);
    assert_eq!(place.json(&["copy", "store:y", "docker-archive:d.tar:z"])["digest"], digest.as_str());
    place.text(&["copy", "docker-archive:d.tar:z:latest", "tarball:t.tar.gz"]);
    place.text(&["copy", "tarball:t.tar.gz", "store:t"]);
    let inspected = place.json(&["inspect", "docker-archive:d.tar"]);
    assert_eq!(inspected["id"], place.json(&["inspect", "store:y"])["id"]);
    assert_eq!(inspected["config"]["config"]["Cmd"][0], "/bin/\u{1b}app");
    assert_eq!(place.text(&["--quiet", "copy", "oci:made", "oci:quiet"]), "");
}

#[test]
fn what_an_image_says_cannot_write_to_the_terminal() {
    let place = Place::new();
    let text = place.text(&["inspect", "oci:made"]);
    assert!(text.contains("/bin/\\u{1b}app") && !text.contains('\u{1b}'), "{text:?}");
    let hostile = Digest::sha256(b"x");
    let name = "x\u{9b}2J\u{1b}[2J";
    let layout = Layout::open(place.path().join("made")).unwrap();
    layout.publish(Some(name), &Descriptor::new(MediaType::OCI_MANIFEST, hostile, 1)).unwrap();
    // Each image fits, so their names are said.
    let line = place.fails(1, &["inspect", "oci:made"]);
    assert!(line.contains("x\\u{9b}2J\\u{1b}[2J") && !line.trim_end().contains(char::is_control), "{line:?}");
    for key in ["name ", "digest ", "id ", "platform ", "cmd ", "layer "] {
        assert!(text.lines().any(|line| line.starts_with(key)), "{key}: {text}");
    }
}

#[test]
fn the_store_is_kept_in_order() {
    let place = Place::new();
    assert!(place.fails(1, &["ls"]).contains("store"));
    place.text(&["copy", "oci:made", "store:one"]);
    place.text(&["tag", "one", "two"]);
    let names = |list: &Value| {
        let images = list["images"].as_array().expect("images");
        images.iter().map(|image| image["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&place.json(&["ls"])), ["one", "two"]);
    assert_eq!(place.text(&["ls"]).lines().count(), 3);
    assert_eq!(place.json(&["verify"])["damages"], serde_json::json!([]));
    place.text(&["verify", "--deep"]);
    place.text(&["verify", "two"]);
    place.text(&["rm", "one"]);
    assert_eq!(place.json(&["gc"])["blobs"], 0);
    place.text(&["rm", "two"]);
    assert_eq!(place.json(&["gc"])["blobs"], 3);
    assert_eq!(place.text(&["ls"]), "");
    for wrong in [&["rm", "one"][..], &["tag", "one", "two"], &["verify", "one"], &["inspect", "store:one"]] {
        place.fails(1, wrong);
    }
}

#[test]
fn damage_is_found() {
    let place = Place::new();
    place.text(&["copy", "oci:made", "store:one"]);
    let layer = place.json(&["inspect", "store:one"])["layers"][0]["digest"].as_str().unwrap().to_owned();
    let blob = place.path().join("store/blobs").join(layer.replace(':', "/"));
    let mut content = std::fs::read(&blob).unwrap();
    content[20] ^= 1;
    std::fs::set_permissions(&blob, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&blob, content).unwrap();
    let output = place.run(&["--json", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["damages"][0]["name"], layer.as_str());
    assert!(place.fails(1, &["verify", "one"]).contains(&layer));
}

#[test]
fn an_image_is_unpacked_into_an_empty_directory() {
    let place = Place::new();
    let made = place.json(&["unpack", "oci:made", "root"]);
    assert_eq!(made["entries"], 4);
    assert_eq!(std::fs::read(place.path().join("root/etc/motd")).unwrap(), b"welcome\n");
    assert!(place.fails(1, &["unpack", "oci:made", "root"]).contains("not empty"));
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let line = place.text(&["unpack", "oci:made", "empty", "--owners", "squash", "--devices", "refuse"]);
    assert!(line.starts_with("4 entries"), "{line}");
    for root in ["root", "empty"] {
        std::fs::set_permissions(place.path().join(root).join("closed"), PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    assert!(place.fails(1, &["unpack", "oci:made", "no/such/root"]).contains("no/such/root"));
}

#[test]
fn what_cannot_be_unpacked_leaves_nothing() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    for root in ["empty", "new"] {
        assert!(place.fails(1, &["unpack", "oci:made", root, "--max-entries", "3"]).contains("limit"));
        assert!(place.fails(1, &["unpack", "oci:made", root, "--max-bytes", "100"]).contains("limit"));
    }
    assert_eq!(std::fs::read_dir(place.path().join("empty")).unwrap().count(), 0);
    assert!(!place.path().join("new").exists());
}

#[test]
fn a_bad_digest_leaves_no_name() {
    let place = Place::new();
    let layer = place.json(&["inspect", "oci:made"])["layers"][0]["digest"].as_str().unwrap().to_owned();
    let blob = place.path().join("made/blobs").join(layer.replace(':', "/"));
    let mut content = std::fs::read(&blob).unwrap();
    content[20] ^= 1;
    std::fs::write(&blob, content).unwrap();
    place.fails(1, &["copy", "oci:made", "oci-archive:bad.tar"]);
    place.fails(1, &["copy", "oci:made", "docker-archive:bad.tar:x"]);
    place.fails(1, &["copy", "oci:made", "tarball:bad.tar"]);
    place.fails(1, &["copy", "oci:made", "oci:bad:x"]);
    place.fails(1, &["copy", "oci:made", "store:bad"]);
    place.fails(1, &["unpack", "oci:made", "bad"]);
    assert!(!place.path().join("bad.tar").exists());
    assert_eq!(place.json(&["ls"])["images"], serde_json::json!([]));
    place.fails(1, &["inspect", "oci:bad:x"]);
}

#[test]
fn wrong_command_lines_are_told_apart() {
    let place = Place::new();
    for wrong in [
        &["copy", "oci:made"][..],
        &["copy", "made", "store:x"],
        &["copy", "docker://alpine", "store:x"],
        &["copy", "host", "store:x"],
        &["copy", "oci:made", "store:x", "--program", "sh"],
        &["unpack", "oci:made", "root", "--owners", "mine"],
        &["fly"],
    ] {
        place.fails(2, wrong);
    }
    for failing in [
        &["copy", "oci:missing", "store:x"][..],
        &["copy", "oci:made:other", "store:x"],
        &["copy", "oci:made", "host"],
        &["inspect", "host"],
        &["inspect", "oci-archive:missing.tar"],
        &["copy", "oci:made", "oci:other", "--platform", "plan9/mips"],
    ] {
        place.fails(1, failing);
    }
    assert!(place.text(&["--help"]).contains("docker-archive:FILE"));
    assert!(place.text(&["copy", "--help"]).contains("--platform"));
}

#[test]
fn programs_of_the_host_become_an_image() {
    let place = Place::new();
    place.text(&["copy", "host", "store:tools", "--program", "sh"]);
    place.text(&["copy", "host", "oci:tools:x", "--program", "sh"]);
    assert_eq!(
        place.json(&["inspect", "store:tools"])["digest"],
        place.json(&["inspect", "oci:tools"])["digest"]
    );
}

#[test]
fn an_image_is_mounted_by_root() {
    let place = Place::new();
    place.text(&["copy", "oci:made", "store:one"]);
    std::fs::create_dir(place.path().join("at")).unwrap();
    if !rustix::process::geteuid().is_root() {
        assert!(place.fails(1, &["mount", "one", "at"]).contains("isolate --image"));
        return;
    }
    place.fails(1, &["mount", "other", "at"]);
    place.fails(1, &["mount", "one", "missing"]);
    // In a mount namespace of its own, so that nothing is left if this fails.
    let script = r#"set -e
        image=$1; "$image" --store store mount one at
        cat at/etc/motd; touch at/x 2>/dev/null && exit 9
        grep -q " $PWD/at ro,nosuid,nodev," /proc/self/mountinfo
        "$image" umount at; test ! -e at/etc"#;
    let program = env!("CARGO_BIN_EXE_image");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", program]);
    let output = command.current_dir(place.path()).output().expect("unshare(1)");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("on at\nwelcome\n"), "{output:?}");
}

/// The constants of media types are text, which the tests of places rely on.
#[test]
fn a_layer_has_the_media_type_that_is_shown() {
    let place = Place::new();
    assert_eq!(place.json(&["inspect", "oci:made"])["layers"][0]["mediaType"], MediaType::OCI_LAYER_GZIP);
}
